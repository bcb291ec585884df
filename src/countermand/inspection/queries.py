"""Queries of what is shown, read strictly: what is unknown, doubled or of no meaning is refused by its name."""

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import parse_qsl

from countermand.values.quantities import Inexact, exact

_SHOWN_MAX: Final = 60
_LIKENESS_MIN: Final = 0.6


class QueryRefused(Exception):
    """The request has no meaning here; the message says why, and what has."""


class WrittenNumber(str):
    """A JSON number as it was written: no digit is lost, and a million digits cost nothing."""

    __slots__ = ()


def parameters(query: str, known: Sequence[str] = ()) -> Mapping[str, str]:
    """The query parameters by name. Raises `QueryRefused` for one that is unknown, or given twice."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            remedy = remedy_for(name, known, "this path takes none", "parameters")
            raise QueryRefused(f"{shown(name)}: unknown query parameter; {remedy}")
        if name in found:
            raise QueryRefused(f"{name}: given twice in the query")
        found[name] = keepable(name, value)
    return found


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, if any is like it. Case and separators do not count."""
    plain = {bare(each): each for each in known}
    like = get_close_matches(bare(name), plain, n=1, cutoff=_LIKENESS_MIN)
    return plain[like[0]] if like else None


def shown(text: str) -> str:
    """A value of a request, as a message may repeat it."""
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"


def bare(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def remedy_for(name: str, known: Sequence[str], none: str, kinds: str) -> str:
    if not known:
        return none
    like = nearest(name, known)
    return f"did you mean {like}?" if like is not None else f"the {kinds} here are {listed(known)}"


def refused_choice(path: str, value: object, choices: Sequence[str]) -> QueryRefused:
    """The refusal of a value that is none of the choices."""
    like = nearest(value, choices) if isinstance(value, str) else None
    hint = f"; did you mean {like}?" if like is not None else ""
    return QueryRefused(f"{path}: expected {listed(choices, 'or')}, got {described(value)}{hint}")


def limit_in(text: str, most: int) -> int:
    """A query parameter of this name: how many are wanted."""
    number = exact(text, scale=0, bound=most)
    if isinstance(number, Inexact) or not number:
        raise QueryRefused(f"limit: {shown(text)!r} is no whole number from 1 to {most}")
    return number


def keepable(path: str, text: str) -> str:
    """Refuses what cannot be stored as text: NUL, and halves of surrogate pairs."""
    if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise QueryRefused(f"{path}: holds a character that cannot be stored (NUL, or half of a surrogate pair)")
    return text


def described(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case WrittenNumber():
            return f"the number {shown(value)}"
        case str():
            return f"the text {printable(json.dumps(shown(value), ensure_ascii=False))}"
        case list():
            return "an array"
    return "an object"


def printable(text: str) -> str:
    """Half of a surrogate pair is shown as its escape: an answer in UTF-8 cannot hold it."""
    return text.encode(errors="backslashreplace").decode()


def listed(names: Sequence[str], last: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"
