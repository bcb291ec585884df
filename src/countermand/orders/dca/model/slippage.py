"""How little a round may give: what it swaps is worth at the prices of now, less a buffer."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Final

from countermand.values.quantities import BPS_ONE, BaseUnits, Bps, UsdPrice

SLIPPAGE: Final = Bps(300)


@dataclass(frozen=True, slots=True)
class Market:
    """What the two tokens of a pair are worth now, and how many decimals each has."""

    input_price: UsdPrice
    input_decimals: int
    output_price: UsdPrice
    output_decimals: int


def least_of(amount: BaseUnits, market: Market) -> int:
    """In units of the output token, before the fee. What does not divide is rounded for the maker.

    No swap pays the fraction of a unit: a worth that keeps the bound keeps it in whole units, too.
    """
    worth = Fraction(
        amount.units * market.input_price.picodollars * 10**market.output_decimals,
        market.output_price.picodollars * 10**market.input_decimals,
    )
    return min(ceil(worth * Fraction(BPS_ONE - SLIPPAGE.bps, BPS_ONE)), floor(worth))


def cents_of(amount: BaseUnits, price: UsdPrice, decimals: int) -> int:
    """What it is worth, in whole cents of a US dollar."""
    picodollars_in_a_cent = 10**10
    worth: int = amount.units * price.picodollars // (10**decimals * picodollars_in_a_cent)
    return worth
