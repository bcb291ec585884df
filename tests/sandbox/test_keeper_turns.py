"""The keeper lets others have their turn, whatever has become due at once. Nothing here reaches a chain."""

import asyncio
from typing import Any, cast

import pytest
from solders.keypair import Keypair

from countermand.sandbox.keeper import ORDERS_PER_SLICE, Keeper, Pause
from countermand.sandbox.keeper_orders import IN_HAND
from countermand.sandbox.keeper_tasks import Order, Task, Wait
from countermand.services.custody.vaults import Key
from countermand.solana.tokens import SOL_MINT, USDC_MINT
from countermand.values.identity import Address, Mint
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice
from tests.orders.recurring.stage import USER, an_order
from tests.sandbox.test_keeper_orders import NOW_S, Bazaar, limit, priced

MANY = 1_000
SOL = Mint(SOL_MINT)


class Counting:
    """Judges as the market does, and counts how many orders were judged in each turn of the loop."""

    def __init__(self, market: Bazaar) -> None:
        self._market = market
        self.in_this_turn, self.most = 0, 0
        self.reaches = market.judge.reaches

    def judge(self, address: Address, order: Order) -> Task | Wait:
        self.in_this_turn += 1
        return self._market.judge.judge(address, order)

    async def watch(self) -> None:
        while True:
            self.most, self.in_this_turn = max(self.most, self.in_this_turn), 0
            await asyncio.sleep(0)


def keeper_of(market: Bazaar, judge: object) -> Keeper:
    absent, pair = cast(Any, None), Keypair()
    key = Key(pair, pair.pubkey(), Address(str(pair.pubkey())))
    return Keeper(
        absent, absent, absent, market.pool, cast(Any, judge), (key, key), lambda: Instant(market.now_ms), absent
    )


async def queued(keeper: Keeper, orders: int) -> None:
    assert len(keeper.waits_for()) == orders
    assert keeper.is_idle() is False


async def test_a_price_that_reaches_many_is_judged_in_slices() -> None:
    market = priced(150 * 10**12, 10**12)
    judge = Counting(market)
    keeper = keeper_of(market, judge)
    watching = asyncio.create_task(judge.watch())
    for number in range(MANY):
        order = limit(10**9, 151_000_000 + number)
        keeper._orders.keep(Address(str(number)), order, IN_HAND)
    await keeper._judge_all(map(str, range(MANY)))  # type: ignore[arg-type]
    assert not keeper.waits_for()
    market.costs(SOL_MINT, 160 * 10**12)
    await keeper.observe_prices({SOL: UsdPrice(160 * 10**12)}, at_once=True)
    await queued(keeper, MANY)
    watching.cancel()
    assert 0 < judge.most <= ORDERS_PER_SLICE


async def test_a_clock_that_makes_many_due_is_followed_in_slices() -> None:
    market = priced(150 * 10**12, 10**12)
    judge = Counting(market)
    keeper = keeper_of(market, judge)
    for number in range(MANY):
        order = limit(10**9, 151_000_000, expired_at=NOW_S + number)
        keeper._orders.keep(Address(str(number)), order, IN_HAND)
    watching = asyncio.create_task(judge.watch())
    await keeper._judge_all(map(str, range(MANY)))  # type: ignore[arg-type]
    market.now_ms += MANY * 1000
    await keeper.run_due()
    await queued(keeper, MANY)
    watching.cancel()
    assert 0 < judge.most <= ORDERS_PER_SLICE


async def test_a_clock_that_is_moved_by_hand_has_no_jitter() -> None:
    """A cycle that waits for its jitter is due when its owner moves the clock to its very time."""
    market = priced(150 * 10**12, 10**12)
    market.jitter_s = 17
    keeper = keeper_of(market, market.judge)
    order = an_order(USER, input_mint=USDC_MINT, output_mint=SOL_MINT, next_cycle_at=NOW_S + 60, in_used=52_000_000)
    keeper._orders.keep(Address("a"), order, IN_HAND)
    await keeper._judge_all([Address("a")])
    market.now_ms += 60_000
    await keeper._queue_due()
    assert not keeper.waits_for()
    market.jitter_s = 0
    await keeper.run_due()
    assert keeper.waits_for() == ["a"]


async def test_a_pause_ends_by_the_venues_clock_or_by_a_price_that_is_set() -> None:
    market = priced(150 * 10**12, 10**12)
    for by_price in (True, False):
        keeper = keeper_of(market, market.judge)
        keeper._orders.keep(Address("a"), limit(10**9, 100_000_000), IN_HAND)
        keeper._pauses[Address("a")] = Pause(1, Instant(market.now_ms + 2_000), "fill", "no")
        await keeper._judge_all([Address("a")])
        await keeper.observe_prices({SOL: UsdPrice(150 * 10**12)}, at_once=False)
        assert (keeper.waits_for(), keeper.pause_of(Address("a"))) == ([], keeper._pauses[Address("a")])
        if by_price:
            await keeper.observe_prices({SOL: UsdPrice(150 * 10**12)}, at_once=True)
        else:
            market.now_ms += 2_000
            await keeper._queue_due()
        assert (keeper.waits_for(), keeper.pause_of(Address("a"))) == (["a"], None)


async def test_refunds_that_a_fault_held_are_made_when_it_ends() -> None:
    market = priced(150 * 10**12, 10**12)
    market.holds = True
    keeper = keeper_of(market, market.judge)
    keeper._orders.keep(Address("a"), limit(10**9, 151_000_000, expired_at=NOW_S - 1), IN_HAND)
    await keeper._judge_all([Address("a")])
    await keeper._queue_due()
    assert not keeper.waits_for()
    market.holds = False
    await keeper.release_refunds()
    assert keeper.waits_for() == ["a"]


@pytest.mark.parametrize("turns", range(4))
async def test_it_ends_also_where_something_lands_in_the_same_turn(turns: int) -> None:
    """A stop waited for a keeper that had forgotten that it was cancelled, as long as it had work."""
    market = priced(150 * 10**12, 10**12)
    keeper = keeper_of(market, market.judge)
    resting = asyncio.create_task(keeper._rest())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    keeper._wake.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    ended = resting.done()
    resting.cancel()
    await asyncio.wait([resting])
    assert ended or resting.cancelled()
