"""The shard of the order books: what it answers, and when; which orders it evicts, and how it reads them again."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from countermand.kernel import journal
from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.kernel.ports import CommitUnknown, Unavailable, WriterReplaced
from countermand.orders.book.model.exchange import Exchange
from countermand.orders.book.model.ledger.amount import AMOUNT_MAX, AMOUNT_SCALE, Account, Amount, Currency
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.model.order import BUY, SELL, BookOrder, CancelReason, Kind, Nonce, OrderId, OrderStatus
from countermand.orders.book.model.quantities import Lots, Ticks
from countermand.orders.book.model.refusals import BookRefusal, BookRefused
from countermand.orders.book.ports import OrdersQuery, Period, TradesQuery
from countermand.orders.shards import BOOK_SHARD
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand_simulator.fenced import (
    AFTER_COMMIT,
    AFTER_EPOCH,
    BEFORE_COMMIT,
    BEFORE_EPOCH,
    BEFORE_READ,
    HeldInside,
)
from tests.orders.book.house import ALICE, BOB, BTCUSDC, book_house
from tests.orders.book.place import START, UNKNOWN, CountingStore, Place, opened
from tests.orders.trigger.stubs import Trouble, quiet, under_virtual_time

USDC, BTC = Currency("usdc"), Currency("btc")
UNIT = 10**AMOUNT_SCALE
MARKET = MARKETS[0]
STRANGER = Account("0xdead")


# --- nothing leaves before its commit


@under_virtual_time
async def test_no_answer_no_refusal_and_no_read_leaves_before_the_commit() -> None:
    async with opened() as it:
        venue, maker = it.house.venue, await it.ask()
        draft = await it.house.draft(ALICE, BUY, 100, 2)
        it.trouble.hold(BEFORE_COMMIT)
        placing = asyncio.create_task(venue.place(draft, b"signed"))
        await quiet()
        assert it.house.has(maker.id + 1), "memory knows it already"
        waiting = [
            placing,
            asyncio.create_task(venue.place(draft, b"another signature")),
            asyncio.create_task(venue.cancel(ALICE, OrderId(2))),
            asyncio.create_task(venue.cancel(BOB, maker.id)),
            asyncio.create_task(venue.placed(ALICE, draft.nonce)),
            asyncio.create_task(venue.balances(ALICE)),
            asyncio.create_task(venue.resting(BTCUSDC, 9, 9)),
            asyncio.create_task(venue.order(BOB, maker.id)),
            asyncio.create_task(venue.tickers()),
        ]
        await quiet()
        assert not any(task.done() for task in waiting)
        assert len(it.store.database.shard(BOOK_SHARD).trades) == 0
        it.trouble.release(BEFORE_COMMIT)
        placed, other, done, before, *_ = await asyncio.gather(*waiting)
        assert isinstance(placed, BookOrder)
        assert placed.state is OrderStatus.FILLED
        assert other == BookRefused(BookRefusal.NONCE_USED)
        assert done == BookRefused(BookRefusal.ORDER_DONE, placed)
        assert isinstance(before, BookOrder)
        assert (before.state, before.executed) == (OrderStatus.OPEN, Lots(2)), "the fill came first"


@under_virtual_time
@pytest.mark.parametrize("order_id", [1, 99])
async def test_a_refusal_leaves_only_past_the_fence(order_id: int) -> None:
    async with opened() as it:
        await it.bid()
        it.trouble.hold(BEFORE_COMMIT)
        cancelling = asyncio.create_task(it.house.venue.cancel(BOB, OrderId(order_id)))
        await quiet()
        assert not cancelling.done()
        it.trouble.release(BEFORE_COMMIT)
        assert await cancelling == BookRefused(BookRefusal.ORDER_UNKNOWN)


@under_virtual_time
async def test_what_happens_during_a_commit_goes_into_the_next_all_together() -> None:
    async with opened() as it:
        drafts = [await it.house.draft(ALICE, BUY, 100, 1) for _ in range(50)]
        done = len(it.store.batches)
        it.trouble.hold(BEFORE_COMMIT)
        placing = [asyncio.create_task(it.house.venue.place(draft, b"")) for draft in drafts]
        await quiet()
        it.trouble.release(BEFORE_COMMIT)
        placed = await asyncio.gather(*placing)
        assert sorted(order.id for order in placed if isinstance(order, BookOrder)) == list(range(1, 51))
        assert sum(len(batch.journal) for batch in it.store.batches[done:]) == 50
        assert len(it.store.batches) <= done + 2
        assert journal.broken_link(list(it.store.database.shard(BOOK_SHARD).journal.values())) is None


@under_virtual_time
@pytest.mark.parametrize("point", [BEFORE_COMMIT, AFTER_COMMIT])
async def test_a_lost_answer_is_told_as_unknown_and_the_repeated_request_gets_one_order(point: str) -> None:
    async with opened() as it:
        draft = await it.house.draft(ALICE, BUY, 100, 2)
        it.trouble.raises[point] = [UNKNOWN]
        with pytest.raises(CommitUnknown):
            await it.house.venue.place(draft, b"signed")
        assert not it.house.has(1), "memory is forgotten at once"
        again = await it.house.venue.place(draft, b"signed")
        assert isinstance(again, BookOrder)
        assert again.id == 1
        assert it.journal().count("place_order") == 1
        assert it.house.shard.epoch == 2


@under_virtual_time
@pytest.mark.parametrize("lands", [True, False])
async def test_a_cancel_whose_answer_is_lost_is_told_by_the_next_one(lands: bool) -> None:
    async with opened() as it:
        order = await it.bid()
        it.trouble.raises[AFTER_COMMIT if lands else BEFORE_COMMIT] = [UNKNOWN]
        with pytest.raises(CommitUnknown):
            await it.house.venue.cancel(ALICE, order.id)
        again = await it.house.venue.cancel(ALICE, order.id)
        assert isinstance(again, BookRefused) == lands
        assert (await it.house.order(order)).state is OrderStatus.CANCELLED


@under_virtual_time
async def test_a_load_does_not_miss_a_batch_that_arrives_late() -> None:
    async with opened() as it:
        maker = await it.bid(lots=5)
        draft = await it.house.draft(BOB, SELL, 100, 2)
        it.trouble.raises[BEFORE_COMMIT] = [HeldInside()]
        with pytest.raises(CommitUnknown):
            await it.house.venue.place(draft, b"signed")
        assert (await it.house.order(maker)).executed == Lots(2)
        _, bids = await it.house.venue.resting(BTCUSDC, 9, 9)
        assert [order.remaining for order in bids] == [Lots(3)]


# --- one nonce, one order


@under_virtual_time
@pytest.mark.parametrize("meanwhile", ["nothing", "at once", "a restart", "an eviction", "a lost commit"])
async def test_the_same_request_gets_the_same_order_and_another_one_is_refused(meanwhile: str) -> None:
    async with opened() as it:
        venue, draft = it.house.venue, await it.house.draft(ALICE, BUY, None, 2, kind=Kind.MARKET)
        if meanwhile == "at once":
            first, again = await asyncio.gather(venue.place(draft, b"signed"), venue.place(draft, b"signed"))
        else:
            first = await venue.place(draft, b"signed")
            await _disturbs(it, meanwhile)
            again = await venue.place(draft, b"signed")
        assert isinstance(first, BookOrder)
        assert first.state is OrderStatus.CANCELLED, "there is no seller"
        assert again == first
        assert await venue.placed(ALICE, draft.nonce) == first
        await _disturbs(it, meanwhile)
        assert await venue.place(draft, b"another signature") == BookRefused(BookRefusal.NONCE_USED)
        assert it.journal().count("place_order") == 1
        assert await venue.placed(BOB, draft.nonce) is None, "it is not his"


async def _disturbs(it: Place, meanwhile: str) -> None:
    if meanwhile == "a restart":

        async def nothing() -> None:
            pass

        await it.house.shard.reload(nothing)
    elif meanwhile == "an eviction":
        it.house.shard.ended_kept = 0
        await it.house.rich(BOB)  # A commit: the time for forgetting.
        assert not it.house.has(1)
    elif meanwhile == "a lost commit":
        it.trouble.raises[AFTER_COMMIT] = [UNKNOWN]
        with pytest.raises(CommitUnknown):
            await it.house.rich(BOB)


@under_virtual_time
async def test_requests_that_race_for_an_order_that_was_forgotten_read_it_once() -> None:
    async with opened() as it:
        it.house.shard.ended_kept = it.house.shard.drafts_kept = 0
        draft = await it.house.draft(ALICE, BUY, None, 2, kind=Kind.MARKET)
        first = await it.house.venue.place(draft, b"signed")
        assert not it.house.has(1)
        it.house.shard.ended_kept = 1
        it.trouble.hold(BEFORE_READ)
        it.trouble.passed.clear()
        racing = [asyncio.create_task(it.house.venue.place(draft, b"signed")) for _ in range(5)]
        await quiet()
        it.trouble.release(BEFORE_READ)
        assert await asyncio.gather(*racing) == [first] * 5
        assert it.trouble.passed.count(BEFORE_READ) == 1


@under_virtual_time
async def test_an_order_that_is_looked_for_by_both_its_names_at_once_comes_to_memory_once() -> None:
    async with opened() as it:
        it.house.shard.ended_kept = it.house.shard.drafts_kept = 0
        draft = await it.house.draft(ALICE, BUY, None, 2, kind=Kind.MARKET)
        first = await it.house.venue.place(draft, b"signed")
        assert isinstance(first, BookOrder)
        it.trouble.hold(BEFORE_READ)
        by_nonce = asyncio.create_task(it.house.venue.place(draft, b"signed"))
        by_id = asyncio.create_task(it.house.venue.cancel(ALICE, first.id))
        await quiet()
        it.trouble.release(BEFORE_READ)
        assert await by_nonce == first
        assert await by_id == BookRefused(BookRefusal.ORDER_CANCELLED, first)


# --- drafts


@under_virtual_time
async def test_a_draft_is_told_when_it_is_stored_and_outlives_a_restart() -> None:
    async with opened() as it:
        it.trouble.hold(BEFORE_COMMIT)
        drafting = asyncio.create_task(it.house.draft(ALICE, BUY, 100, 2))
        await quiet()
        assert not drafting.done()
        it.trouble.release(BEFORE_COMMIT)
        draft = await drafting
        await _disturbs(it, "a restart")
        assert await it.house.venue.drafted(ALICE, draft.nonce) == draft
        assert await it.house.venue.drafted(BOB, draft.nonce) is None
        assert isinstance(await it.house.venue.place(draft, b"signed"), BookOrder)
        assert (await it.house.draft(ALICE, BUY, 100, 2)).nonce == draft.nonce + 1, "no nonce is given twice"


@under_virtual_time
async def test_a_nonce_whose_draft_was_lost_with_its_commit_may_be_given_again_but_never_one_that_was_told() -> None:
    async with opened() as it:
        first = await it.house.draft(ALICE, BUY, 100, 2)
        it.trouble.raises[BEFORE_COMMIT] = [UNKNOWN]
        with pytest.raises(CommitUnknown):
            await it.house.draft(ALICE, BUY, 100, 2)
        assert await it.house.venue.drafted(ALICE, Nonce(first.nonce + 1)) is None
        it.trouble.raises[AFTER_COMMIT] = [UNKNOWN]
        with pytest.raises(CommitUnknown):
            await it.house.draft(BOB, BUY, 100, 2)
        assert (await it.house.draft(ALICE, BUY, 100, 2)).nonce == first.nonce + 2
        assert it.trouble.raises == {BEFORE_COMMIT: [], AFTER_COMMIT: []}


@under_virtual_time
async def test_drafts_that_memory_forgot_are_found_in_the_store() -> None:
    async with opened() as it:
        it.house.shard.drafts_kept = 1
        drafts = [await it.house.draft(ALICE, BUY, 100, 2) for _ in range(3)]
        for draft in drafts:
            it.trouble.passed.clear()
            assert await it.house.venue.drafted(ALICE, draft.nonce) == draft
            assert (BEFORE_READ in it.trouble.passed) == (draft is not drafts[-1])
        assert isinstance(await it.house.venue.place(drafts[0], b"signed"), BookOrder)


@under_virtual_time
async def test_a_flawed_order_is_not_drafted() -> None:
    async with opened() as it:
        bad = replace((await it.house.draft(ALICE, BUY, 100, 2)).terms, lots=Lots(0))
        assert await it.house.venue.draft(bad, hex) == BookRefused(BookRefusal.VOLUME_TOO_SMALL, detail="volume")
        assert it.house.shard.is_settled()


# --- cancels


@under_virtual_time
async def test_a_cancel_answers_the_order_as_it_stood_and_frees_the_rest() -> None:
    async with opened() as it:
        order = await it.bid(price=100_00, lots=10)
        await it.ask(price=100_00, lots=4)
        told = await it.house.venue.cancel(ALICE, order.id)
        assert isinstance(told, BookOrder)
        assert (told.state, told.executed, told.cancel_reason) == (OrderStatus.OPEN, Lots(4), None)
        after = await it.house.order(order)
        assert (after.state, after.executed, after.cancel_reason) == (OrderStatus.CANCELLED, Lots(4), CancelReason.USER)
        balances = await it.house.venue.balances(ALICE)
        assert balances[USDC].locked == Amount(0)
        assert balances[USDC].available == Amount(10**6 * UNIT - MARKET.cost(Ticks(100_00), Lots(4)).quanta)
        assert await it.house.venue.cancel(ALICE, order.id) == BookRefused(BookRefusal.ORDER_CANCELLED, after)
        assert await it.house.venue.cancel(BOB, order.id) == BookRefused(BookRefusal.ORDER_UNKNOWN)


@under_virtual_time
async def test_a_cancel_of_an_order_that_was_forgotten_tells_how_it_ended() -> None:
    async with opened() as it:
        it.house.shard.ended_kept = 0
        cancelled, done = await it.bid(price=90), await it.bid(price=100)
        await it.house.venue.cancel(ALICE, cancelled.id)
        await it.ask(price=100)
        for order, refusal in ((cancelled, BookRefusal.ORDER_CANCELLED), (done, BookRefusal.ORDER_DONE)):
            assert not it.house.has(order.id)
            ended = await it.house.order(order)
            assert await it.house.venue.cancel(ALICE, order.id) == BookRefused(refusal, ended)
            await it.house.rich(BOB)
            assert await it.house.venue.cancel_by_operator(order.id) == BookRefused(refusal, ended)
            await it.house.rich(BOB)
            assert await it.house.venue.cancel(STRANGER, order.id) == BookRefused(BookRefusal.ORDER_UNKNOWN)


@under_virtual_time
@pytest.mark.parametrize("order_id", [0, -1, 2, 10**12, 2**63, -(2**70)])
async def test_a_number_that_no_order_ever_had_reads_nothing(order_id: int) -> None:
    async with opened() as it:
        await it.bid()
        it.trouble.passed.clear()
        assert await it.house.venue.cancel(ALICE, OrderId(order_id)) == BookRefused(BookRefusal.ORDER_UNKNOWN)
        assert BEFORE_READ not in it.trouble.passed


@under_virtual_time
@pytest.mark.parametrize("cancel_comes_first", [True, False])
async def test_a_cancel_that_races_a_fill_is_before_it_or_after_it(cancel_comes_first: bool) -> None:
    async with opened() as it:
        venue, maker = it.house.venue, await it.bid()
        draft = await it.house.draft(BOB, SELL, 100, 5)
        cancel, fill = venue.cancel(ALICE, maker.id), venue.place(draft, b"signed")
        tasks = [asyncio.ensure_future(each) for each in ((cancel, fill) if cancel_comes_first else (fill, cancel))]
        await asyncio.gather(*tasks)
        told, placed = [task.result() for task in (tasks if cancel_comes_first else reversed(tasks))]
        after = await it.house.order(maker)
        assert isinstance(placed, BookOrder)
        if cancel_comes_first:
            assert (after.state, after.executed, placed.state) == (OrderStatus.CANCELLED, Lots(0), OrderStatus.OPEN)
        else:
            assert told == BookRefused(BookRefusal.ORDER_DONE, after)
            assert placed.state is OrderStatus.FILLED


@under_virtual_time
async def test_a_cancel_may_come_before_the_answer_to_its_order() -> None:
    """The order is on its way to the store: it is cancelled, not missed."""
    async with opened() as it:
        draft = await it.house.draft(ALICE, BUY, 100, 5)
        it.trouble.hold(BEFORE_COMMIT)
        placing = asyncio.create_task(it.house.venue.place(draft, b"signed"))
        await quiet()
        cancelling = asyncio.create_task(it.house.venue.cancel(ALICE, OrderId(1)))
        await quiet()
        it.trouble.release(BEFORE_COMMIT)
        placed, cancelled = await asyncio.gather(placing, cancelling)
        assert cancelled == placed, "as it stood"
        assert (await it.house.order(cancelled)).state is OrderStatus.CANCELLED  # type: ignore[arg-type]


@under_virtual_time
async def test_many_are_cancelled_in_one_turn_the_oldest_first() -> None:
    async with opened() as it:
        bids = [await it.bid(price=90 + n) for n in range(4)]
        sell = await it.house.place(ALICE, SELL, 200, 1)
        other = await it.house.place(ALICE, BUY, 90, 1, market=MARKETS[1].symbol)
        assert await it.house.venue.cancel_many(ALICE, BTCUSDC, BUY, 3) == 3
        assert it.event_kinds() == ["order_cancelled"] * 3
        states = [(await it.house.order(order)).state for order in (*bids, sell, other)]
        assert states == [OrderStatus.CANCELLED] * 3 + [OrderStatus.OPEN] * 3
        assert await it.house.venue.cancel_many(ALICE, BTCUSDC, None, 100) == 2
        assert await it.house.venue.cancel_many(ALICE, BTCUSDC, None, 100) == 0
        assert await it.house.venue.cancel_many(BOB, MARKETS[1].symbol, None, 100) == 0
        assert it.journal().count("cancel_orders") == 2


# --- time


@under_virtual_time
@pytest.mark.parametrize("late_ms", [0, 1, 5_000])
async def test_an_order_that_is_too_old_ends_before_anything_else_of_that_instant(late_ms: int) -> None:
    async with opened() as it:
        order = await it.bid()
        draft = await it.house.draft(BOB, SELL, 100, 5)
        it.freeze(START + MARKET.max_order_age_ms + late_ms)
        placed = await it.house.venue.place(draft, b"signed")
        assert isinstance(placed, BookOrder)
        assert placed.state is OrderStatus.OPEN, "no maker was there any more"
        after = await it.house.order(order)
        assert (after.state, after.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.SYSTEM)
        assert after.updated_at == START + MARKET.max_order_age_ms
        assert it.journal()[-2:] == ["expire_order", "place_order"]


@under_virtual_time
async def test_an_instant_before_that_it_still_trades() -> None:
    async with opened() as it:
        order = await it.bid()
        draft = await it.house.draft(BOB, SELL, 100, 5)
        it.freeze(START + MARKET.max_order_age_ms - 1)
        await it.house.venue.place(draft, b"signed")
        assert (await it.house.order(order)).state is OrderStatus.FILLED


@under_virtual_time
async def test_a_cancel_at_the_very_instant_finds_that_time_was_first() -> None:
    async with opened() as it:
        order = await it.bid()
        it.freeze(START + MARKET.max_order_age_ms)
        told = await it.house.venue.cancel(ALICE, order.id)
        assert told == BookRefused(BookRefusal.ORDER_CANCELLED, await it.house.order(order))


@under_virtual_time
async def test_time_passes_by_itself() -> None:
    async with opened() as it:
        order = await it.bid()
        it.freeze(START + MARKET.max_order_age_ms)
        await asyncio.sleep(0.3)
        assert (await it.house.order(order)).cancel_reason is CancelReason.SYSTEM
        assert it.house.shard.is_settled()


# --- stop orders


async def _stops(it: Place) -> list[BookOrder]:
    """Three that a trade at 110 triggers; they wait."""
    more: dict[str, Any] = {"kind": Kind.STOP_LIMIT}
    return [
        await it.house.place(ALICE, BUY, 120, 1, stop=110, **more),
        await it.house.place(ALICE, BUY, 121, 1, stop=105, **more),
        await it.house.place(ALICE, BUY, 122, 1, stop=111, **more),
    ]


@under_virtual_time
async def test_stop_orders_enter_in_the_order_of_their_numbers_before_anything_else() -> None:
    async with opened() as it:
        for price in (110, 111, 112, 113):
            await it.ask(price, 1)
        stops = await _stops(it)
        assert [(await it.house.order(stop)).state for stop in stops] == [OrderStatus.PENDING] * 3
        await _buys_as_a_third(it, 110)
        trades = await it.house.venue.trades(TradesQuery(ascending=True))
        assert [(trade.event.buy.order_id, trade.event.price.ticks) for trade in trades[1:]] == [
            (stops[0].id, 111),
            (stops[1].id, 112),
            (stops[2].id, 113),
        ], "the third was triggered by the first one's trade"
        assert it.journal()[-4:] == ["place_order", "open_order", "open_order", "open_order"]
        assert len(it.store.batches[-1].journal) == 4, "all in the turn that triggered them"


async def _buys_as_a_third(it: Place, price: int) -> BookOrder:
    await it.house.rich(STRANGER)
    return await it.house.place(STRANGER, BUY, price, 1)


@under_virtual_time
async def test_a_match_that_is_to_fail_may_be_one_of_a_stop_order() -> None:
    async with opened() as it:
        await it.ask(110, 1)
        await it.ask(111, 1)
        stops = await _stops(it)
        await it.house.rich(STRANGER)
        draft = await it.house.draft(STRANGER, BUY, 110, 1)

        class AfterTheFirst:
            """The first match of the first stop that is triggered fails."""

            failures = 1

            def failing(self) -> bool:
                return bool(self.failures and state.exchange.triggered())

            def failed(self) -> None:
                self.failures -= 1

        state = it.house.shard._epoch.state  # type: ignore[union-attr]
        it.house.shard._faults = state._faults = AfterTheFirst()
        await it.house.venue.place(draft, b"signed")
        after = [await it.house.order(stop) for stop in stops]
        assert [order.state for order in after] == [OrderStatus.CANCELLED, OrderStatus.FILLED, OrderStatus.OPEN]
        assert after[0].cancel_reason is CancelReason.FAILED
        assert after[0].executed == Lots(0)


@under_virtual_time
async def test_matches_fail_as_often_as_they_are_to_and_an_order_that_meets_no_maker_uses_none_up() -> None:
    async with opened() as it:
        it.house.faults.due = 1
        resting = await it.bid(90)
        assert (resting.state, it.house.faults.due) == (OrderStatus.OPEN, 1)
        failed = await it.ask(90)
        assert (failed.cancel_reason, it.house.faults.due) == (CancelReason.FAILED, 0)
        assert (await it.ask(90)).state is OrderStatus.FILLED


@under_virtual_time
async def test_waiting_stops_survive_a_restart_and_those_that_rest_keep_their_place() -> None:
    async with opened() as it:
        early_stop = await it.house.place(BOB, SELL, 130, 1, kind=Kind.STOP_LIMIT, stop=100)
        waiting = await it.house.place(BOB, SELL, 130, 1, kind=Kind.STOP_LIMIT, stop=50)
        plain = await it.ask(130, 1)
        await it.bid(100, 1)
        await it.ask(100, 1)  # Triggers the first stop, which comes to rest behind `plain`.
        await _disturbs(it, "a restart")
        asks, _ = await it.house.venue.resting(BTCUSDC, 9, 9)
        assert [order.id for order in asks] == [plain.id, early_stop.id]
        assert (await it.house.order(waiting)).state is OrderStatus.PENDING
        await it.bid(50, 1)
        await it.ask(50, 1)
        asks, _ = await it.house.venue.resting(BTCUSDC, 9, 9)
        assert [order.id for order in asks] == [plain.id, early_stop.id, waiting.id]


# --- money


@under_virtual_time
async def test_a_credit_tells_the_balance_after_it_or_that_it_is_too_much() -> None:
    async with opened(rich=False) as it:
        told = await it.house.venue.credit(ALICE, USDC, Amount(5))
        assert not isinstance(told, BookRefused)
        assert (told.available, told.locked) == (Amount(5), Amount(0))
        refused = await it.house.venue.credit(BOB, USDC, Amount(AMOUNT_MAX))
        assert refused == BookRefused(BookRefusal.AMOUNT_TOO_BIG, detail="amount")
        assert (await it.house.venue.balances(BOB))[USDC].available == Amount(0)


@under_virtual_time
async def test_an_order_that_cannot_be_paid_is_refused_and_its_nonce_is_free_still() -> None:
    async with opened(rich=False) as it:
        draft = await it.house.draft(ALICE, BUY, 100, 2)
        assert await it.house.venue.place(draft, b"signed") == BookRefused(BookRefusal.INSUFFICIENT_FUNDS)
        await it.house.rich(ALICE)
        assert isinstance(await it.house.venue.place(draft, b"signed"), BookOrder)


# --- reads


@under_virtual_time
async def test_what_is_shown_of_the_day() -> None:
    async with opened() as it:
        it.freeze(START + 1_000)
        await it.bid(100, 5)
        await it.ask(100, 2)
        it.freeze(START + 61_000)
        await it.bid(90, 1)
        await it.ask(90, 9)
        ticker = (await it.house.venue.tickers())[BTCUSDC]
        assert ticker.day is not None
        assert ticker.last == Ticks(90)
        assert (ticker.day.first, ticker.day.last, ticker.day.high, ticker.day.low) == (100, 90, 100, 90)
        assert (ticker.day.lots, ticker.day.turnover) == (6, 590)
        since, until = Instant(START), Instant(START + 120_000)
        assert await it.house.venue.periods(BTCUSDC, 60_000, since, until) == [
            Period(Instant(START), 100, 100, 100, 100, 2, 200),
            Period(Instant(START + 60_000), 100, 90, 100, 90, 4, 390),
        ]
        it.freeze(START + 25 * 3_600_000)
        ticker = (await it.house.venue.tickers())[BTCUSDC]
        assert (ticker.day, ticker.last) == (None, Ticks(90))


@under_virtual_time
async def test_an_order_is_shown_with_its_trades_by_both_its_names_to_its_owner_only() -> None:
    async with opened() as it:
        order = await it.bid(100, 5)
        await it.ask(100, 2)
        by_id, by_uuid = (
            await it.house.venue.order(ALICE, order.id),
            await it.house.venue.order(ALICE, UUID(order.uuid)),
        )
        assert by_id is not None
        assert by_id == by_uuid
        assert [trade.event.lots for trade in by_id.trades] == [Lots(2)]
        assert await it.house.venue.order(BOB, order.id) is None
        assert [each.id for each in await it.house.venue.orders(OrdersQuery(ALICE))] == [order.id]


# --- terms and writers


@under_virtual_time
async def test_a_bug_in_a_turn_ends_the_epoch_and_nothing_of_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as it:
        drafts = [await it.house.draft(ALICE, BUY, 100, 1) for _ in range(3)]
        it.trouble.hold(BEFORE_COMMIT)
        pending = [asyncio.create_task(it.house.venue.place(drafts[0], b""))]
        await quiet()
        pending.append(asyncio.create_task(it.house.venue.place(drafts[1], b"")))
        await quiet()

        def breaks(*_: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr(Exchange, "apply", breaks)
            with pytest.raises(ZeroDivisionError):
                await it.house.venue.place(drafts[2], b"")
        it.trouble.release(BEFORE_COMMIT)
        written, lost = await asyncio.gather(*pending, return_exceptions=True)
        assert isinstance(written, BookOrder), "its batch was on its way before"
        assert isinstance(lost, CommitUnknown)
        again = await it.house.venue.place(drafts[2], b"")
        assert isinstance(again, BookOrder)
        assert again.id == 2
        assert journal.broken_link(list(it.store.database.shard(BOOK_SHARD).journal.values())) is None


@under_virtual_time
async def test_a_reload_in_the_middle_of_a_batch_stores_what_is_pending_first() -> None:
    async with opened() as it:
        drafts = [await it.house.draft(ALICE, BUY, 100, 1) for _ in range(3)]
        it.trouble.hold(BEFORE_COMMIT)
        placing = [asyncio.create_task(it.house.venue.place(draft, b"")) for draft in drafts]
        await quiet()
        seen: list[int] = []

        async def between() -> None:
            seen.extend(it.store.database.shard(BOOK_SHARD).book_orders)

        reloading = asyncio.create_task(it.house.shard.reload(between))
        await quiet()
        assert not reloading.done()
        it.trouble.release(BEFORE_COMMIT)
        await reloading
        await asyncio.gather(*placing)
        assert seen == [1, 2, 3]
        assert it.house.shard.epoch == 2
        _, bids = await it.house.venue.resting(BTCUSDC, 9, 9)
        assert [order.id for order in bids] == [1, 2, 3]


@under_virtual_time
async def test_who_waits_through_a_reset_is_told_to_ask_again() -> None:
    """A5: let in before a reset, it would act after it, for a member that the new venue does not know."""
    async with opened() as it:
        terms = (await it.house.draft(ALICE, BUY, 100, 1)).terms
        waiting: list[asyncio.Task[Any]] = []

        async def asks() -> None:
            waiting.append(asyncio.create_task(it.house.shard.draft(terms, lambda _: "")))
            await quiet()

        async def resets() -> None:
            await asks()
            await it.store.reset(BOOK_SHARD)

        await it.house.shard.reload(asks)
        assert (await waiting.pop()).terms == terms, "one that only waits for a reload is served"
        await it.house.shard.reload(resets)
        with pytest.raises(Unavailable, match="began anew"):
            await waiting.pop()
        await it.house.shard.draft(terms, lambda _: "")


@under_virtual_time
async def test_a_caller_that_waits_for_a_shard_that_is_stopped_is_told() -> None:
    async with opened() as it:
        draft = await it.house.draft(ALICE, BUY, 100, 1)
        it.trouble.hold(BEFORE_COMMIT)
        waiting = asyncio.create_task(it.house.venue.place(draft, b""))
        await quiet()
        it.house.running.cancel()
        with pytest.raises(CommitUnknown):
            await waiting


@under_virtual_time
async def test_a_writer_that_was_replaced_answers_nothing_and_shows_nothing_that_it_remembers() -> None:
    async with opened() as older:
        order = await older.bid()
        draft = await older.house.draft(ALICE, BUY, None, 1, kind=Kind.MARKET)
        async with opened(older.store.database) as newer:
            ended = await newer.house.venue.place(draft, b"signed")
            assert isinstance(ended, BookOrder)
            reads = older.house.venue
            for read in (
                reads.balances(ALICE),
                reads.resting(BTCUSDC, 9, 9),
                reads.tickers(),
                reads.placed(ALICE, order.nonce),
            ):
                with pytest.raises(Unavailable):
                    await read
            shown = await reads.order(ALICE, ended.id)
            assert shown is not None, "what is read from the store is true for every reader"
            with pytest.raises(CommitUnknown):
                await older.house.venue.cancel(ALICE, order.id)
            with pytest.raises(WriterReplaced):
                await older.house.running
            with pytest.raises(Unavailable):
                await older.house.venue.balances(ALICE)
            assert isinstance(await newer.house.venue.cancel(ALICE, order.id), BookOrder)


@under_virtual_time
async def test_a_replaced_writer_that_finds_a_living_order_in_the_store_knows_that_it_is_not_alone() -> None:
    """It crashed: only what has ended is read by a writer, as long as no other writer writes."""
    async with opened() as older:
        older.house.shard.drafts_kept = 0
        draft = await older.house.draft(ALICE, BUY, 100, 1)
        async with opened(older.store.database) as newer:
            assert isinstance(await newer.house.venue.place(draft, b"signed"), BookOrder)
            with pytest.raises(Unavailable):
                await older.house.venue.place(draft, b"signed")
            with pytest.raises(Unavailable):
                await older.house.venue.placed(ALICE, draft.nonce)


@under_virtual_time
async def test_a_load_that_another_writer_disturbs_is_not_believed() -> None:
    """Its reads were of different instants, and did not add up."""
    async with opened() as first:
        await first.bid()
        async with opened(first.store.database) as second:
            await second.bid(99)
        loop = asyncio.get_running_loop()
        trouble = Trouble()
        trouble.hold(AFTER_EPOCH)
        store = CountingStore(first.store.database, trouble)
        clock = VenueClock(ClockSetting(frozen_at=START), wall=lambda: Instant(round(loop.time() * 1000)))
        async with book_house(store, clock=clock) as house:
            await quiet()
            async with opened(first.store.database) as another:
                trouble.release(AFTER_EPOCH)
                with pytest.raises(WriterReplaced):
                    await house.running
                assert not house.shard.is_ready()
                await another.bid(98)


@under_virtual_time
async def test_while_the_orders_are_loaded_requests_wait_but_not_for_ever() -> None:
    async with opened() as it:
        it.trouble.raises[BEFORE_COMMIT] = [UNKNOWN]
        it.trouble.hold(BEFORE_EPOCH)
        with pytest.raises(CommitUnknown):
            await it.bid()
        with pytest.raises(Unavailable):
            await it.house.venue.balances(ALICE)
        it.trouble.release(BEFORE_EPOCH)
        assert (await it.house.venue.balances(ALICE))[USDC].available == Amount(10**6 * UNIT)
