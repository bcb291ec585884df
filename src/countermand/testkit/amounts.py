"""Numbers as a test writes them: whole numbers, decimals, or texts of one; never a float, which is none of these."""

from decimal import Decimal, InvalidOperation, localcontext
from typing import Final

Number = int | str | Decimal
_DIGITS_MAX: Final = 200


def decimal(name: str, value: Number) -> Decimal:
    """Raises `TypeError` for a float, `ValueError` for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise no_float(name, value)
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > _DIGITS_MAX:
        raise ValueError(f"{name}={value!r} is no number")
    return number


def no_float(name: str, value: object) -> TypeError:
    return TypeError(
        f"{name}={value!r} is a {type(value).__name__}; give an int, a text or a Decimal: a float is not exact"
    )


def base_units(name: str, value: Number, decimals: int) -> int:
    """Of so many whole tokens. Raises `ValueError` for a part of a base unit, or less than nothing."""
    number = decimal(name, value)
    with localcontext() as context:
        context.prec = 2 * _DIGITS_MAX
        units = number.scaleb(decimals)
        if units != units.to_integral_value() or units < 0:
            raise ValueError(f"{name}={value!r} is no whole number of base units; the token has {decimals} decimals")
        return int(units)


def whole_tokens(units: int, decimals: int) -> Decimal:
    """Of so many base units."""
    with localcontext() as context:
        context.prec = 2 * _DIGITS_MAX
        return Decimal(units).scaleb(-decimals)


def text(name: str, value: Number) -> str:
    """Without an exponent."""
    return format(decimal(name, value), "f")
