"""The index of trailing orders and their watermarks, beside naive ones."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.orders.trigger.model.condition import Direction
from countermand.orders.trigger.model.trailing import Move, Trail, TrailingIndex, Watermarks, trigger_price
from countermand.values.identity import OrderId
from countermand.values.quantities import USD_PRICE_MAX, Bps, UsdPrice

ids = st.sampled_from([OrderId(name) for name in "abcdefgh"])
prices = st.integers(1, 40).map(lambda dollars: UsdPrice(dollars * 10**12))
distances = st.sampled_from([50, 500, 1_000, 5_000, 9_000]).map(Bps)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("place"), ids, distances),
        st.tuples(st.just("leave"), ids, st.none()),
        st.tuples(st.just("price"), prices, st.none()),
    ),
    max_size=80,
)


@pytest.mark.parametrize("direction", Direction)
@given(steps)
def test_it_follows_and_finds_what_a_look_at_every_order_finds(direction: Direction, steps: list[Any]) -> None:
    best = max if direction is Direction.BELOW else min
    naive: dict[OrderId, tuple[UsdPrice, Bps]] = {}
    trails: dict[OrderId, Trail] = {}
    marks, now = Watermarks(direction), UsdPrice(20 * 10**12)

    def watched(trail: Trail) -> Trail:
        return Trail(trail.distance, marks.of(trail))

    index = TrailingIndex(direction, trails, watched)
    for what, which, distance in steps:
        if what == "place":
            naive[which] = now, distance
            trails[which] = Trail(distance, now, marks.mark)
            index.arm(which, watched(trails[which]))
        elif what == "leave":
            naive.pop(which, None)
            trails.pop(which, None)
        else:
            now = which
            if index.is_moved_by(now):
                marks.moved(now)
                index.move(now)
                marks.keep(index.watermarks())
                assert len(marks.moves) <= len(trails), "a move is kept for an order that trails by it"
            naive = {name: (best(mark, now), bps) for name, (mark, bps) in naive.items()}
            crossed = sorted(name for name, each in naive.items() if holds(direction, now, *each))
            found, more = dict[OrderId, None](), True
            while more:
                some, more = index.take_crossed(now, 2)
                assert len(some) <= 2
                found |= dict.fromkeys(some)
            assert sorted(found) == crossed
            for name in found:
                del naive[name], trails[name]
        assert {name: marks.of(trail) for name, trail in trails.items()} == {
            name: mark for name, (mark, _) in naive.items()
        }


def holds(direction: Direction, price: UsdPrice, watermark: UsdPrice, distance: Bps) -> bool:
    trigger = trigger_price(direction, watermark, distance)
    return price <= trigger if direction is Direction.BELOW else price >= trigger


def test_only_moves_that_still_say_something_are_kept() -> None:
    marks = Watermarks(Direction.BELOW)
    for dollars in (5, 9, 7, 8, 6):
        marks.moved(UsdPrice(dollars))
    assert marks.moves == [Move(2, UsdPrice(9)), Move(4, UsdPrice(8)), Move(5, UsdPrice(6))]
    assert Watermarks(Direction.BELOW, marks.mark, marks.moves).moves == marks.moves


@pytest.mark.parametrize(
    ("direction", "watermark", "bps", "trigger"),
    [
        (Direction.ABOVE, 75_028, 1_000, 82_531),
        (Direction.BELOW, 75_028, 1_000, 67_525),
        (Direction.BELOW, 1, 9_000, 1),
        (Direction.ABOVE, USD_PRICE_MAX // 2, 9_000, 95 * USD_PRICE_MAX // 100),
        (Direction.ABOVE, 6 * USD_PRICE_MAX // 10, 9_000, USD_PRICE_MAX),
    ],
)
def test_a_trigger_is_rounded_away_from_the_market(
    direction: Direction, watermark: int, bps: int, trigger: int
) -> None:
    assert trigger_price(direction, UsdPrice(watermark), Bps(bps)) == UsdPrice(trigger)


class Asked:
    """A hundred orders that trail a hundred dollars, and how often one of them was looked at."""

    def __init__(self) -> None:
        self.times = 0
        trails = {OrderId(str(n)): Trail(Bps(500), UsdPrice(100)) for n in range(100)}
        self.index = TrailingIndex(Direction.BELOW, trails, self._watched)
        for order_id, trail in trails.items():
            self.index.arm(order_id, trail)

    def _watched(self, trail: Trail) -> Trail:
        self.times += 1
        return trail


def test_a_price_that_moves_nothing_asks_no_order() -> None:
    asked = Asked()
    assert not asked.index.is_moved_by(UsdPrice(100))
    assert asked.index.take_crossed(UsdPrice(96), 10) == ([], False)
    assert asked.times == 0


def test_a_new_extremum_asks_no_order_of_those_that_trail_together_already() -> None:
    """Or each new high of a market would cost as much as the orders that trail it are many."""
    asked = Asked()
    for price in (101, 102, 103):
        asked.index.move(UsdPrice(price))
    assert asked.times == 0
