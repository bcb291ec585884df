"""The price index and the timers, beside naive ones."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from countermand.domain.identity import Mint, OrderId
from countermand.domain.instant import Instant
from countermand.domain.trigger.condition import Condition, Direction
from countermand.domain.trigger.timers import Timers
from countermand.domain.trigger.watch import Watch
from tests.domain.orders import usd

SOL = Mint("SOL")
ids = st.sampled_from([OrderId(name) for name in "abcdefgh"])
prices = st.integers(1, 12).map(usd)
conditions = st.builds(Condition, st.sampled_from(Direction), prices)
operations = st.one_of(
    st.tuples(st.just("arm"), ids, st.lists(conditions, min_size=1, max_size=2)),
    st.tuples(st.just("disarm"), ids, st.none()),
    st.tuples(st.just("price"), prices, st.none()),
)


@given(st.lists(operations, max_size=300))
def test_the_index_finds_what_a_look_at_every_order_finds(steps: list[tuple[str, Any, Any]]) -> None:
    watch = Watch()
    naive: dict[OrderId, list[Condition]] = {}
    for what, whom, how in steps:
        if what == "arm":
            watch.arm(whom, SOL, iter(how))
            naive.pop(whom, None)
            naive[whom] = how
        elif what == "disarm":
            watch.disarm(whom)
            naive.pop(whom, None)
        else:
            crossed = sorted(name for name, armed in naive.items() if any(c.holds_at(whom) for c in armed))
            assert watch.take_crossed(SOL, whom) == crossed
            for name in crossed:
                del naive[name]
        assert len(watch) == len(naive)


def test_another_mints_price_concerns_nobody() -> None:
    watch = Watch()
    watch.arm(OrderId("a"), SOL, iter([Condition(Direction.ABOVE, usd(1))]))
    assert watch.take_crossed(Mint("JUP"), usd(5)) == []
    assert watch.take_crossed(SOL, usd(5)) == [OrderId("a")]


def test_the_index_does_not_grow_with_what_left() -> None:
    watch = Watch()
    for n in range(10_000):
        watch.arm(OrderId(str(n % 10)), SOL, iter([Condition(Direction.ABOVE, usd(1 + n))]))
    assert watch._entries <= 64 + 3 * 10 + 1


@given(st.lists(st.tuples(ids, st.integers(1, 50)), max_size=300), st.integers(0, 60))
def test_timers_come_by_due_time_and_then_by_id(settings: list[tuple[OrderId, int]], until: int) -> None:
    current: dict[OrderId, Instant] = {}
    timers = Timers(current.get)
    for order_id, due in settings:
        current[order_id] = Instant(due)
        timers.set(order_id, Instant(due))
    told = []
    while (due_now := timers.next_due()) is not None and due_now[0] <= until:
        told.append(due_now)
        del current[due_now[1]]
    expected = sorted((due, order_id) for order_id, due in dict(settings).items() if due <= until)
    assert told == expected
