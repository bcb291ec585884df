"""The price index: which orders a price concerns.

A heap for each mint and direction, the nearest trigger on top. What an order is watched for is asked of the order
itself: an entry that it does not confirm is stale, and is dropped when it surfaces, or by and by when most of the
entries may be such. A price that crosses nothing costs two looks at a top, one that crosses k orders O(k log n).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeAlias, TypeVar

from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.values.identity import Mint, OrderId
from countermand.values.quantities import UsdPrice
from countermand.values.swept_heap import STALE_ALLOWED, SWEPT_AT_ONCE, SweptHeap

_Order = TypeVar("_Order")
_LOOKS_AN_ORDER: Final = 8
"""Stale entries are dropped on the way, but not all of them at once."""
_Entry: TypeAlias = tuple[int, OrderId]
"""How far the trigger is (a price above, a negated price below), and the order."""


class TriggerIndex(Generic[_Order]):
    """`conditions` says for what an order is watched now; for nothing, if it is not."""

    def __init__(self, orders: Mapping[OrderId, _Order], conditions: Callable[[_Order], Sequence[Condition]]) -> None:
        self._orders = orders
        self._conditions = conditions
        self._heaps: dict[tuple[Mint, Direction], SweptHeap[_Entry]] = {}
        self._unswept: list[SweptHeap[_Entry]] = []
        self._entries = 0
        self.stale_allowed = STALE_ALLOWED
        self.swept_at_once = SWEPT_AT_ONCE

    def arm(self, order_id: OrderId, mint: Mint) -> None:
        """To be told whenever an order begins to be watched, or is watched for something else than before."""
        for condition in self._conditions(self._orders[order_id]):
            key = mint, condition.direction
            if (heap := self._heaps.get(key)) is None:
                heap = self._heaps[key] = SweptHeap(self._is_current)
            heap.push((_distance(condition.direction, condition.price), order_id))
            self._entries += 1
        self._sweep()

    def take_crossed(self, mint: Mint, price: UsdPrice, most: int) -> tuple[list[OrderId], bool]:
        """At most so many of the orders that the price crosses, and whether there may be more.

        The nearest triggers come first, then the orders that were crafted first; when an order was armed does not
        matter. An order that does not cease to be watched by that must be armed again.
        """
        crossed: dict[OrderId, None] = {}
        looks = most * _LOOKS_AN_ORDER
        for direction in Direction:
            heap, reach = self._heaps.get((mint, direction)), _distance(direction, price)
            while heap is not None and (nearest := heap.first()) is not None and nearest[0] <= reach:
                if len(crossed) == most or not looks:
                    return list(crossed), True
                heap.pop()
                self._entries -= 1
                looks -= 1
                if self._is_current(nearest):
                    crossed[nearest[1]] = None
        return list(crossed), False

    def _is_current(self, entry: _Entry) -> bool:
        distance, order_id = entry
        order = self._orders.get(order_id)
        conditions = () if order is None else self._conditions(order)
        return any(_distance(condition.direction, condition.price) == distance for condition in conditions)

    def _sweep(self) -> None:
        """A step of a sweep through all heaps, which begins when most of the entries may be stale."""
        if not self._unswept:
            if self._entries <= self.stale_allowed + 3 * len(self._orders):
                return
            self._unswept = list(self._heaps.values())
            for heap in self._unswept:
                heap.begin_sweep()
        heap = self._unswept[-1]
        before = len(heap)
        heap.sweep(self.swept_at_once)
        self._entries -= before - len(heap)
        if heap.is_swept():
            self._unswept.pop()


def _distance(direction: Direction, price: UsdPrice) -> int:
    return price.picodollars if direction is Direction.ABOVE else -price.picodollars
