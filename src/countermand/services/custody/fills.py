"""The transaction that fills an order.

It swaps, gives strangers' dust to the user and closes the account, or it does nothing at all.
"""

from collections.abc import Iterator

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from countermand.services.custody.instructions import create_associated
from countermand.services.custody.routing import Router, Swap
from countermand.services.custody.sweeps import sweep_instructions
from countermand.values.quantities import BaseUnits


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
