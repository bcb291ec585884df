"""The transaction that fills an order.

It swaps, gives strangers' dust to the user and closes the account, or it does nothing at all.
"""

from collections.abc import Iterator
from typing import Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from countermand.custody.instructions import create_associated
from countermand.custody.routing import Router, Swap
from countermand.custody.sweeps import sweep_instructions
from countermand.domain.quantities import BaseUnits, Bps
from countermand.domain.trigger.condition import Direction
from countermand.domain.trigger.order import Leg, Role, Terms

SLIPPAGE: Final = Bps(300)
SLIPPAGE_IF_URGENT: Final = Bps(2_000)
"""Stop-loss and buy-above legs: better filled badly than not at all."""


def slippage_of(leg: Leg, terms: Terms) -> Bps:
    """What the user allowed, or the venue's default for this kind of leg."""
    if leg.slippage is not None:
        return leg.slippage
    below = leg.condition.direction is Direction.BELOW
    single = leg.role is Role.TRIGGER
    stops_loss = leg.role is Role.STOP_LOSS or (single and below and terms.trigger_mint == terms.input_mint)
    buys_above = single and not below and terms.trigger_mint == terms.output_mint
    return SLIPPAGE_IF_URGENT if stops_loss or buys_above else SLIPPAGE


def fill_instructions(
    router: Router, swap: Swap, receives: BaseUnits, payer: Pubkey, dust: int, *, closes: bool
) -> Iterator[Instruction]:
    """SOL is paid as lamports, other tokens to an account. An account that stays open keeps its dust for the sweep."""
    output = swap.output
    if not output.native:
        yield create_associated(payer, output.own, output.user, output.mint, output.program)
    yield from router.settlement(swap, receives)
    if closes:
        yield from sweep_instructions(swap.input, payer, swap.source, dust)
