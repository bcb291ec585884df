"""Cascades and sweeps in slices: no turn is long, nothing comes between, and the outcome is that of one turn."""

import asyncio
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.kernel.ports import WriterReplaced
from countermand.orders.book.model.commands import ContinueBookOrder, OpenBookOrder, TriggerStops
from countermand.orders.book.model.decide import decide
from countermand.orders.book.model.events import StopTriggered
from countermand.orders.book.model.exchange import ORDERS_PER_TURN, Exchange, Reached, Unloadable
from countermand.orders.book.model.ledger.amount import Account, Amount, Currency
from countermand.orders.book.model.lifecycle import is_entering
from countermand.orders.book.model.market import SelfTrade
from countermand.orders.book.model.order import BUY, SELL, BookOrder, CancelReason, Kind, OrderId, OrderStatus, Side
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.book.model.refusals import BookRefusal, BookRefused
from countermand.orders.book.model.waiting import BookWaiting, waits_for
from countermand.orders.book.ports import TradesQuery
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand_simulator.fenced import AFTER_COMMIT, BEFORE_COMMIT, BEFORE_READ
from tests.orders.book.house import ALICE, BOB, BTCUSDC
from tests.orders.book.place import UNKNOWN, Place, opened
from tests.orders.book.test_any_history import step, with_little
from tests.orders.book.venue import CAROL, Venue, picture
from tests.orders.trigger.stubs import quiet, under_virtual_time

USDC = Currency("usdc")
STRANGER = Account("0xdead")
MANY = 5 * ORDERS_PER_TURN


# --- the model


def _kinds(venue: Venue) -> list[str]:
    return [type(entry.command).__name__ for entry in venue.journal]


def test_an_order_that_meets_more_makers_than_one_turn_serves_goes_on_in_turns_of_its_own() -> None:
    venue = Venue(orders_per_turn=2)
    for price in (100, 100, 101, 102, 103):
        venue.sells(BOB, 1, price)
    taker = venue.buys(ALICE, 6, 102)
    assert _kinds(venue)[-2:] == ["PlaceBookOrder", "ContinueBookOrder"], "the fifth is too dear: it is not met"
    assert [venue.order(taker).executed.lots, venue.order(taker).rank] == [4, 6]
    assert venue.book(BUY) == [(taker, 102, 2)]
    venue.replays()


def test_as_many_as_one_turn_serves_need_no_other() -> None:
    venue = Venue(orders_per_turn=2)
    for _ in range(2):
        venue.sells(BOB, 1, 100)
    venue.buys(ALICE, 3, 100)
    assert _kinds(venue)[-1] == "PlaceBookOrder"


@pytest.mark.parametrize("kind", [Kind.LIMIT, Kind.MARKET])
@pytest.mark.parametrize("side", Side)
def test_a_restart_in_the_middle_goes_on_with_the_money_that_is_left(kind: Kind, side: Side) -> None:
    venue = Venue(orders_per_turn=1)
    for _ in range(3):
        venue.places(BOB, side.other, 2, 100)
    venue._run_due, run_due = (lambda: None), venue._run_due  # type: ignore[method-assign]  # The process ends here.
    taker = venue.places(ALICE, side, 5, None if kind is Kind.MARKET else 100, kind)
    assert is_entering(venue.order(taker))
    assert waits_for(venue.order(taker), None) is BookWaiting.TURN
    loaded = venue.reloaded()
    assert picture(loaded) == picture(venue.exchange, live_only=True)
    assert loaded.command_due(venue.now) == (venue.now, ContinueBookOrder(taker))
    _goes_on(loaded, venue.now)
    run_due()
    assert loaded.orders[taker] == venue.order(taker)
    assert venue.state(taker) is OrderStatus.FILLED
    assert sorted(loaded.ledger.balances()) == sorted(venue.exchange.ledger.balances())


def _goes_on(exchange: Exchange, at: Instant) -> None:
    while (due := exchange.command_due(at)) is not None:
        decided = decide(exchange, due[1], at)
        assert not isinstance(decided, BookRefused)
        for event in decided:
            exchange.apply(event, at)


def _stops(venue: Venue, *stops: int, side: Side = BUY) -> list[OrderId]:
    """Stop orders that meet no maker when they are opened."""
    limit = 50 if side is BUY else 200
    return [venue.places(ALICE, side, 1, limit, Kind.STOP_LIMIT, stop=stop) for stop in stops]


def _triggered(venue: Venue) -> list[list[OrderId]]:
    """By each turn that triggered any."""
    turns = [[event.order_id for event in entry.events if isinstance(event, StopTriggered)] for entry in venue.journal]
    return [turn for turn in turns if turn]


def test_a_trade_that_reaches_more_stops_than_one_turn_triggers_leaves_others_to_turns_of_their_own() -> None:
    venue = Venue(orders_per_turn=2)
    _stops(venue, 100, 98, 99, 97, 101)
    venue.sells(BOB, 1, 100)
    venue.buys(BOB, 1, 90)
    venue.buys(CAROL, 1, 100)
    assert _kinds(venue)[-6:] == ["PlaceBookOrder", "TriggerStops", *["OpenBookOrder"] * 4]
    assert _triggered(venue) == [[2, 4], [1, 3]], "those first that the price reached first; 5 waits above it"
    opened = [entry.command.order_id for entry in venue.journal if isinstance(entry.command, OpenBookOrder)]
    assert opened == [1, 2, 3, 4], "by placement, as if one turn had triggered them all"
    venue.replays()


def test_stops_of_both_sides_share_the_turns() -> None:
    venue = Venue(orders_per_turn=3)
    _stops(venue, 100, 100)
    _stops(venue, 100, 99, 101, side=SELL)
    venue.sells(BOB, 1, 100)
    venue.buys(CAROL, 1, 100)
    assert _triggered(venue) == [[1, 2, 5], [3]], "a sell at 99 waits for a lower price"
    venue.replays()


def test_as_many_stops_as_one_turn_triggers_need_no_other() -> None:
    venue = Venue(orders_per_turn=2)
    _stops(venue, 100, 100)
    venue.sells(BOB, 1, 100)
    venue.buys(CAROL, 1, 100)
    assert "TriggerStops" not in _kinds(venue)


def test_an_order_on_its_way_waits_for_the_stops_that_it_reached() -> None:
    venue = Venue(orders_per_turn=1)
    _stops(venue, 100, 101, 101)
    for price in (100, 101):
        venue.sells(BOB, 1, price)
    venue.buys(CAROL, 2, 101)
    turns = ["PlaceBookOrder", "ContinueBookOrder", "TriggerStops", "OpenBookOrder", "OpenBookOrder", "OpenBookOrder"]
    assert _kinds(venue)[-6:] == turns
    venue.replays()


def test_a_restart_while_stops_are_to_be_triggered_goes_on_with_them() -> None:
    venue = Venue(orders_per_turn=1)
    _stops(venue, 99, 100, 100)
    venue.sells(BOB, 1, 100)
    venue._run_due, run_due = (lambda: None), venue._run_due  # type: ignore[method-assign]  # The process ends here.
    venue.buys(CAROL, 1, 100)
    loaded = venue.reloaded()
    assert picture(loaded) == picture(venue.exchange, live_only=True)
    assert loaded.command_due(venue.now) == (venue.now, TriggerStops(BTCUSDC))
    _goes_on(loaded, venue.now)
    run_due()
    assert picture(loaded, live_only=True) == picture(venue.exchange, live_only=True)
    assert _triggered(venue) == [[1], [2], [3]]


@pytest.mark.parametrize("side", Side)
def test_a_stop_that_a_trade_reached_waits_for_its_turn_alone(side: Side) -> None:
    venue = Venue(orders_per_turn=1)
    venue.sells(BOB, 1, 100)
    *at_the_price, beyond = _stops(venue, 100, 100, 101 if side is BUY else 99, side=side)
    venue._run_due = lambda: None  # type: ignore[method-assign]
    venue.buys(CAROL, 1, 100)
    [reached] = [stop for stop in at_the_price if not venue.exchange.is_triggered(stop)]
    assert waits_for(venue.order(reached), None) is BookWaiting.STOP_PRICE
    assert waits_for(venue.order(reached), Ticks(100)) is BookWaiting.TURN
    assert waits_for(venue.order(beyond), Ticks(100)) is BookWaiting.STOP_PRICE


def test_a_stop_that_is_placed_after_the_others_were_triggered_waits_for_a_trade_of_its_own() -> None:
    venue = Venue(orders_per_turn=1)
    _stops(venue, 100, 100)
    for price in (100, 99):
        venue.sells(BOB, 1, price)
    venue.buys(CAROL, 2, 100)
    venue.sells(BOB, 1, 98)
    venue.buys(CAROL, 1, 98)
    [late] = _stops(venue, 100)
    assert venue.exchange.reached is None
    assert not venue.exchange.is_triggered(late)


def test_nothing_is_triggered_that_no_trade_reached() -> None:
    venue = Venue()
    _stops(venue, 100)
    assert decide(venue.exchange, TriggerStops(BTCUSDC), venue.now) == BookRefused(BookRefusal.NOTHING_TO_DO)


def test_counters_that_name_stops_which_are_not_there_are_no_exchange() -> None:
    venue = Venue()
    _stops(venue, 100)
    venue.exchange.reached = Reached(BTCUSDC, venue.now, Ticks(98), Ticks(99))
    with pytest.raises(Unloadable, match="no stop of btcusdc is to be triggered"):
        venue.reloaded()


def test_nothing_goes_on_that_is_not_on_its_way() -> None:
    venue = Venue()
    order = venue.sells(BOB, 1, 100)
    for order_id in (order, OrderId(99)):
        told = decide(venue.exchange, ContinueBookOrder(order_id), venue.now)
        assert told == BookRefused(BookRefusal.NOTHING_TO_DO)


def test_rows_of_which_two_are_on_their_way_are_no_exchange() -> None:
    venue = Venue(orders_per_turn=1)
    for _ in range(2):
        venue.sells(BOB, 1, 100)
    venue._run_due = lambda: None  # type: ignore[method-assign]
    taker = venue.buys(ALICE, 2, 100)
    other = replace(venue.order(OrderId(2)), state=OrderStatus.OPEN, rank=None)
    venue.exchange.orders[OrderId(2)] = other
    with pytest.raises(Unloadable, match=f"orders 2 and {taker} both"):
        venue.reloaded()


@pytest.mark.parametrize("policy", SelfTrade)
@given(random=st.randoms(use_true_random=True), makers=st.integers(1, 3))
@settings(max_examples=10)
def test_the_outcome_is_that_of_one_turn(policy: SelfTrade, random: Random, makers: int) -> None:
    whole, sliced = with_little(policy), with_little(policy, orders_per_turn=makers)
    for _ in range(80):
        does = step(random)
        does(whole)
        does(sliced)
        assert picture(whole.exchange) == picture(sliced.exchange)
    sliced.replays()


# --- the shard


async def _asks(it: Place, count: int) -> list[BookOrder]:
    return [await it.ask(100 + n // 8, 1) for n in range(count)]


async def _until_a_slice_waits(it: Place) -> None:
    """The first commit of what follows is inside the store."""
    it.trouble.hold(BEFORE_COMMIT)
    await quiet()


@under_virtual_time
async def test_a_sweep_is_many_small_commits_and_answers_when_all_of_it_is_done() -> None:
    async with opened() as it:
        await _asks(it, MANY)
        it.store.batches.clear()
        await it.house.rich(STRANGER)
        taker = await it.house.place(STRANGER, BUY, 200, MANY)
        assert (taker.state, taker.executed.lots) == (OrderStatus.FILLED, MANY)
        sizes = [len(batch.events) for batch in it.store.batches]
        assert max(sizes) <= 4 * ORDERS_PER_TURN + 2, "the turn of the order, and a slice"
        assert it.journal().count("continue_order") == MANY // ORDERS_PER_TURN - 1
        trades = await it.house.venue.trades(TradesQuery(ascending=True, limit=MANY))
        assert [trade.event.sell.order_id for trade in trades] == list(range(1, MANY + 1)), "by price, then time"


@under_virtual_time
async def test_a_cancel_of_a_maker_that_comes_meanwhile_is_too_late() -> None:
    async with opened() as it:
        asks = await _asks(it, MANY)
        await it.house.rich(STRANGER)
        draft = await it.house.draft(STRANGER, BUY, 200, MANY)
        it.trouble.hold(BEFORE_COMMIT)
        placing = asyncio.create_task(it.house.venue.place(draft, b"signed"))
        await quiet()
        assert asks[-1].id in it.house.shard._epoch.state.exchange.markets[BTCUSDC].book  # type: ignore[union-attr]
        others: list[Any] = [
            it.house.venue.cancel(BOB, asks[-1].id),
            it.house.venue.cancel_many(BOB, BTCUSDC, None, 1_000),
            it.house.venue.credit(ALICE, USDC, Amount(1)),
            it.house.venue.place(draft, b"signed"),
            it.house.venue.place(draft, b"another"),
        ]
        tasks = [asyncio.create_task(other) for other in others]
        await quiet()
        assert not any(task.done() for task in tasks)
        it.trouble.release(BEFORE_COMMIT)
        cancelled, many, _, again, another = await asyncio.gather(*tasks)
        assert cancelled == BookRefused(BookRefusal.ORDER_DONE, await it.house.order(asks[-1]))
        assert many == 0
        placed = await placing
        assert again == placed
        assert another == BookRefused(BookRefusal.NONCE_USED)
        kinds = it.journal()
        assert kinds[-2:] == ["continue_order", "credit"], "nothing came between"


@under_virtual_time
async def test_other_tasks_run_between_the_slices() -> None:
    async with opened() as it:
        await _asks(it, MANY)
        await it.house.rich(STRANGER)
        draft = await it.house.draft(STRANGER, BUY, 200, MANY)
        placing = asyncio.create_task(it.house.venue.place(draft, b"signed"))
        seen: list[int] = []
        while not placing.done():
            seen.append(it.journal().count("continue_order"))
            await asyncio.sleep(0)
        assert len(set(seen)) > 1


@under_virtual_time
async def test_a_shard_is_not_settled_between_two_slices_though_all_is_committed() -> None:
    async with opened() as it:
        await _asks(it, MANY)
        await it.house.rich(STRANGER)
        draft = await it.house.draft(STRANGER, BUY, 200, MANY)
        placing = asyncio.create_task(it.house.venue.place(draft, b"signed"))
        await asyncio.sleep(0)
        done_when_settled: list[int] = []
        while not placing.done():
            if it.house.shard.is_settled():
                done_when_settled.append(it.journal().count("continue_order"))
            await asyncio.sleep(0)
        assert set(done_when_settled) <= {MANY // ORDERS_PER_TURN - 1}, "the whole sweep"
        assert it.house.shard.is_settled()


@under_virtual_time
async def test_a_cascade_of_stops_is_opened_slice_by_slice_before_anything_else() -> None:
    async with opened() as it:
        stops = [await it.house.place(ALICE, BUY, 120, 1, kind=Kind.STOP_LIMIT, stop=100) for _ in range(MANY)]
        await it.ask(100, 1)
        await it.house.rich(STRANGER)
        it.store.batches.clear()
        draft = await it.house.draft(STRANGER, BUY, 100, 1)
        placing = asyncio.create_task(it.house.venue.place(draft, b"signed"))
        await asyncio.sleep(0)
        cancelling = asyncio.create_task(it.house.venue.cancel(ALICE, stops[-1].id))
        _, cancelled = await asyncio.gather(placing, cancelling)
        assert isinstance(cancelled, BookOrder)
        assert (cancelled.state, cancelled.rank) == (OrderStatus.OPEN, MANY + 1), "as it stood: it rested"
        opened_by = [kind for kind in it.journal() if kind in ("open_order", "cancel_order")]
        assert opened_by == ["open_order"] * MANY + ["cancel_order"]
        assert len(it.store.batches) > MANY // 64


@under_virtual_time
async def test_a_trade_that_reaches_very_many_stops_is_small_commits() -> None:
    async with opened() as it:
        await _trade_that_reaches_many(it)
        it.store.batches.clear()
        await it.house.place(STRANGER, BUY, 100, 1)
        assert it.journal().count("trigger_stops") == MANY // ORDERS_PER_TURN - 1
        assert it.journal().count("open_order") == MANY
        assert max(len(batch.events) for batch in it.store.batches) <= 4 * ORDERS_PER_TURN + 2


@under_virtual_time
@pytest.mark.parametrize("lands", [True, False])
async def test_a_crash_while_stops_are_to_be_triggered_loses_none(lands: bool) -> None:
    async with opened() as it:
        await _trade_that_reaches_many(it)
        draft = await it.house.draft(STRANGER, BUY, 100, 1)
        it.trouble.raises[AFTER_COMMIT if lands else BEFORE_COMMIT] = [UNKNOWN]
        with pytest.raises(type(UNKNOWN)):
            await it.house.venue.place(draft, b"signed")
        again = await it.house.venue.place(draft, b"signed")
        assert isinstance(again, BookOrder)
        assert again.state is OrderStatus.FILLED
        assert it.journal().count("open_order") == MANY


async def _trade_that_reaches_many(it: Place) -> None:
    for _ in range(MANY):
        await it.house.place(ALICE, BUY, 120, 1, kind=Kind.STOP_LIMIT, stop=100)
    await it.ask(100, 1)
    await it.house.rich(STRANGER)


@under_virtual_time
@pytest.mark.parametrize("kind", [Kind.LIMIT, Kind.MARKET])
@pytest.mark.parametrize("lands", [True, False])
async def test_a_crash_between_two_slices_loses_nothing(kind: Kind, lands: bool) -> None:
    async with opened() as it:
        await _asks(it, MANY)
        await it.house.rich(STRANGER)
        draft = await it.house.draft(STRANGER, BUY, None if kind is Kind.MARKET else 200, MANY + 1, kind=kind)
        it.trouble.raises[AFTER_COMMIT if lands else BEFORE_COMMIT] = [UNKNOWN]
        with pytest.raises(type(UNKNOWN)):
            await it.house.venue.place(draft, b"signed")
        again = await it.house.venue.place(draft, b"signed")
        assert isinstance(again, BookOrder)
        assert again.executed.lots == MANY
        ends = (OrderStatus.CANCELLED, CancelReason.SYSTEM) if kind is Kind.MARKET else (OrderStatus.OPEN, None)
        assert (again.state, again.cancel_reason) == ends
        assert it.journal().count("place_order") == MANY + 1
        balances = await it.house.venue.balances(STRANGER)
        assert balances[USDC].locked.quanta == (0 if kind is Kind.MARKET else 200 * 10**10), "one lot at 200"


@under_virtual_time
async def test_an_order_that_ended_is_answered_though_commits_of_what_it_triggered_forget_all_that_ended() -> None:
    async with opened() as it:
        it.house.shard.ended_kept = 0
        await _trade_that_reaches_many(it)
        it.store.batches.clear()
        taker = await it.house.place(STRANGER, BUY, 100, 1)
        assert taker.state is OrderStatus.FILLED
        assert len(it.store.batches) > 2


@under_virtual_time
async def test_very_many_that_are_too_old_go_slice_by_slice_before_a_command() -> None:
    async with opened() as it:
        orders = await _asks(it, MANY)
        it.store.batches.clear()
        it.freeze(orders[-1].created_at + 31 * 24 * 3_600_000)
        told = await it.house.venue.cancel(BOB, orders[-1].id)
        assert told == BookRefused(BookRefusal.ORDER_CANCELLED, await it.house.order(orders[-1]))
        assert it.journal().count("expire_order") == MANY
        assert max(len(batch.events) for batch in it.store.batches) <= 64


# --- another process


@under_virtual_time
async def test_a_number_that_another_process_gave_to_another_order_says_that_it_writes_now() -> None:
    """A writer that does not know yet that it was replaced has an order of its own under that number."""
    async with opened() as old:
        draft = await old.house.draft(ALICE, BUY, None, 1, kind=Kind.MARKET)
        late = await old.house.draft(ALICE, BUY, 100, 1)
        async with opened(old.store.database) as new:
            ended = await new.house.venue.place(draft, b"signed")
            assert isinstance(ended, BookOrder)
            assert ended.state is OrderStatus.CANCELLED
            old.house.shard._epoch.state._drafts.clear()  # type: ignore[union-attr]
            old.trouble.hold(BEFORE_READ)
            repeated = asyncio.create_task(old.house.venue.place(draft, b"signed"))
            await quiet()
            old.trouble.hold(BEFORE_COMMIT)
            old.house.shard._epoch.state.add_draft(late)  # type: ignore[union-attr]
            placing = asyncio.create_task(old.house.venue.place(late, b"signed"))
            await quiet()
            old.trouble.release(BEFORE_READ)
            with pytest.raises(Exception, match="another process writes the order books now"):
                await repeated
            old.trouble.release(BEFORE_COMMIT)
            with pytest.raises(Exception, match=r"another process|unknown"):
                await placing


@under_virtual_time
async def test_a_start_that_another_process_overtakes_ends_as_one_that_was_replaced() -> None:
    async with opened() as first:
        first.trouble.raises[BEFORE_COMMIT] = [UNKNOWN]
        first.trouble.hold(BEFORE_READ)
        with pytest.raises(type(UNKNOWN)):
            await first.house.rich(ALICE)
        await asyncio.sleep(1)
        async with opened(first.store.database):
            first.trouble.release(BEFORE_READ)
            with pytest.raises(WriterReplaced, match="was taken since epoch 2"):
                await first.house.running
