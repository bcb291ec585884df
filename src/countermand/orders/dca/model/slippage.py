"""How little a round may give: what it swaps is worth at the prices of now, less a buffer."""

from fractions import Fraction
from typing import Final

from countermand.orders.vaults.model.market import PairPrices, least_units
from countermand.values.quantities import BPS_ONE, BaseUnits, Bps, UsdPrice

SLIPPAGE: Final = Bps(300)


def least_of(amount: BaseUnits, market: PairPrices) -> int:
    """In units of the output token, before the fee."""
    worth = market.worth(amount)
    return least_units(worth * Fraction(BPS_ONE - SLIPPAGE.bps, BPS_ONE), worth)


def cents_of(amount: BaseUnits, price: UsdPrice, decimals: int) -> int:
    """What it is worth, in whole cents of a US dollar."""
    picodollars_in_a_cent = 10**10
    worth: int = amount.units * price.picodollars // (10**decimals * picodollars_in_a_cent)
    return worth
