"""Strict reading of what clients send. What is wrong is said as the original's decoder, serde, says it."""

import re
from collections.abc import Mapping
from typing import Any, Final, Generic, NoReturn, TypeVar

import base58
import msgspec

from countermand.dialects.recurring_v1.envelope import Form, RecurringDeclined
from countermand.json_numbers import with_whole_numbers
from countermand.strict_json import duplicate_key

_T = TypeVar("_T", bound=msgspec.Struct)

_KEY_BYTES: Final = 32
_KEY_CHARS_MAX: Final = 44
_ECHOED_CHARS_MAX: Final = 60
_WHERE: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?", re.DOTALL)
_MISSING: Final = re.compile("Object missing required field (`[^`]*`)")
_WRONG_TYPE: Final = re.compile("Expected `(?P<expected>[^`]*)`, got `(?P<got>[^`]*)`")
_WRONG_VALUE: Final = re.compile("Expected `[^`]*` (?P<limit>[<>]=) (?P<bound>-?[0-9]+)")
_TYPES: Final = {
    "str": "a string",
    "int": "an integer",
    "float": "a floating point number",
    "bool": "a boolean",
    "object": "a map",
    "array": "a sequence",
    "null": "null",
}
_KEYS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class BodyReader(Generic[_T]):
    """Reads one kind of body."""

    def __init__(self, shape: type[_T]) -> None:
        self._decode = msgspec.json.Decoder(shape).decode

    def read(self, body: bytes) -> _T:
        """Raises `RecurringDeclined`."""
        try:
            decoded = self._decoded(body)
        except msgspec.ValidationError as wrong:
            _refuse_duplicates(body)
            _complain(str(wrong))
        except (ValueError, RecursionError):
            raise RecurringDeclined("Failed to parse the request body as JSON") from None
        _refuse_duplicates(body)
        return decoded

    def _decoded(self, body: bytes) -> _T:
        try:
            return self._decode(body)
        except msgspec.ValidationError:
            return self._decode(with_whole_numbers(body))


class QueryReader(Generic[_T]):
    """Reads one kind of query, all of text."""

    def __init__(self, shape: type[_T]) -> None:
        self._shape = shape

    def read(self, params: Mapping[str, Any]) -> _T:
        """Raises `RecurringDeclined`."""
        for name, value in params.items():
            if not isinstance(value, str):
                raise RecurringDeclined(f"duplicate field `{_echoed(name)}`")
        try:
            return msgspec.convert(params, self._shape)
        except msgspec.ValidationError as wrong:
            _complain(str(wrong))


def form_of_cancel(body: bytes) -> Form:
    """The older form says what is recurring in `params`, the newer one in `recurringType`."""
    try:
        fields = _KEYS.decode(body)
    except (ValueError, RecursionError):
        return Form.NEWER
    return Form.OLDER if "params" in fields and "recurringType" not in fields else Form.NEWER


def public_key(field: str, given: str) -> str:
    try:
        size = len(base58.b58decode(given)) if len(given) <= _KEY_CHARS_MAX else None
    except ValueError:
        raise RecurringDeclined(f"{field}: Invalid Base58 string") from None
    if size != _KEY_BYTES:
        raise RecurringDeclined(f"{field}: String is the wrong size")
    return given


def variant(field: str, given: str, *known: str) -> str:
    if given not in known:
        expected = ", ".join(f"`{each}`" for each in known)
        raise RecurringDeclined(f"{field}: unknown variant `{_echoed(given)}`, expected one of {expected}")
    return given


def _refuse_duplicates(body: bytes) -> None:
    twice = duplicate_key(body)
    if twice is not None:
        raise RecurringDeclined(f"duplicate field `{_echoed(twice)}`")


def _echoed(text: str) -> str:
    return text[:_ECHOED_CHARS_MAX].encode("utf-8", "replace").decode()


def _complain(words: str) -> NoReturn:
    found = _WHERE.fullmatch(words)
    assert found is not None, "the pattern matches any text"
    prefix = f"{found['where']}: " if found["where"] else ""
    raise RecurringDeclined(prefix + _in_words_of_serde(found["what"])) from None


def _in_words_of_serde(what: str) -> str:
    if missing := _MISSING.fullmatch(what):
        return f"missing field {missing[1]}"
    if wrong := _WRONG_TYPE.fullmatch(what):
        expected = " or ".join(_TYPES.get(each, each) for each in wrong["expected"].split(" | "))
        got = _TYPES.get(wrong["got"], wrong["got"]).removeprefix("an ").removeprefix("a ")
        return f"invalid type: {got}, expected {expected}"
    if wrong := _WRONG_VALUE.fullmatch(what):
        bound = "at least" if wrong["limit"] == ">=" else "at most"
        return f"invalid value: expected an integer of {bound} {wrong['bound']}"
    return f"invalid value: {what}"
