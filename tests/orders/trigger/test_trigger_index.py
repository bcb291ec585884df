"""The price index and the timers, beside naive ones."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.trigger_index import TriggerIndex
from countermand.values.identity import Mint, OrderId
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice
from countermand.values.swept_heap import SWEPT_AT_ONCE
from countermand.values.timer_queue import TimerQueue
from tests.orders.trigger.samples import usd

SOL = Mint("SOL")
HOUR = 2**22
ids = st.sampled_from([OrderId(name) for name in "abcdefgh"])
prices = st.integers(1, 12).map(usd)
conditions = st.builds(Condition, st.sampled_from(Direction), prices)
operations = st.one_of(
    st.tuples(st.just("arm"), ids, st.lists(conditions, min_size=1, max_size=2)),
    st.tuples(st.just("leave"), ids, st.none()),
    st.tuples(st.just("cross"), prices, st.booleans()),
)
instants = st.one_of(st.integers(0, 50), st.integers(0, 5 * HOUR), st.integers(2 * HOUR - 2, 2 * HOUR + 2)).map(Instant)
settings = st.one_of(
    st.tuples(st.just("set"), ids, instants),
    st.tuples(st.just("leave"), ids, st.none()),
    st.tuples(st.just("pass"), st.none(), instants),
)
slow_sweeps = st.integers(1, 3)
"""A sweep begins soon and takes so long that much happens meanwhile."""

Watched = dict[OrderId, list[Condition]]


def taken(
    watch: TriggerIndex[list[Condition]], mint: Mint, price: UsdPrice, most: int = 100
) -> Iterator[list[OrderId]]:
    """Slice after slice."""
    more = True
    while more:
        crossed, more = watch.take_crossed(mint, price, most)
        yield crossed


@given(st.lists(operations, max_size=300), slow_sweeps)
def test_the_index_finds_what_a_look_at_every_order_finds(steps: list[tuple[str, Any, Any]], swept: int) -> None:
    orders: Watched = {}
    watch = TriggerIndex(orders, list)
    watch.stale_allowed, watch.swept_at_once = -16, swept
    for what, which, how in steps:
        if what == "arm":
            orders[which] = how
            watch.arm(which, SOL)
        elif what == "leave":
            orders.pop(which, None)
        else:
            crossed = sorted(name for name, armed in orders.items() if any(c.holds_at(which) for c in armed))
            slices = list(taken(watch, SOL, which, most=3))
            assert all(len(each) <= 3 for each in slices)
            assert sorted({name for each in slices for name in each}) == crossed
            for name in crossed:
                if how:
                    watch.arm(name, SOL)
                else:
                    del orders[name]


def test_another_mints_price_concerns_no_order() -> None:
    watch = TriggerIndex({OrderId("a"): [Condition(Direction.ABOVE, usd(1))]}, list)
    watch.arm(OrderId("a"), SOL)
    assert list(taken(watch, Mint("JUP"), usd(5))) == [[]]
    assert list(taken(watch, SOL, usd(5))) == [[OrderId("a")]]


def test_the_index_does_not_grow_with_what_left() -> None:
    orders: Watched = {}
    watch = TriggerIndex(orders, list)
    for n in range(10_000):
        order_id = OrderId(str(n % 10))
        orders[order_id] = [Condition(Direction.ABOVE, usd(1 + n))]
        watch.arm(order_id, SOL)
        assert watch._entries == sum(len(heap) for heap in watch._heaps.values())
        assert watch._entries <= 2 * (64 + 3 * 10)
    assert list(taken(watch, SOL, usd(20_000))) == [sorted(orders)], "the nearest first"


def test_who_is_watched_for_the_other_direction_by_now_is_not_found() -> None:
    orders: Watched = {}
    watch = TriggerIndex(orders, list)
    for direction in Direction:
        orders[OrderId("a")] = [Condition(direction, usd(5))]
        watch.arm(OrderId("a"), SOL)
    assert list(taken(watch, SOL, usd(6))) == [[]]
    assert list(taken(watch, SOL, usd(4))) == [[OrderId("a")]]


def test_a_slice_looks_at_so_many_entries_at_most() -> None:
    orders = {OrderId(str(n)): [Condition(Direction.ABOVE, usd(1))] for n in range(1_000)}
    watch = TriggerIndex(orders, list)
    for order_id in list(orders):
        watch.arm(order_id, SOL)
        if order_id != "999":
            orders[order_id] = [Condition(Direction.ABOVE, usd(9))]
    slices = list(taken(watch, SOL, usd(5), most=10))
    assert [each for each in slices if each] == [[OrderId("999")]]
    assert len(slices) > 10


@given(st.lists(settings, max_size=300), slow_sweeps)
def test_timers_come_by_due_time_and_then_by_id(steps: list[tuple[str, Any, Any]], swept: int) -> None:
    current: dict[OrderId, Instant] = {}
    timers = TimerQueue(current, Instant)
    timers.stale_allowed, timers.swept_at_once = -16, swept
    now = Instant(0)
    for what, which, when in steps:
        if what == "set":
            current[which] = when
            timers.set(which, when)
        elif what == "leave":
            current.pop(which, None)
        else:
            now = max(now, when)
            expected = sorted((due, order_id) for order_id, due in current.items() if due <= now)
            told = []
            while not timers.begin(now, 2):
                pass
            while (due_now := timers.due(now)) is not None:
                told.append(due_now)
                del current[due_now[1]]
            assert told == expected


@pytest.mark.parametrize("passing", [False, True])
def test_the_timers_do_not_grow_with_what_is_due_at_another_time_by_now(passing: bool) -> None:
    current: dict[OrderId, Instant] = {}
    timers = TimerQueue(current, Instant)
    for n in range(5_000):
        order_id, due = OrderId(str(n % 10)), Instant((n + n % 7) * HOUR // 5)
        current[order_id] = due
        timers.set(order_id, due)
        assert timers._entries <= 2 * (64 + 3 * 10)
        if passing and n % 3 == 0:
            timers.due(Instant(due - 2 * HOUR))
        waiting = sum(len(ids) for ids in timers._later.values())
        assert timers._entries == len(timers._soon) + waiting + len(timers._rest)


@pytest.mark.parametrize("orders", [1, 10, 1_000])
@pytest.mark.parametrize("spread", [1, HOUR])
def test_no_setting_of_a_timer_looks_at_many_others(orders: int, spread: int) -> None:
    """B16: what looks at every entry holds the loop, and at each setting would be quadratic."""
    looks = 0

    def due(instant: Instant) -> Instant:
        nonlocal looks
        looks += 1
        return instant

    current = {OrderId(str(n)): Instant(n * spread) for n in range(orders)}
    timers = TimerQueue(current, due)
    for turn in range(20):
        for order_id in list(current):
            current[order_id], looks = Instant(current[order_id] + turn + 1), 0
            timers.set(order_id, current[order_id])
            assert looks <= SWEPT_AT_ONCE
            assert timers._entries <= 2 * (64 + 3 * orders)


def test_no_arming_looks_at_many_other_orders() -> None:
    looks = 0

    def watched_for(order: list[Condition]) -> list[Condition]:
        nonlocal looks
        looks += 1
        return order

    orders: Watched = {}
    watch = TriggerIndex(orders, watched_for)
    for n in range(3_000):
        order_id, looks = OrderId(str(n)), 0
        orders[order_id] = [Condition(Direction.ABOVE, usd(1 + n))]
        watch.arm(order_id, SOL)
        assert looks <= 1 + SWEPT_AT_ONCE
        if n > 5:
            del orders[order_id]
    assert watch._entries <= 2 * (64 + 3 * 10)


def test_timers_of_orders_that_left_are_compacted_too() -> None:
    current: dict[OrderId, Instant] = {}
    timers = TimerQueue(current, Instant)
    for n in range(10_000):
        order_id = OrderId(str(n))
        current[order_id] = Instant(HOUR * (n % 50))
        timers.set(order_id, current[order_id])
        del current[order_id]
    assert timers._entries <= 2 * 64


@pytest.mark.parametrize("due", [0, 7 * HOUR])
def test_what_is_told_again_and_again_is_kept_once(due: int) -> None:
    """Also while a sweep is under way."""
    current = {OrderId(str(n)): Instant(due) for n in range(100)}
    orders = {order_id: [Condition(Direction.ABOVE, usd(1))] for order_id in current}
    timers, watch = TimerQueue(current, Instant), TriggerIndex(orders, list)
    timers.due(Instant(due - 1))
    for turn in range(50):
        for order_id in orders:
            timers.set(order_id, current[order_id])
            watch.arm(order_id, SOL)
        assert turn < 20 or max(timers._entries, watch._entries) <= 64 + 4 * 100
