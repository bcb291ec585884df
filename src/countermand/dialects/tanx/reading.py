"""Strict reading of what clients send: JSON, forms, queries. What is wrong is said after the name of the field.

A form and a query are read as JSON whose values are texts, and whole numbers where the shape wants no text.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, get_args
from urllib.parse import parse_qsl

import msgspec
from falcon.asgi import Request
from msgspec import UNSET, Raw, UnsetType

from countermand.answering import Answer, Declined
from countermand.dialects.tanx.envelope import problem
from countermand.json_flaws import DECODING_ERRORS, Flaw, Malformed, MissingField, OutOfBounds, WrongType, flaw_of
from countermand.json_numbers import whole_number, with_whole_numbers
from countermand.strict_json import duplicate_key, echoed

_T = TypeVar("_T", bound=msgspec.Struct)

FORM: Final = "application/x-www-form-urlencoded"
MARKET_MISSING: Final = "please provide market, market is a mandatory field"
NO_INTEGER: Final = "A valid integer is required."
NO_NUMBER: Final = "A valid number is required."

_FIELDS_MAX: Final = 64
_MALFORMED: Final = problem(400, "Malformed JSON in the request body")
_MALFORMED_FORM: Final = problem(400, "Malformed form in the request body")
_NO_MARKET: Final = problem(400, MARKET_MISSING)

_WHOLE: Final = re.compile("0|[1-9][0-9]*", re.ASCII)
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_WORDS: Final = {
    "int": NO_INTEGER,
    "str": "Not a valid string.",
    "object": "Expected an object.",
}
_RELATIONS: Final = {">=": "greater than or equal to", "<=": "less than or equal to"}


def invalid(field: str, words: str) -> Answer:
    return problem(400, f"{field}: {words}")


class BodyReader(Generic[_T]):
    """Reads one kind of request."""

    def __init__(self, shape: type[_T]) -> None:
        self._decode = msgspec.json.Decoder(shape, strict=False).decode
        kinds = {field.encode_name: field.type for field in msgspec.structs.fields(shape)}
        self._texts = {name: _is_text(kind) for name, kind in kinds.items()}
        self._integers = {name for name, kind in kinds.items() if _is_integer(kind)}
        self._choices = {name: _choices(kind) for name, kind in kinds.items()}
        self._needs_market = any(field.name == "market" and field.required for field in msgspec.structs.fields(shape))
        self._counts = "order_id" not in kinds
        """Numbers are read as what they are. Only the id of an order must be written as an integer."""

    def read(self, body: bytes, content_type: str | None = None) -> _T:
        """JSON, or a form if it says so; no body is an empty object. Raises `Declined`."""
        if _is_form(body, content_type):
            return self._read(msgspec.json.encode(self._from_text(form(body).items())))
        return self._read(body if body.strip() else b"{}")

    def beside(self, body: bytes, content_type: str | None, names: Sequence[str]) -> dict[str, object]:
        """Of a body that was read: what it says under names that the shape does not know."""
        if _is_form(body, content_type):
            fields: dict[str, object] = {name: value for name, value in form(body).items() if name in names}
            return fields
        given = _FIELDS.decode(body if body.strip() else b"{}")
        return {name: _value(raw) for name, raw in given.items() if name in names}

    def listing(self, req: Request, body: bytes) -> _T:
        """From the query; what is not there, from the body; else from `params` in the body. Raises `Declined`."""
        found = self._from_text(_pairs(req.params))
        if not body.strip():
            return self._read(msgspec.json.encode(found))
        if _is_form(body, req.content_type):
            return self._read(msgspec.json.encode(self._from_text(form(body).items()) | found))
        given = _fields(body)
        inner = bytes(given.get("params", b"null"))
        nested = {} if inner == b"null" else _fields(inner, "params")
        known = {name: raw for name, raw in (nested | given).items() if name in self._texts}
        return self._read(msgspec.json.encode(known | found))

    def _read(self, body: bytes) -> _T:
        try:
            _refuse_duplicates(body)
            return self._decode(with_whole_numbers(body) if self._counts else body)
        except DECODING_ERRORS as wrong:
            raise Declined(self._complaint(flaw_of(wrong))) from None

    def _from_text(self, pairs: Iterable[tuple[str, str]]) -> dict[str, Raw]:
        """Of what the shape knows. An empty value is none."""
        found: dict[str, Raw] = {}
        for name, value in pairs:
            if name in found:
                raise Declined(invalid(name, "duplicate key"))
            if name in self._texts and value:
                bare = not self._texts[name] and _WHOLE.fullmatch(value) is not None
                digits = whole_number(value) if name in self._integers else value if bare else None
                found[name] = Raw(msgspec.json.encode(value) if digits is None else digits.encode())
        return found

    def _complaint(self, flaw: Flaw) -> Answer:
        field = flaw.field if isinstance(flaw, MissingField) else flaw.path
        if field == "market" and self._needs_market:
            return _NO_MARKET
        match flaw:
            case Malformed():
                return _MALFORMED
            case MissingField():
                return invalid(field, NO_INTEGER if field == "order_id" else "This field is required.")
        return invalid(field or "body", self._words(flaw))

    def _words(self, flaw: Flaw) -> str:
        if choices := self._choices.get(flaw.path):
            return f"Not a valid choice; it is one of {', '.join(choices)}."
        match flaw:
            case OutOfBounds(relation=relation, bound=bound):
                return f"Ensure this value is {_RELATIONS[relation]} {bound}."
            case WrongType(expected=(kind, *_)) if kind in _WORDS:
                return _WORDS[kind]
        return "Not valid."


def decimal_text(field: str, raw: Raw | UnsetType) -> str | None:
    """A number as it was written, or None if there is none. Raises `Declined`."""
    text = "null" if raw is UNSET else bytes(raw).decode()
    if text == "null":
        return None
    if text.startswith('"'):
        return msgspec.json.decode(text, type=str)
    if text[0] not in "-0123456789":
        raise Declined(invalid(field, NO_NUMBER))
    return text


def form(body: bytes) -> Mapping[str, str]:
    """The fields of a form. Raises `Declined`."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise Declined(_MALFORMED_FORM) from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise Declined(invalid(echoed(name), "duplicate key"))
        fields[name] = value
    return fields


def _is_text(kind: Any) -> bool:
    return kind is str or any(_is_text(each) for each in get_args(kind))


def _is_integer(kind: Any) -> bool:
    return kind is int or any(_is_integer(each) for each in get_args(kind))


def _choices(kind: Any) -> tuple[str, ...]:
    """The texts that a type allows, if it allows only some."""
    return tuple(text for each in get_args(kind) for text in ([each] if isinstance(each, str) else _choices(each)))


def _is_form(body: bytes, content_type: str | None) -> bool:
    """Many a tool calls its body a form unless it is told otherwise; an object is none."""
    named = (content_type or "").partition(";")[0].strip().lower() == FORM
    return named and not body.lstrip().startswith(b"{")


def _pairs(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is given twice stands twice."""
    return [(name, value) for name, given in params.items() for value in ([given] if isinstance(given, str) else given)]


def _value(raw: Raw) -> object:
    """What no decoder takes is kept as it was written."""
    try:
        return msgspec.json.decode(raw)
    except DECODING_ERRORS:
        return bytes(raw).decode("utf-8", "replace")


def _fields(body: bytes, name: str = "body") -> dict[str, Raw]:
    try:
        _refuse_duplicates(body)
        return _FIELDS.decode(body)
    except msgspec.ValidationError:
        raise Declined(invalid(name, "Expected an object.")) from None
    except DECODING_ERRORS:
        raise Declined(_MALFORMED) from None


def _refuse_duplicates(body: bytes) -> None:
    if (key := duplicate_key(body)) is not None:
        raise Declined(invalid(echoed(key), "duplicate key"))
