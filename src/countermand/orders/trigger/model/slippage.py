"""How little a fill may give: slippage is a buffer beyond the trigger.

A sell's price may be that much below the trigger, a buy's that much above it, and neither may be worse than the same
buffer around the price of now. Whole numbers only: what does not divide is rounded for the maker.
"""

from fractions import Fraction
from typing import Final

from countermand.orders.trigger.model.order import Leg, OrderGroup, Purpose, TriggerTerms, purpose
from countermand.orders.vaults.model.market import PairPrices, least_units
from countermand.values.quantities import BPS_ONE, BaseUnits, Bps, UsdPrice
from countermand.values.structs import Struct

SLIPPAGE: Final = Bps(300)
SLIPPAGE_IF_URGENT: Final = Bps(2_000)
"""Stop-loss and buy-above legs: better filled badly than not at all."""


class Minimum(Struct, frozen=True):
    """The least that a fill may give, in units of the output token before the fee, and which price bounds it."""

    units: int
    slippage: Bps
    price: UsdPrice
    is_trigger: bool
    """The price is the trigger's; else that of now."""


def slippage_of(leg: Leg, terms: TriggerTerms) -> Bps:
    """What the user allowed, or the venue's default for this kind of leg."""
    if leg.slippage is not None:
        return leg.slippage
    urgent = purpose(terms, leg) in (Purpose.STOP_LOSS, Purpose.BUY_ABOVE)
    return SLIPPAGE_IF_URGENT if urgent else SLIPPAGE


def minimum_of(group: OrderGroup, amount: BaseUnits, market: PairPrices) -> Minimum:
    """For a swap of `amount` by the leg that has triggered.

    A trigger price of a third token says nothing about the pair: then only the prices of now count.
    """
    leg, terms, sale = group.triggered_by(), group.terms, group.sale()
    slippage, trigger = slippage_of(leg, terms), leg.condition.price
    now = market.worth(amount)
    if terms.trigger_mint == sale.bought:
        price = min(trigger, market.output_price)
        bounding = market.worth(amount, output_price=price)
        units = least_units(bounding * Fraction(BPS_ONE, BPS_ONE + slippage.bps), bounding, now)
        return Minimum(units, slippage, price, is_trigger=trigger <= market.output_price)
    sells_trigger = terms.trigger_mint == sale.sold
    price = max(trigger, market.input_price) if sells_trigger else market.input_price
    bounding = market.worth(amount, input_price=price)
    units = least_units(bounding * Fraction(BPS_ONE - slippage.bps, BPS_ONE), bounding, now)
    return Minimum(units, slippage, price, is_trigger=sells_trigger and trigger >= market.input_price)
