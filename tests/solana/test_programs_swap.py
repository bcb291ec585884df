"""Swaps as we build and read them, held against bytes that the program's tests write out by hand."""

import pytest

from countermand.solana.programs import swap
from countermand.solana.programs.swap import ANYTHING, Bounds, PoolMarket, SwapSide
from tests.programs.pool import AUTHORITY, EVENTS, Swap, market_data, market_key, program_of
from tests.programs.world import ALICE, JUP, PARTNER, SPARKLE, USDC, WSOL, reads

FEE = PARTNER


def built(by_hand: Swap, **more: str) -> object:
    def side(mint: object, account: object) -> SwapSide:
        return SwapSide(str(mint), str(program_of(mint)), str(account))  # type: ignore[arg-type]

    bounds = Bounds(by_hand.amount, by_hand.quoted, by_hand.slippage_bps, by_hand.exact_out)
    return swap.swap(
        str(by_hand.user),
        side(by_hand.source, by_hand.user_source),
        side(by_hand.destination, by_hand.user_destination),
        bounds,
        platform_fee_bps=by_hand.fee_bps,
        fee_account=None if by_hand.fee_account is None else str(by_hand.fee_account),
        **more,
    )


@pytest.mark.parametrize(
    "by_hand",
    [
        Swap(),
        Swap(source=WSOL, amount=2**64 - 1, quoted=7, slippage_bps=10_000),
        Swap(exact_out=True, quoted=2**64 - 1, fee_bps=255, fee_account=FEE),
        Swap(destination=SPARKLE),
    ],
)
def test_an_instruction(by_hand: Swap) -> None:
    assert built(by_hand) == by_hand.instruction()


def test_a_tracking_account_stands_at_the_end() -> None:
    made = built(Swap(), tracking=str(ALICE))
    expected = Swap().instruction()
    assert list(made.accounts) == [*expected.accounts, reads(ALICE)]  # type: ignore[attr-defined]


def test_derived_addresses() -> None:
    assert str(AUTHORITY) == swap.AUTHORITY
    assert str(EVENTS) == swap.EVENT_AUTHORITY
    assert swap.market_address(str(USDC)) == str(market_key(USDC))
    assert swap.pool_account_of(str(JUP)) == str(Swap().pool_destination)


def test_a_market() -> None:
    for market, data in (
        (PoolMarket(str(JUP), 5 * 10**11), market_data(JUP, 5 * 10**11)),
        (PoolMarket(str(USDC), 2**128 - 1, 7, 25, stable=True), market_data(USDC, 2**128 - 1, 7, 25, stable=True)),
    ):
        assert swap.market_bytes(market) == data
        assert swap.read_market(data) == market
        account = swap.market_account(market)
        assert (account.owner, account.data, account.lamports) == (swap.PROGRAM, data, 1_357_200)
    assert PoolMarket(str(JUP), 1).max_input == ANYTHING
    for other in (b"", data[:-1], data + b"\0", bytes(8) + data[8:]):
        assert swap.read_market(other) is None
