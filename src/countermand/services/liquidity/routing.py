"""What custody and the families need of a router, which makes swaps: the sandbox's pool, or one day a real one."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from countermand.services.custody.accounts import OrderAccounts
from countermand.values.identity import Address
from countermand.values.quantities import BPS_ONE, BaseUnits, Bps, UsdPrice
from countermand.values.tokens import Token
from countermand.values.transactions import SwapRefused


class RoutedSwap(Struct, frozen=True):
    """What is to be swapped: an amount of the order's account `source`, which the vault owns.

    `to`: the token account that gets the other token. None: the user's own, or its wallet, if that is SOL.
    """

    input: OrderAccounts
    output: OrderAccounts
    source: Pubkey
    amount: BaseUnits
    to: Pubkey | None = None


class Quote(Struct, frozen=True):
    """What a swap would take of the amount, and give in units of the output token. A minimum is judged before the fee.

    It is an expectation: what the swap gives is known when it has landed.
    """

    takes: BaseUnits
    before_fee: int
    receives: BaseUnits


class Router(Protocol):
    @property
    def authority(self) -> Address:
        """The key that signs a settlement beside the vault."""

    async def quote(self, swap: RoutedSwap) -> Quote | SwapRefused:
        """For all of the amount, or as much of it as can be swapped at once."""

    def settlement(self, swap: RoutedSwap, quote: Quote, minimum: BaseUnits) -> tuple[Instruction, ...]:
        """Instructions that take the whole amount and give at least `minimum`, or do nothing at all."""

    def settled_by(self, found: Sequence[Instruction], swap: RoutedSwap, minimum: BaseUnits) -> int:
        """So many of the first instructions settle the swap, for at least `minimum`. 0: they do not.

        The instructions are as read from a message: no flag of their accounts is set.
        """

    def takes_failure(self) -> bool:
        """Whether the swap made now must fail on chain, as only a sandbox ever says. Each yes uses one failure up."""


def worth_in(amount: BaseUnits, token: Token, price: UsdPrice, other: Token, other_price: UsdPrice, less: Bps) -> int:
    """Units of `other` for an amount of `token` at these prices, less so many basis points; rounded down once."""
    dollars = amount.units * price.picodollars * (BPS_ONE - less.bps) * 10**other.decimals
    units: int = dollars // (other_price.picodollars * BPS_ONE * 10**token.decimals)
    return units


def needed_for(units: int, token: Token, price: UsdPrice, other: Token, other_price: UsdPrice, less: Bps) -> int | None:
    """The least amount of `token` that is worth so many units of `other`, as `worth_in` counts; None if none is."""
    unit_worth = price.picodollars * (BPS_ONE - less.bps) * 10**other.decimals
    if not unit_worth:
        return None
    needed: int = -(-units * other_price.picodollars * BPS_ONE * 10**token.decimals // unit_worth)
    return needed
