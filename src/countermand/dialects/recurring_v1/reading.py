"""Strict reading of what clients send. What is wrong is said as the original's decoder, serde, says it."""

from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec

from countermand.addresses import address_flaw
from countermand.dialects.recurring_v1.envelope import Form, RecurringDeclined
from countermand.json_flaws import DECODING_ERRORS, Flaw, Malformed, MissingField, OutOfBounds, WrongType, flaw_of
from countermand.json_numbers import decoded
from countermand.orders.recurring.model.order import PRICE_SCALE, CyclePrice
from countermand.query_fields import with_values
from countermand.strict_json import duplicate_key, echoed
from countermand.values.quantities import Inexact, exact

_T = TypeVar("_T", bound=msgspec.Struct)

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
_FOUND: Final = {'"': "string", "{": "map", "[": "sequence", "t": "boolean", "f": "boolean"}
_PRICE_BOUND: Final = 10 ** (PRICE_SCALE + 20)
_PRICE_FLAWS: Final = {
    Inexact.TOO_PRECISE: f"expected a number with at most {PRICE_SCALE} decimals",
    Inexact.TOO_LONG: "expected a shorter number",
    Inexact.TOO_BIG: f"expected a number up to 10^{20}",
}


class BodyReader(Generic[_T]):
    """Reads one kind of body."""

    def __init__(self, shape: type[_T]) -> None:
        self._decode = msgspec.json.Decoder(shape).decode

    def read(self, body: bytes) -> _T:
        """Raises `RecurringDeclined`."""
        try:
            read = decoded(self._decode, body)
        except DECODING_ERRORS as wrong:
            flaw = flaw_of(wrong)
            if isinstance(flaw, Malformed):
                raise RecurringDeclined("Failed to parse the request body as JSON") from None
            _refuse_duplicates(body)
            raise _declined(flaw) from None
        _refuse_duplicates(body)
        return read


class QueryReader(Generic[_T]):
    """Reads one kind of query, all of text."""

    def __init__(self, shape: type[_T]) -> None:
        self._shape = shape

    def read(self, params: Mapping[str, Any]) -> _T:
        """Raises `RecurringDeclined`."""
        for name, value in params.items():
            if not isinstance(value, str):
                raise RecurringDeclined(f"duplicate field `{echoed(name)}`")
        try:
            return msgspec.convert(with_values(params), self._shape)
        except msgspec.ValidationError as wrong:
            raise _declined(flaw_of(wrong)) from None


def form_of_cancel(body: bytes) -> Form:
    """The older form says what is recurring in `params`, the newer one in `recurringType`."""
    try:
        fields = _KEYS.decode(body)
    except DECODING_ERRORS:
        return Form.NEWER
    return Form.OLDER if "params" in fields and "recurringType" not in fields else Form.NEWER


def public_key(field: str, given: str) -> str:
    if (flaw := address_flaw(given)) is not None:
        raise RecurringDeclined(f"{field}: {flaw}")
    return given


def variant(field: str, given: str, *known: str) -> str:
    if given not in known:
        expected = ", ".join(f"`{each}`" for each in known)
        raise RecurringDeclined(f"{field}: unknown variant `{echoed(given)}`, expected one of {expected}")
    return given


def price(field: str, given: msgspec.Raw) -> CyclePrice | None:
    """A JSON number above 0, read exactly; null is None."""
    text = bytes(given).decode("utf-8", "replace").strip()
    if text == "null":
        return None
    found = _FOUND.get(text[:1])
    if found is not None:
        raise RecurringDeclined(f"{field}: invalid type: {found}, expected a floating point number or null")
    number = exact(text, scale=PRICE_SCALE, bound=_PRICE_BOUND)
    if isinstance(number, int) and number > 0:
        return CyclePrice(number)
    words = _PRICE_FLAWS.get(number, "expected a number above 0") if isinstance(number, Inexact) else None
    raise RecurringDeclined(f"{field}: invalid value: {words or 'expected a number above 0'}")


def _refuse_duplicates(body: bytes) -> None:
    twice = duplicate_key(body)
    if twice is not None:
        raise RecurringDeclined(f"duplicate field `{echoed(twice)}`")


def _declined(flaw: Flaw) -> RecurringDeclined:
    words = _in_words_of_serde(flaw)
    return RecurringDeclined(f"{flaw.path}: {words}" if flaw.path else words)


def _in_words_of_serde(flaw: Flaw) -> str:
    match flaw:
        case MissingField(name=name):
            return f"missing field `{name}`"
        case WrongType(expected=types, found=found):
            expected = " or ".join(_TYPES.get(each, each) for each in types)
            got = _TYPES.get(found, found).removeprefix("an ").removeprefix("a ")
            return f"invalid type: {got}, expected {expected}"
        case OutOfBounds(relation=relation, bound=bound):
            return f"invalid value: expected an integer of {'at least' if relation == '>=' else 'at most'} {bound}"
    return f"invalid value: {flaw}"
