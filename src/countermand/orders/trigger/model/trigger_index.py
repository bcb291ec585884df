"""The price index: which orders a price concerns.

A heap for each mint and direction, the nearest trigger on top. What an order is watched for is asked of the order
itself: an entry that it does not confirm is stale, and is dropped when it surfaces, or when most of the entries may be
such. A price that crosses nothing costs two looks at a top, one that crosses k orders O(k log n).
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeAlias, TypeVar

from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.values.identity import Mint, OrderId
from countermand.values.quantities import UsdPrice

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
        self._heaps: dict[tuple[Mint, Direction], list[_Entry]] = {}
        self._entries = 0

    def arm(self, order_id: OrderId, mint: Mint) -> None:
        """To be told whenever an order begins to be watched, or is watched for something else than before."""
        for condition in self._conditions(self._orders[order_id]):
            heap = self._heaps.setdefault((mint, condition.direction), [])
            heappush(heap, (_distance(condition.direction, condition.price), order_id))
            self._entries += 1
        if self._entries > 64 + 3 * len(self._orders):
            self._compact()

    def take_crossed(self, mint: Mint, price: UsdPrice, most: int) -> tuple[list[OrderId], bool]:
        """At most so many of the orders that the price crosses, and whether there may be more.

        The nearest triggers come first, then the orders that were crafted first; when an order was armed does not
        matter. An order that does not cease to be watched by that must be armed again.
        """
        crossed: dict[OrderId, None] = {}
        looks = most * _LOOKS_AN_ORDER
        for direction in Direction:
            heap, reach = self._heaps.get((mint, direction), []), _distance(direction, price)
            while heap and heap[0][0] <= reach:
                if len(crossed) == most or not looks:
                    return list(crossed), True
                entry = heappop(heap)
                self._entries -= 1
                looks -= 1
                if self._is_current(entry):
                    crossed[entry[1]] = None
        return list(crossed), False

    def _is_current(self, entry: _Entry) -> bool:
        distance, order_id = entry
        order = self._orders.get(order_id)
        conditions = () if order is None else self._conditions(order)
        return any(_distance(condition.direction, condition.price) == distance for condition in conditions)

    def _compact(self) -> None:
        for heap in self._heaps.values():
            heap[:] = dict.fromkeys(filter(self._is_current, heap))
            heapify(heap)
        self._entries = sum(map(len, self._heaps.values()))


def _distance(direction: Direction, price: UsdPrice) -> int:
    return price.picodollars if direction is Direction.ABOVE else -price.picodollars
