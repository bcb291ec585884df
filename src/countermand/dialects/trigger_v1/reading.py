"""Strict reading of what clients send. What is wrong is said in `cause`, with the name of the field."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from countermand.addresses import is_address
from countermand.answering import Answer, Declined
from countermand.dialects.trigger_v1.envelope import error
from countermand.json_flaws import (
    DECODING_ERRORS,
    Flaw,
    Malformed,
    MissingField,
    NotAChoice,
    WrongType,
    choices_at,
    flaw_of,
)
from countermand.json_numbers import converted, decoded
from countermand.query_fields import with_values
from countermand.strict_json import duplicate_key
from countermand.values.quantities import U64_MAX, exact

_T = TypeVar("_T", bound=msgspec.Struct)

Complaint = Callable[[str], Answer]
"""The answer that a request gets of which this is wrong."""


def complains(words: str) -> Complaint:
    return lambda cause: error(400, words, cause)


class BodyReader(Generic[_T]):
    """Reads one kind of body."""

    def __init__(self, shape: type[_T], complaint: Complaint) -> None:
        self._shape = shape
        self._decode = msgspec.json.Decoder(shape).decode
        self._complaint = complaint

    def read(self, body: bytes) -> _T:
        """Raises `Declined`."""
        try:
            if (key := duplicate_key(body)) is not None:
                raise Declined(self._complaint(f"{key}: duplicate key"))
            return decoded(self._decode, body)
        except DECODING_ERRORS as wrong:
            raise Declined(self._complaint(_cause(flaw_of(wrong), self._shape))) from None


class QueryReader(Generic[_T]):
    """Reads one kind of query."""

    def __init__(self, shape: type[_T], complaint: Complaint) -> None:
        self._shape = shape
        self._complaint = complaint

    def read(self, params: Mapping[str, Any]) -> _T:
        """Raises `Declined`."""
        try:
            return converted(with_values(params), self._shape)
        except msgspec.ValidationError as wrong:
            raise Declined(self._complaint(_cause(flaw_of(wrong), self._shape))) from None


def number(field: str, given: str | int, complaint: Complaint, bound: int = U64_MAX) -> int:
    """A whole number from 0 to `bound`. Raises `Declined`."""
    if isinstance(given, int):
        if 0 <= given <= bound:
            return given
    elif given.isdigit() and isinstance(read := exact(given, scale=0, bound=bound), int):
        return read
    raise Declined(complaint(f"{field}: expected a whole number from 0 to {bound}"))


def public_key(field: str, given: str, complaint: Complaint) -> str:
    """Raises `Declined`."""
    if not is_address(given):
        raise Declined(complaint(f"{field}: expected a base58 public key of 32 bytes"))
    return given


def _cause(flaw: Flaw, shape: type[msgspec.Struct]) -> str:
    """The field first: `params.makingAmount: expected int | str, got null`."""
    match flaw:
        case Malformed():
            return "malformed JSON in request body"
        case MissingField(field=field):
            return f"{field}: required"
        case NotAChoice(path=path, found=found) if choices := choices_at(shape, path):
            return f"{path}: expected one of {', '.join(choices)}, got {found}"
        case WrongType(path=path, expected=expected, found="float" | "str") if "int" in expected:
            # A number with decimals, or a text in a query, where all is text: types would not say what is wrong.
            return f"{path}: expected a whole number"
    words = str(flaw)
    return f"{flaw.path or 'body'}: {words[:1].lower()}{words[1:].replace('`', '')}"
