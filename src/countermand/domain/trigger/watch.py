"""The price index: which orders a price concerns.

A heap for each mint and direction, the nearest trigger on top. An order that leaves is only struck from `_armed`; its
heap entry is dropped when it surfaces, or when most of the heap is such entries. A price that crosses nothing costs two
looks at a top, one that crosses k orders O(k log n).
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from countermand.domain.identity import Mint, OrderId
from countermand.domain.quantities import UsdPrice
from countermand.domain.trigger.condition import Condition, Direction

_Entry: TypeAlias = tuple[int, int, OrderId]
"""How far the trigger is (a price above, a negated price below), the arming's number, the order."""


class _Side:
    """The triggers of one mint in one direction."""

    __slots__ = ("heap", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.heap: list[_Entry] = []


class Watch:
    def __init__(self) -> None:
        self._armed: dict[OrderId, int] = {}
        self._sides: dict[tuple[Mint, Direction], _Side] = {}
        self._armings = 0
        self._entries = 0

    def __len__(self) -> int:
        return len(self._armed)

    def arm(self, order_id: OrderId, mint: Mint, conditions: Iterator[Condition]) -> None:
        """Watches for any of the conditions, instead of those that the order was armed with before."""
        self._armings += 1
        self._armed[order_id] = self._armings
        for condition in conditions:
            side = self._side(mint, condition.direction)
            heappush(side.heap, (side.sign * condition.price.picodollars, self._armings, order_id))
            self._entries += 1
        if self._entries > 64 + 3 * len(self._armed):
            self._compact()

    def disarm(self, order_id: OrderId) -> None:
        self._armed.pop(order_id, None)

    def take_crossed(self, mint: Mint, price: UsdPrice) -> list[OrderId]:
        """Disarms the orders that the price crosses and returns them by id, so those that were crafted first first.

        When an order was armed must not matter: a restart arms all of them anew, and a replay never does.
        """
        crossed: dict[OrderId, None] = {}
        for direction in Direction:
            side = self._sides.get((mint, direction))
            if side is None:
                continue
            heap, reach = side.heap, side.sign * price.picodollars
            while heap and heap[0][0] <= reach:
                _, arming, order_id = heappop(heap)
                self._entries -= 1
                if self._armed.get(order_id) == arming:
                    crossed[order_id] = None
        for order_id in crossed:
            del self._armed[order_id]
        return sorted(crossed)

    def _side(self, mint: Mint, direction: Direction) -> _Side:
        side = self._sides.get((mint, direction))
        if side is None:
            side = self._sides[mint, direction] = _Side(1 if direction is Direction.ABOVE else -1)
        return side

    def _compact(self) -> None:
        self._entries = 0
        for side in self._sides.values():
            side.heap = [entry for entry in side.heap if self._armed.get(entry[2]) == entry[1]]
            heapify(side.heap)
            self._entries += len(side.heap)
