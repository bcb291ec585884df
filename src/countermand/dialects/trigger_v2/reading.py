"""Strict reading of what clients send. What is wrong is said by field, in words like those of the original service."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Final, Generic, Literal, NoReturn, TypeVar, get_args, get_origin

import msgspec

from countermand.addresses import is_address
from countermand.answering import Answer, Declined
from countermand.dialects.trigger_v2.envelope import error, invalid
from countermand.json_flaws import DECODING_ERRORS, Flaw, OutOfBounds, flaw_of
from countermand.json_numbers import converted, usd_of, with_whole_numbers, with_whole_texts
from countermand.strict_json import duplicate_key
from countermand.values.identity import Mint, OrderId
from countermand.values.quantities import (
    U64_MAX,
    BaseUnits,
    Inexact,
    UsdPrice,
    exact,
)

_T = TypeVar("_T", bound=msgspec.Struct)

_UUID: Final = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RECEIVED: Final = {'"': "string", "{": "object", "[": "array", "t": "boolean", "f": "boolean", "n": "null"}
_EXPECTED: Final[Mapping[Any, str]] = MappingProxyType({int: "number", bool: "boolean"})
_MS_MIN: Final = 10**11
"""In the year 1973. In seconds it is the year 5138."""
_MALFORMED: Final = error(400, "Malformed JSON in request body")
_KEYS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class BodyReader(Generic[_T]):
    """Reads one kind of body."""

    def __init__(self, shape: type[_T]) -> None:
        self._shape = shape
        self._decode = msgspec.json.Decoder(shape).decode

    def read(self, body: bytes) -> _T:
        """Raises `Declined`."""
        try:
            fields = _KEYS.decode(body)
            # Every key has a colon, and no expected value has one: only if there are more may a key stand twice.
            if body.count(b":") != len(fields) and (key := duplicate_key(body)) is not None:
                raise Declined(invalid({key: "Duplicate key"}))
            return self._decode(body)
        except msgspec.ValidationError as wrong:
            # It may be that an integer was written with a point or an exponent.
            again = with_whole_numbers(body)
            if again == body:
                self._complain(body, wrong)
        except DECODING_ERRORS:
            raise Declined(_MALFORMED) from None
        try:
            return self._decode(again)
        except DECODING_ERRORS as wrong:
            self._complain(again, wrong)

    def _complain(self, body: bytes, wrong: Exception) -> NoReturn:
        if not isinstance(wrong, msgspec.ValidationError):
            raise Declined(_MALFORMED) from None
        try:
            fields = _KEYS.decode(body)
        except DECODING_ERRORS:
            received = _RECEIVED.get(body.lstrip()[:1].decode("latin-1"), "number")
            raise Declined(invalid({"body": f"Invalid input: expected object, received {received}"})) from None
        raise Declined(invalid(_flaws(self._shape, fields, _decode_field, _kind_of_raw))) from None


class QueryReader(Generic[_T]):
    """Reads one kind of query."""

    def __init__(self, shape: type[_T]) -> None:
        self._shape = shape

    def read(self, params: Mapping[str, Any]) -> _T:
        """Raises `Declined`."""
        try:
            return converted(params, self._shape)
        except msgspec.ValidationError:
            flaws = _flaws(self._shape, with_whole_texts(params, self._shape), _convert_field, _kind_of_text)
            raise Declined(invalid(flaws)) from None


def order_id(text: str) -> OrderId:
    if not is_uuid(text):
        raise Declined(error(400, "Invalid order ID"))
    return OrderId(text.lower())


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def missing(field: str) -> Answer:
    return invalid({field: "Invalid input: expected string, received undefined"})


def fields_of(shape: msgspec.Struct) -> dict[str, Any]:
    """As they are named on the wire."""
    fields: dict[str, Any] = msgspec.to_builtins(shape)
    return fields


class Flaws(dict[str, str]):
    """What is wrong, by field. The readers give something harmless for what they refuse."""

    def usd(self, field: str, raw: msgspec.Raw) -> UsdPrice:
        if not bytes(raw):
            self[field] = "Invalid input: expected number, received undefined"
            return UsdPrice(1)
        _, number = usd_of(raw)
        if isinstance(number, int) and number > 0:
            return UsdPrice(number)
        self[field] = _complaint_about(number)
        return UsdPrice(1)

    def amount(self, field: str, given: str | int) -> BaseUnits:
        number: int | Inexact
        if isinstance(given, int):
            number = Inexact.NEGATIVE if given < 0 else Inexact.TOO_BIG if given > U64_MAX else given
        elif given.isdigit():
            number = exact(given, scale=0, bound=U64_MAX)
        else:
            number = Inexact.NOT_A_NUMBER
        if isinstance(number, int) and number > 0:
            return BaseUnits(number)
        wrong = number is Inexact.NOT_A_NUMBER
        self[field] = "Invalid input: expected a whole number of base units" if wrong else _complaint_about(number)
        return BaseUnits(1)

    def instant(self, field: str, ms: int) -> None:
        """A time that can only be meant in seconds. Whether it is past otherwise is judged elsewhere."""
        if ms < _MS_MIN:
            self[field] = (
                f"Expiry time must be in the future: {ms} is in 1973 or before; "
                "it is in milliseconds since the Unix epoch, not seconds"
            )

    def public_key(self, field: str, given: str) -> Mint:
        if not is_address(given):
            self[field] = "Invalid input: expected a base58 public key of 32 bytes"
        return Mint(given)

    def refuse(self) -> None:
        """Raises `Declined`, if anything is wrong."""
        if self:
            raise Declined(invalid(self))


def _complaint_about(number: int | Inexact) -> str:
    if isinstance(number, int) or number is Inexact.NEGATIVE:
        return "Too small: expected number to be >0"
    return f"Invalid input: {number.value}"


def _decode_field(raw: msgspec.Raw, kind: Any) -> None:
    msgspec.json.decode(raw, type=kind)


def _convert_field(value: object, kind: Any) -> None:
    msgspec.convert(value, kind, strict=False)


def _kind_of_text(value: object) -> str:
    return "array" if isinstance(value, list) else "string"


def _kind_of_raw(raw: msgspec.Raw) -> str:
    return _RECEIVED.get(bytes(memoryview(raw)[:1]).decode("latin-1"), "number")


def _flaws(
    shape: type[msgspec.Struct],
    given: Mapping[str, Any],
    read: Callable[[Any, Any], None],
    kind_of: Callable[[Any], str],
) -> dict[str, str]:
    """What is wrong with each field. Slow: only for a request that is refused anyhow."""
    flaws: dict[str, str] = {}
    for field in msgspec.structs.fields(shape):
        name, kind = field.encode_name, _without_nothing(field.type)
        if name not in given:
            if field.required:
                flaws[name] = _complaint(kind, "undefined")
            continue
        try:
            read(given[name], kind)
        except DECODING_ERRORS as wrong:
            flaws[name] = _complaint(kind, kind_of(given[name]), flaw_of(wrong))
    return flaws


def _without_nothing(kind: Any) -> Any:
    options = get_args(kind)
    return options[0] if msgspec.UnsetType in options or NoneType in options else kind


def _complaint(kind: Any, received: str, flaw: Flaw | None = None) -> str:
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        options = "|".join(f'"{option}"' for option in get_args(kind))
        return f"Invalid option: expected one of {options}"
    if isinstance(flaw, OutOfBounds):
        size = "big" if flaw.relation == "<=" else "small"
        return f"Too {size}: expected number to be {flaw.relation}{flaw.bound}"
    expected = "int" if kind is int and received == "number" else _EXPECTED.get(kind, "string")
    return f"Invalid input: expected {expected}, received {received}"
