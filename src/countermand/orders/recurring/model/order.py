"""What a recurring order is: before it exists, and as the chain holds it."""

from collections.abc import Sequence
from typing import Final

from countermand.orders.chain.model.order import Trade
from countermand.values.identity import Address, Mint, Signature, Wallet
from countermand.values.quantities import BaseUnits
from countermand.values.structs import Struct

OPENS: Final = "recurring.create"
CLOSES: Final = "recurring.cancel"
"""What the transactions of recurring orders are for."""
PRICE_SCALE: Final = 30


class CyclePrice(Struct, frozen=True, order=True):
    """What one whole token of the output costs in whole tokens of the input, times 10³⁰."""

    scaled: int


class RecurringTerms(Struct, frozen=True, kw_only=True):
    """What is asked for. `starts_at_s` is in seconds since the Unix epoch; None: at once.

    A cycle waits while one token of the output costs less than `price_min` or more than `price_max`, with the fee.
    """

    wallet: Wallet
    input_mint: Mint
    output_mint: Mint
    amount: BaseUnits
    cycles: int
    interval_s: int
    starts_at_s: int | None = None
    price_min: CyclePrice | None = None
    price_max: CyclePrice | None = None

    @property
    def per_cycle(self) -> BaseUnits:
        """What does not divide evenly is a last, smaller cycle."""
        return BaseUnits(self.amount.units // self.cycles)


class RecurringOrder(Struct, frozen=True, kw_only=True):
    """An order on the chain, open or over, with its newest trades, the newest first. Times are Unix seconds.

    `out_min` and `out_max` bound what a cycle may give; 0: no bound.
    """

    order: Address
    wallet: Wallet
    input_mint: Mint
    output_mint: Mint
    input_decimals: int
    output_decimals: int
    deposited: BaseUnits
    withdrawn: BaseUnits
    used: BaseUnits
    received: BaseUnits
    paid_out: BaseUnits
    per_cycle: BaseUnits
    out_min: BaseUnits
    out_max: BaseUnits
    interval_s: int
    created_at_s: int
    updated_at_s: int
    opened_by: Signature | None
    """None: the chain does not remember."""
    closed_by: Signature | None = None
    """None: it is open."""
    user_closed: bool = False
    trades: Sequence[Trade] = ()


class OrderPage(Struct, frozen=True):
    """Some of the orders that match, and how many pages and orders there are."""

    orders: tuple[RecurringOrder, ...]
    total_pages: int
    total: int
