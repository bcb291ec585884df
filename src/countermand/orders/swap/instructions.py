"""The instructions that make a swap."""

from msgspec import Struct
from solders.instruction import Instruction

from countermand.orders.swap.model.swap import SwapTerms
from countermand.solana.programs.accounts import create_associated, unwrap_sol, wrap_sol
from countermand.solana.programs.swap import Bounds, SwapSide, swap
from countermand.solana.tokens import SOL_MINT, associated_token_address
from countermand.values.identity import Address
from countermand.values.quantities import U64_MAX
from countermand.values.tokens import Token


class SwapInstructions(Struct, frozen=True):
    """What stands before the swap, and after it."""

    setup: tuple[Instruction, ...]
    swap: Instruction
    cleanup: Instruction | None

    def all(self) -> tuple[Instruction, ...]:
        return (*self.setup, self.swap, *(() if self.cleanup is None else (self.cleanup,)))


def instructions_of(terms: SwapTerms, *, must_fail: bool) -> SwapInstructions:
    """Accounts are made where they are missing; that for wrapped SOL is closed at the end, with all that is in it.

    `must_fail`: it asks for more than any pool gives.
    """
    user, source, destination = terms.user, terms.source, terms.destination
    wraps = terms.unwraps and source.mint == SOL_MINT
    unwraps = terms.unwraps and destination.mint == SOL_MINT and terms.destination_account is None
    setup = list(wrap_sol(user, terms.input_at_most)) if wraps else []
    if terms.destination_account is None:
        # What its closing returns is the user's, so the user pays for it.
        payer = user if unwraps else terms.payer
        setup.append(create_associated(payer, user, destination.mint, destination.program))
    made = swap(
        user,
        _side(source, user),
        _side(destination, user, terms.destination_account),
        _unreachable(terms) if must_fail else _bounds(terms),
        platform_fee_bps=terms.integrator_fee.bps,
        fee_account=terms.fee_account,
        tracking=terms.tracking,
    )
    return SwapInstructions(tuple(setup), made, unwrap_sol(user) if wraps or unwraps else None)


def _bounds(terms: SwapTerms) -> Bounds:
    return Bounds(terms.amount, terms.quoted, terms.slippage.bps, terms.exact_out)


def _unreachable(terms: SwapTerms) -> Bounds:
    return Bounds(terms.amount, 0 if terms.exact_out else U64_MAX, 0, terms.exact_out)


def _side(token: Token, user: Address, account: Address | None = None) -> SwapSide:
    own = associated_token_address(user, token.mint, token.program)
    return SwapSide(token.mint, token.program, own if account is None else account)
