"""What is wrong with a value that does not fit its type, as data.

Msgspec says it in English. Its sentences are read here and nowhere else, and `tests/test_json_flaws.py` pins each of
them, so that a version with other words is noticed. An API answers in words of its own. Where it has none, the text of
a flaw is the sentence without the place, the same for every version.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin

import msgspec
from msgspec.structs import fields

DECODING_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises. `ValidationError` is a `DecodeError`, and before msgspec 0.21 neither is a `ValueError`."""

_AT: Final = re.compile(r"(?P<sentence>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?", re.DOTALL)
_MISSING_FIELD: Final = re.compile("Object missing required field `(?P<name>[^`]*)`")
_UNKNOWN_FIELD: Final = re.compile("Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_WRONG_TYPE: Final = re.compile("Expected `(?P<expected>[^`]*)`, got `(?P<found>[^`]*)`")
_OUT_OF_BOUNDS: Final = re.compile("Expected `int` (?P<relation>[<>]=) (?P<bound>-?[0-9]+)")
_NOT_A_CHOICE: Final = re.compile("Invalid enum value (?P<found>.*)", re.DOTALL)
_UNION: Final = " | "


class _Flaw(msgspec.Struct, frozen=True):
    path: str
    """From the value that was read: `params.makingAmount`, `orders[0].price`; empty for that value itself."""

    def path_from(self, name: str) -> str:
        """The path, if the value that was read has this name."""
        return f"{name}{self.path}" if self.path.startswith("[") else f"{name}.{self.path}".removesuffix(".")


class MissingField(_Flaw, frozen=True):
    """`path` is that of the object."""

    name: str

    @property
    def field(self) -> str:
        return f"{self.path}.{self.name}".removeprefix(".")

    def __str__(self) -> str:
        return f"Object missing required field `{self.name}`"


class UnknownField(_Flaw, frozen=True):
    """`path` is that of the object."""

    name: str

    def __str__(self) -> str:
        return f"Object contains unknown field `{self.name}`"


class WrongType(_Flaw, frozen=True):
    """Types by the names that msgspec gives them: `str`, `int`, `float`, `bool`, `array`, `object`, `null`."""

    expected: tuple[str, ...]
    found: str

    def __str__(self) -> str:
        return f"Expected `{_UNION.join(self.expected)}`, got `{self.found}`"


class OutOfBounds(_Flaw, frozen=True):
    """A whole number that does not have this relation to the bound: `>=` or `<=`."""

    relation: str
    bound: int

    def __str__(self) -> str:
        return f"Expected `int` {self.relation} {self.bound}"


class NotAChoice(_Flaw, frozen=True):
    """`found`: the value as Python shows it."""

    found: str

    def __str__(self) -> str:
        return f"Invalid enum value {self.found}"


class OtherFlaw(_Flaw, frozen=True):
    """None of the others, in the words of msgspec: a number beyond all ranges, a length, a pattern."""

    words: str

    def __str__(self) -> str:
        return self.words


class Malformed(_Flaw, frozen=True):
    """The text is no JSON, not UTF-8, or nested too deeply. `path` is empty."""

    words: str

    def __str__(self) -> str:
        return self.words


Flaw: TypeAlias = MissingField | UnknownField | WrongType | OutOfBounds | NotAChoice | OtherFlaw | Malformed


def flaw_of(error: Exception) -> Flaw:
    """For one of the `DECODING_ERRORS`."""
    if not isinstance(error, msgspec.ValidationError):
        return Malformed("", str(error))
    at = _AT.fullmatch(str(error))
    assert at is not None, "the pattern matches any text"
    sentence, path = at["sentence"], at["path"] or ""
    if found := _WRONG_TYPE.fullmatch(sentence):
        return WrongType(path, tuple(found["expected"].split(_UNION)), found["found"])
    if found := _MISSING_FIELD.fullmatch(sentence):
        return MissingField(path, found["name"])
    if found := _OUT_OF_BOUNDS.fullmatch(sentence):
        return OutOfBounds(path, found["relation"], int(found["bound"]))
    if found := _NOT_A_CHOICE.fullmatch(sentence):
        return NotAChoice(path, found["found"])
    if found := _UNKNOWN_FIELD.fullmatch(sentence):
        return UnknownField(path, found["name"])
    return OtherFlaw(path, sentence)


def choices_at(shape: type[msgspec.Struct], name: str) -> tuple[str, ...]:
    """What a field of the shape may be, by its name on the wire; nothing where it is no choice between texts."""
    for each in fields(shape):
        if each.encode_name == name:
            return tuple(_choices(each.type))
    return ()


def _choices(hint: Any) -> Iterator[str]:
    if get_origin(hint) is Literal:
        yield from get_args(hint)
        return
    for part in get_args(hint):
        yield from _choices(part)
