"""Numbers in the sandbox's requests: each by one door, exact, and refused by the name of its field."""

from typing import Final

import msgspec

from countermand.inspection.queries import shown
from countermand.json_numbers import usd_of
from countermand.sandbox.reading import SandboxRefused
from countermand.values.quantities import Inexact, UsdPrice, decimal_text, exact

_TEXT: Final = msgspec.json.Decoder(str)


def number_in(field: str, raw: msgspec.Raw, *, scale: int, bound: int) -> int:
    """A decimal number, as text or as a JSON number."""
    text = bytes(raw).decode().strip()
    if text[:1] == '"':
        text = _TEXT.decode(raw)
    return _read(field, text, exact(text, scale=scale, bound=bound))


def _read(field: str, text: str, number: int | Inexact) -> int:
    if isinstance(number, Inexact):
        raise SandboxRefused(f"{field}: {shown(text)!r} {number.value}")
    return number


def price_in(field: str, raw: msgspec.Raw) -> UsdPrice:
    number = _read(field, *usd_of(raw))
    if not number:
        raise SandboxRefused(f"{field}: a price must be more than nothing")
    return UsdPrice(number)


def within(field: str, number: int, least: int, most: int, *, scale: int = 0) -> int:
    """`scale`: how many of its digits are decimals, as for `number_in`."""
    if not least <= number <= most:
        got, low, high = (decimal_text(each, scale) for each in (number, least, most))
        raise SandboxRefused(f"{field}: {got} is not between {low} and {high}")
    return number
