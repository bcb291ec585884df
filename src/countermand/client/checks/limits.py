"""Trigger v1 and limit/v2: the transactions that open and cancel orders of the chain's program."""

from collections.abc import Sequence
from dataclasses import dataclass

from countermand.client.checks.acts import (
    Budget,
    CancelLimit,
    Checked,
    Close,
    Lamports,
    MakeAssociated,
    Memo,
    OpenLimit,
    Sync,
    judged,
    require,
    require_associated,
    require_wrapping,
    unexpected,
)
from countermand.solana.port import Address
from countermand.solana.programs.limit_order import order_address, reserve_of
from countermand.solana.tokens import SOL_MINT, associated_token_address


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedLimit:
    """`order`: the address that the answer names. `expired_at` is in seconds."""

    maker: Address
    order: Address | None
    input_mint: Address
    output_mint: Address
    making: int
    taking: int
    expired_at: int | None
    fee_bps: int | None
    fee_account: Address | None
    slippage_bps: int | None


def check_limit_create(transaction: str, expected: ExpectedLimit, fee_lamports_max: int) -> Checked:
    """One order with just these terms, paid from the maker's own account. Raises `Unsafe`."""
    of, maker = judged(transaction, expected.maker, fee_lamports_max), expected.maker
    opened = of.one(OpenLimit)
    assert isinstance(opened, OpenLimit)
    wrapped, wraps = 0, expected.input_mint == SOL_MINT
    for act, words in of.acts:
        match act:
            case Budget() | Memo() | OpenLimit():
                pass
            case MakeAssociated():
                require_associated(act, maker, (maker,), (expected.input_mint, expected.output_mint))
            case Lamports() | Sync() | Close() if wraps:
                wrapped += require_wrapping(act, maker, expected.making)
            case _:
                unexpected(words)
    require(wrapped <= expected.making, f"{wrapped:,} lamports are wrapped, not {expected.making:,}")
    _check_terms(opened, expected)
    return of.checked()


def _check_terms(opened: OpenLimit, expected: ExpectedLimit) -> None:
    maker = expected.maker
    require((opened.payer, opened.maker) == (maker, maker), f"the order is of {opened.maker}, paid by {opened.payer}")
    pair, wanted = (opened.input_mint, opened.output_mint), (expected.input_mint, expected.output_mint)
    require(pair == wanted, f"it sells {pair[0]} for {pair[1]}")
    require(opened.making == expected.making, f"it sells {opened.making:,} base units, not {expected.making:,}")
    require(opened.taking == expected.taking, f"it asks for {opened.taking:,} base units, not {expected.taking:,}")
    require(opened.expired_at == expected.expired_at, f"it expires at {opened.expired_at}, not {expected.expired_at}")
    require(
        (opened.fee_bps or 0) == (expected.fee_bps or 0), f"the integrator would take {opened.fee_bps} basis points"
    )
    require(opened.referral == expected.fee_account, f"the integrator's fee would go to {opened.referral}")
    # Older transactions do not carry it: then fills give the full rate.
    slippage = opened.slippage_bps or 0
    require(slippage <= (expected.slippage_bps or 0), f"a fill may give {slippage} basis points less")
    address = order_address(maker, opened.unique_id)[0]
    require(opened.order == address, f"{opened.order} is not the address of the maker's order {opened.unique_id}")
    require(expected.order in (None, address), f"it opens {address}, not {expected.order}")
    reserve = reserve_of(address, opened.input_mint, opened.input_program)
    require(opened.reserve == reserve, f"the input would wait in {opened.reserve}, which is not the order's")
    own = associated_token_address(maker, opened.input_mint, opened.input_program)
    require(opened.source == own, f"it takes from {opened.source}, which is not the maker's account")


def check_limit_cancels(
    transactions: Sequence[str], maker: Address, orders: Sequence[Address] | None, fee_lamports_max: int
) -> list[tuple[Checked, tuple[Address, ...]]]:
    """Cancels of these orders of the maker, or of any (None), whose input goes to the maker. Raises `Unsafe`.

    Each comes with the orders that it cancels. None is cancelled by two: each costs a fee, also when it fails.
    """
    checked = [_check_cancel(each, maker, orders, fee_lamports_max) for each in transactions]
    cancelled = [order for _, of in checked for order in of]
    twice = next((order for order in cancelled if cancelled.count(order) > 1), None)
    require(twice is None, f"{twice} is cancelled twice")
    return checked


def _check_cancel(
    transaction: str, maker: Address, orders: Sequence[Address] | None, fee_lamports_max: int
) -> tuple[Checked, tuple[Address, ...]]:
    of = judged(transaction, maker, fee_lamports_max)
    mints = [act.input_mint for act, _ in of.acts if isinstance(act, CancelLimit)]
    cancelled: list[Address] = []
    for act, words in of.acts:
        match act:
            case Budget() | Memo():
                pass
            case MakeAssociated():
                require_associated(act, maker, (maker,), mints)
            case CancelLimit():
                require((act.signer, act.maker) == (maker, maker), f"it cancels an order of {act.maker}")
                require(orders is None or act.order in orders, f"it cancels {act.order}, which was not asked for")
                own = associated_token_address(maker, act.input_mint, act.input_program)
                require(act.to in (None, own), f"the input of {act.order} goes to {act.to}, not to the maker")
                cancelled.append(act.order)
            case _:
                unexpected(words)
    require(bool(cancelled), "it cancels nothing")
    return of.checked(), tuple(cancelled)
