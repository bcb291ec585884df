"""Strict reading of what clients send, as JSON or as a form. What is wrong is said after the name of the field."""

import re
from collections.abc import Mapping
from typing import Final, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec

from countermand.dialects.tanx.envelope import Answer, Declined, problem
from countermand.strict_json import duplicate_key

_T = TypeVar("_T", bound=msgspec.Struct)

FORM: Final = "application/x-www-form-urlencoded"
_FIELDS_MAX: Final = 64
_MALFORMED: Final = problem(400, "Malformed JSON in the request body")
_MALFORMED_FORM: Final = problem(400, "Malformed form in the request body")

_AT: Final = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_MISSING: Final = re.compile("Object missing required field `(?P<name>[^`]*)`")
_EXPECTED: Final = re.compile("Expected `(?P<type>int|str|object)`.*")
_WORDS: Final = {
    "int": "A valid integer is required.",
    "str": "Not a valid string.",
    "object": "Expected an object.",
}


def invalid(field: str, words: str) -> Answer:
    return problem(400, f"{field}: {words}")


class BodyReader(Generic[_T]):
    """Reads one kind of body. In a form, numbers are digits."""

    def __init__(self, shape: type[_T]) -> None:
        self._shape = shape
        self._decode = msgspec.json.Decoder(shape).decode

    def read(self, body: bytes, content_type: str | None) -> _T:
        """Raises `Declined`."""
        try:
            if (content_type or "").partition(";")[0].strip().lower() == FORM:
                return msgspec.convert(form(body), self._shape, strict=False)
            if (key := duplicate_key(body)) is not None:
                raise Declined(invalid(key, "duplicate key"))
            return self._decode(body)
        except msgspec.ValidationError as wrong:
            raise Declined(flaw(str(wrong))) from None
        except (ValueError, RecursionError):
            raise Declined(_MALFORMED) from None


def form(body: bytes) -> Mapping[str, str]:
    """The fields of a form. Raises `Declined`."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise Declined(_MALFORMED_FORM) from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise Declined(invalid(name, "duplicate key"))
        fields[name] = value
    return fields


def flaw(wrong: str) -> Answer:
    """What msgspec found, with the field first: `order_id: A valid integer is required.`"""
    found = _AT.fullmatch(wrong)
    what, path = (wrong, None) if found is None else (found["what"], found["path"])
    field = (path or "$").removeprefix("$").removeprefix(".")
    if missing := _MISSING.fullmatch(what):
        return invalid(f"{field}.{missing['name']}".removeprefix("."), "This field is required.")
    if expected := _EXPECTED.fullmatch(what):
        what = _WORDS[expected["type"]]
    return invalid(field or "body", what.replace("`", ""))
