"""Strict reading of what clients send. What is wrong is said with the name of the field."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from countermand.addresses import address_flaw
from countermand.answering import Declined
from countermand.dialects.swap_v1.envelope import error
from countermand.dialects.swap_v1.wire import QuoteParams, SwapRequest
from countermand.json_flaws import DECODING_ERRORS, Flaw, Malformed, MissingField, flaw_of
from countermand.json_numbers import converted, decoded
from countermand.strict_json import duplicate_key
from countermand.values.identity import Address
from countermand.values.quantities import U64_MAX, Inexact, exact

_decode: Final = msgspec.json.Decoder(SwapRequest).decode
_KEY_BYTES: Final = 32


def read_query(params: Mapping[str, Any]) -> QuoteParams:
    """Raises `Declined`."""
    try:
        return converted(params, QuoteParams)
    except msgspec.ValidationError as wrong:
        flaw = flaw_of(wrong)
        if isinstance(flaw, MissingField):
            raise _bad_parameter(flaw.field, "it is required") from None
        raise _bad_parameter(flaw.path, str(flaw)) from None


def query_key(field: str, given: str) -> Address:
    """An address in a query. Raises `Declined`."""
    if (flaw := _flaw_of_key(given)) is not None:
        raise _bad_parameter(field, flaw)
    return Address(given)


def query_units(field: str, given: str) -> int:
    """Base units in a query. Raises `Declined`."""
    units = _parsed(given)
    if isinstance(units, int):
        return units
    kind = "Empty" if not given else "InvalidDigit" if units is Inexact.NOT_A_NUMBER else "PosOverflow"
    raise _bad_parameter(field, f"ParseIntError {{ kind: {kind} }}")


def _parsed(digits: str) -> int | Inexact:
    """As the original parses a whole number: zeros before it do not count."""
    if not (digits.isascii() and digits.isdigit()):
        return Inexact.NOT_A_NUMBER
    return exact(digits.lstrip("0") or "0", scale=0, bound=U64_MAX)


def read_body(body: bytes) -> SwapRequest:
    """Raises `Declined`."""
    try:
        if (key := duplicate_key(body)) is not None:
            raise _bad_body(f"{key}: duplicate key")
        return decoded(_decode, body)
    except DECODING_ERRORS as wrong:
        raise _bad_body(_cause(flaw_of(wrong))) from None


def body_key(field: str, given: str) -> Address:
    """An address in a body. Raises `Declined`."""
    if (flaw := _flaw_of_key(given)) is not None:
        raise _bad_body(f"{field}: {flaw}")
    return Address(given)


def body_units(field: str, given: str) -> int:
    """Base units in a body. Raises `Declined`."""
    if isinstance(units := _parsed(given), int):
        return units
    raise _bad_body(f"{field}: expected a whole number from 0 to {U64_MAX}, as a string")


def _flaw_of_key(given: str) -> str | None:
    """In the words of the original."""
    flaw = address_flaw(given)
    return None if flaw is None else "WrongSize" if "wrong size" in flaw.lower() else "Invalid"


def _bad_parameter(field: str, flaw: str) -> Declined:
    return Declined(error(400, f"Query parameter {field} cannot be parsed: {flaw}"))


def _bad_body(cause: str) -> Declined:
    return Declined(error(400, f"Failed to deserialize the JSON body into the target type: {cause}"))


def _cause(flaw: Flaw) -> str:
    match flaw:
        case Malformed():
            return "malformed JSON"
        case MissingField(field=field):
            return f"{field}: missing field"
    words = str(flaw)
    return f"{flaw.path or 'body'}: {words[:1].lower()}{words[1:].replace('`', '')}"
