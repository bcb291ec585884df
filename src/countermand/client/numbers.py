"""Numbers, exactly. A float is refused wherever a number is given: it says what it does not mean."""

from datetime import UTC, datetime
from decimal import Context, Decimal, InvalidOperation, localcontext
from typing import Any, Final, TypeAlias

import msgspec

Number: TypeAlias = Decimal | int | str
"""A price or a decimal: as a Decimal, a whole number, or the text of a number."""
Time: TypeAlias = int | datetime
"""Milliseconds since the epoch, or a datetime with a zone."""

_U64_MAX: Final = 2**64 - 1
_MS_MIN: Final = 10**11
"""In the year 1973. In seconds it is the year 5138."""
_DIGITS_MAX: Final = 40
_EXACT: Final = Context(prec=10 * _DIGITS_MAX)

encode: Final = msgspec.json.Encoder(decimal_format="number").encode
"""Decimals become JSON numbers, digit for digit."""


def decimal(name: str, given: Number) -> Decimal:
    """Raises TypeError for a float, ValueError for what is no finite number above 0."""
    if isinstance(given, bool) or not isinstance(given, Decimal | int | str):
        raise TypeError(f"{name}: give a Decimal, an int or a text, not {given!r}")
    try:
        number = Decimal(given)
    except InvalidOperation:
        raise ValueError(f"{name}: {given!r} is no number") from None
    if not number.is_finite() or number <= 0 or len(number.as_tuple().digits) > _DIGITS_MAX:
        raise ValueError(f"{name}: {given!r} is no finite number above 0")
    return number


def units(name: str, given: int) -> int:
    """An amount in base units. Raises TypeError for what is no int, ValueError for what is no u64 above 0."""
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{name}: give whole base units as an int, not {given!r}; `base_units` converts tokens")
    if not 0 < given <= _U64_MAX:
        raise ValueError(f"{name}: {given} is not between 1 and 2⁶⁴ − 1 base units")
    return given


def whole(name: str, given: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{name}: give a whole number as an int, not {given!r}")
    return given


def base_units(tokens: Number, decimals: int) -> int:
    """So many whole tokens in base units: `base_units("1.5", 9)` is 1500000000. Raises ValueError for a rest."""
    given = decimal("tokens", tokens)
    with localcontext(_EXACT):  # That of the program may have fewer digits, and would round.
        number = given.scaleb(decimals)
        if number != number.to_integral_value():
            raise ValueError(f"{tokens} tokens are no whole number of base units with {decimals} decimals")
        return int(number)


def milliseconds(name: str, given: Time) -> int:
    """Raises ValueError for a time in seconds, or without a zone."""
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise ValueError(f"{name}: {given} has no zone")
        since = given.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000
    whole(name, given)
    if given < _MS_MIN:
        raise ValueError(f"{name}: {given} is in 1973 or before; give milliseconds since the epoch, not seconds")
    return given


def without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
