"""The quantities of the domain, and the one door by which a number from outside becomes one of them.

Everything is a whole number of something: base units of a token, 10⁻¹² US dollars, basis points. Each kind has only the
arithmetic that makes sense, so that a type checker refuses a price where an amount belongs.
"""

import re
from enum import Enum
from typing import Final

from countermand.values.structs import Struct

U64_MAX: Final = 2**64 - 1
USD_SCALE: Final = 12
"""A US dollar price is a whole multiple of 10⁻¹² dollars."""
USD_PRICE_MAX: Final = 10 ** (12 + USD_SCALE)
"""10¹² dollars."""
BPS_ONE: Final = 10_000


class BaseUnits(Struct, frozen=True, order=True):
    """An amount of a token in its smallest unit, 0 to 2⁶⁴ − 1 (lamports for SOL)."""

    units: int

    def __post_init__(self) -> None:
        assert 0 <= self.units <= U64_MAX, f"{self.units} base units do not fit in 64 bits"

    def __add__(self, other: "BaseUnits") -> "BaseUnits":
        return BaseUnits(self.units + other.units)

    def __sub__(self, other: "BaseUnits") -> "BaseUnits":
        return BaseUnits(self.units - other.units)

    def __bool__(self) -> bool:
        return self.units != 0


NOTHING: Final = BaseUnits(0)


class TotalUnits(Struct, frozen=True, order=True):
    """All of a token that ever came somewhere: what was spent comes back, so it may be more than 64 bits hold."""

    units: int

    def __post_init__(self) -> None:
        assert self.units >= 0, f"{self.units} base units cannot have come"

    def __add__(self, other: BaseUnits) -> "TotalUnits":
        return TotalUnits(self.units + other.units)

    def __bool__(self) -> bool:
        return self.units != 0


NONE_CAME: Final = TotalUnits(0)


class UsdPrice(Struct, frozen=True, order=True):
    """US dollars for one whole token, in 10⁻¹² dollars."""

    picodollars: int

    def __post_init__(self) -> None:
        assert 0 < self.picodollars <= USD_PRICE_MAX, f"{self.picodollars} is no price in 10⁻¹² dollars"


class Bps(Struct, frozen=True, order=True):
    """Hundredths of a percent."""

    bps: int


class Inexact(Enum):
    """Why a number from outside has no exact meaning here."""

    NOT_A_NUMBER = "must be a finite decimal number"
    TOO_LONG = "has too many digits"
    NEGATIVE = "must not be negative"
    TOO_PRECISE = "has more decimal places than can be represented exactly"
    TOO_BIG = "is too big"


_NUMBER: Final = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?", re.ASCII)
_TEXT_MAX: Final = 80


def exact(text: str, *, scale: int, bound: int) -> int | Inexact:
    """The number that `text` says, times 10^`scale`, if that is a whole number from 0 to `bound`.

    `text` is a number as JSON writes it. Length and exponent are judged before any arithmetic, so a hostile exponent
    costs nothing.
    """
    read = _digits(text, scale)
    if isinstance(read, Inexact):
        return read
    digits, shift = read
    return Inexact.TOO_PRECISE if shift < 0 else _whole(digits, shift, bound)


def nearest(text: str, *, scale: int, bound: int) -> int | Inexact:
    """The same for what programs compute with floating point: the nearest whole number, of two the even one.

    `200 * 1.1` is 220.00000000000003 in JavaScript and Python. What comes to nothing is too precise.
    """
    read = _digits(text, scale)
    if isinstance(read, Inexact):
        return read
    digits, shift = read
    if shift >= 0:
        return _whole(digits, shift, bound)
    if len(digits) < -shift:
        return Inexact.TOO_PRECISE
    unit = 10**-shift
    number, left = divmod(int(digits), unit)
    number += 2 * left > unit or (2 * left == unit and number % 2)
    return _whole(str(number), 0, bound) if number else Inexact.TOO_PRECISE


def _digits(text: str, scale: int) -> tuple[str, int] | Inexact:
    """The digits of the number times 10^`scale`, and how many zeros follow them; fewer than none are decimals."""
    if len(text) > _TEXT_MAX:
        return Inexact.TOO_LONG
    match = _NUMBER.fullmatch(text)
    if match is None:
        return Inexact.NOT_A_NUMBER
    sign, whole, fraction, exponent = match.groups()
    digits = (whole + (fraction or "")).lstrip("0")
    if not digits:
        return "0", 0
    if sign:
        return Inexact.NEGATIVE
    kept = digits.rstrip("0")
    return kept, int(exponent or 0) - len(fraction or "") + scale + len(digits) - len(kept)


def _whole(digits: str, zeros: int, bound: int) -> int | Inexact:
    if len(digits) + zeros > len(str(bound)):
        return Inexact.TOO_BIG
    number = int(digits) * 10**zeros
    return number if number <= bound else Inexact.TOO_BIG


def moved(number: int, bps: int) -> int:
    """`number` and so many basis points of it more, or fewer if `bps` is negative. What is less than one is no move.

    So no move is greater than was asked for, and moves up and down are of one size.
    """
    step = number * abs(bps) // BPS_ONE
    return number + step if bps > 0 else number - step


def decimal_text(number: int, scale: int) -> str:
    """`number` × 10^−`scale` in plain decimal notation without trailing zeros: the inverse of `exact`."""
    digits = f"{number:0{scale + 1}d}"
    whole, fraction = digits[: len(digits) - scale], digits[len(digits) - scale :].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def dollars(price: UsdPrice) -> str:
    return decimal_text(price.picodollars, USD_SCALE)
