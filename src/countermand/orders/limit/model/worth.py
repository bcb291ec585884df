"""What an order is worth, and the least that is taken."""

from typing import Final

from countermand.values.quantities import USD_SCALE, BaseUnits, UsdPrice, decimal_text

USD_MIN: Final = 5
"""Dollars that an order's input must be worth."""


def too_little(making: BaseUnits, decimals: int, price: UsdPrice) -> str | None:
    """The worth in dollars, exactly, if it is below the minimum."""
    scale = decimals + USD_SCALE
    worth = making.units * price.picodollars
    return decimal_text(worth, scale) if worth < USD_MIN * 10**scale else None
