"""Recurring v1: the transactions that open and close a recurring order of the chain's program."""

from dataclasses import dataclass
from typing import Final

from countermand.client.checks.acts import (
    Budget,
    Checked,
    Close,
    CloseDca,
    Lamports,
    MakeAssociated,
    Memo,
    OpenDca,
    Sync,
    judged,
    require,
    require_associated,
    require_wrapping,
    unexpected,
)
from countermand.solana.port import Address
from countermand.solana.programs.dca import dca_address
from countermand.solana.tokens import SOL_MINT, associated_token_address

_NEAR_ENOUGH: Final = 1_000_000
"""A bound may be off by one part in so many, and by one base unit: servers round differently."""


@dataclass(frozen=True, slots=True)
class DcaBounds:
    """What a cycle gives at least and at most, in base units; 0: no bound."""

    least: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedDca:
    """`start_at` is in seconds."""

    user: Address
    input_mint: Address
    output_mint: Address
    amount: int
    cycles: int
    interval_s: int
    start_at: int | None
    bounds: DcaBounds = DcaBounds()


def check_dca_open(transaction: str, expected: ExpectedDca, fee_lamports_max: int) -> tuple[Checked, Address]:
    """One recurring order with just these terms. Returns its address, too. Raises `Unsafe`."""
    of, user = judged(transaction, expected.user, fee_lamports_max), expected.user
    opened = of.one(OpenDca)
    assert isinstance(opened, OpenDca)
    wraps = expected.input_mint == SOL_MINT
    for act, words in of.acts:
        match act:
            case Budget() | Memo() | OpenDca():
                pass
            case MakeAssociated():
                require_associated(act, user, (user, opened.account), (expected.input_mint, expected.output_mint))
            case Lamports() | Sync() | Close() if wraps:
                require_wrapping(act, user, expected.amount)
            case _:
                unexpected(words)
    require(sum(isinstance(act, Lamports) for act, _ in of.acts) <= 1, "it wraps SOL more than once")
    _check_terms(opened, expected)
    return of.checked(), opened.account


def _check_terms(opened: OpenDca, expected: ExpectedDca) -> None:
    user = expected.user
    require((opened.user, opened.payer) == (user, user), f"the order is of {opened.user}, paid by {opened.payer}")
    pair, wanted = (opened.input_mint, opened.output_mint), (expected.input_mint, expected.output_mint)
    require(pair == wanted, f"it sells {pair[0]} for {pair[1]}")
    require(opened.amount == expected.amount, f"it takes {opened.amount:,} base units, not {expected.amount:,}")
    each = expected.amount // expected.cycles
    require(opened.per_cycle == each, f"it sells {opened.per_cycle:,} base units a cycle, not {each:,}")
    require(
        opened.interval_s == expected.interval_s,
        f"its cycles are {opened.interval_s:,} s apart, not {expected.interval_s:,}",
    )
    _check_bound("least", opened.least or 0, expected.bounds.least)
    _check_bound("most", opened.most or 0, expected.bounds.most)
    require((opened.start_at or None) == expected.start_at, f"it starts at {opened.start_at}, not {expected.start_at}")
    account = dca_address(user, opened.input_mint, opened.output_mint, opened.idx)[0]
    require(opened.account == account, f"{opened.account} is not the address of the user's order {opened.idx}")
    held = tuple(associated_token_address(account, mint) for mint in pair)
    require(opened.held == held, "its tokens would be held in accounts that are not the order's")
    own = associated_token_address(user, opened.input_mint)
    require(opened.source == own, f"it takes from {opened.source}, which is not the user's account")


def _check_bound(which: str, bound: int, wanted: int) -> None:
    """That there is none where none was asked for, and else is as good as the one."""
    near = abs(bound - wanted) <= wanted // _NEAR_ENOUGH + 1
    asked = f"{wanted:,}" if wanted else "nothing, since no such price was given"
    require(near and bool(bound) == bool(wanted), f"a cycle must give at {which} {bound:,} base units, not {asked}")


def check_dca_close(transaction: str, user: Address, order: Address, fee_lamports_max: int) -> Checked:
    """Closes this order of the user, and all goes back to the user. Raises `Unsafe`."""
    of = judged(transaction, user, fee_lamports_max)
    closed = of.one(CloseDca)
    assert isinstance(closed, CloseDca)
    for act, words in of.acts:
        match act:
            case Budget() | Memo() | CloseDca():
                pass
            case MakeAssociated():
                require_associated(act, user, (user,), (closed.input_mint, closed.output_mint))
            case Close() | Sync():
                require_wrapping(act, user, 0)
            case _:
                unexpected(words)
    require((closed.user, closed.account) == (user, order), f"it closes {closed.account} of {closed.user}")
    own = tuple(associated_token_address(user, mint) for mint in (closed.input_mint, closed.output_mint))
    require(closed.to == own, f"its tokens go to {' and '.join(closed.to)}, not to the user's accounts")
    return of.checked()
