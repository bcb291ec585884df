"""When time itself concerns an order, in the order in which it must be told: by due time, then by id.

What is due within the hour is a heap of (due, order). What is due later waits by hours, as bare ids in no order, which
weigh an eighth of that. What is stale is dropped when its turn comes, or by and by when most entries may be such.
"""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import Final, Generic, TypeAlias, TypeVar

from countermand.values.identity import OrderId
from countermand.values.instant import Instant
from countermand.values.swept_heap import STALE_ALLOWED, SWEPT_AT_ONCE, SweptHeap

_Order = TypeVar("_Order")
_Entry: TypeAlias = tuple[Instant, OrderId]
_HOUR_BITS: Final = 22
"""An hour has 2²² ms here."""


class TimerQueue(Generic[_Order]):
    """`due` says when an order is due now, if ever: what was set for another time is stale."""

    def __init__(self, orders: Mapping[OrderId, _Order], due: Callable[[_Order], Instant | None]) -> None:
        self._orders = orders
        self._due = due
        self._begun = -1
        """The last hour that has begun."""
        self._soon: SweptHeap[_Entry] = SweptHeap(self._is_current)
        """What is due in the hours that have begun."""
        self._later: dict[int, list[OrderId]] = {}
        self._hours: list[int] = []
        """A heap of the keys of `_later`."""
        self._unswept: list[int] = []
        """The hours that a sweep has yet to look at. In the last of them it is under way."""
        self._rest: list[OrderId] = []
        """What it has not looked at, of the last of `_unswept`."""
        self._kept: set[OrderId] = set()
        """What it has kept of that hour."""
        self._entries = 0
        self.stale_allowed = STALE_ALLOWED
        self.swept_at_once = SWEPT_AT_ONCE

    def set(self, order_id: OrderId, due: Instant) -> None:
        """To be told whenever an order becomes due, or due at another time than before."""
        hour = due >> _HOUR_BITS
        if hour <= self._begun:
            self._soon.push((due, order_id))
        elif hour in self._later:
            self._later[hour].append(order_id)
        else:
            self._later[hour] = [order_id]
            heappush(self._hours, hour)
        self._entries += 1
        self._sweep()

    def due(self, at: Instant) -> _Entry | None:
        """The first of those that are due at `at`. While nothing is, it costs two looks, whatever is stale on top."""
        self.begin(at)
        while (entry := self._soon.first()) is not None and entry[0] <= at:
            if self._is_current(entry):
                return entry
            self._soon.pop()
            self._entries -= 1
        return None

    def begin(self, at: Instant, most: int | None = None) -> bool:
        """The hours up to `at` begin: what waits for them is looked at, at most so many orders. False: there are more.

        Until an hour has begun, none of its orders is due.
        """
        last, left = at >> _HOUR_BITS, most
        while self._hours and self._hours[0] <= last:
            hour = self._hours[0]
            self._end_sweep_of(hour)
            waiting = self._later[hour]
            some = waiting[-left:] if left else waiting
            for order_id in some:
                due = self._current(order_id)
                if due is not None and due >> _HOUR_BITS == hour:
                    self._soon.push((due, order_id))
                else:
                    self._entries -= 1
            if left is not None:
                del waiting[-left:]
                left -= len(some)
                if waiting or left == 0:
                    return False
            heappop(self._hours)
            del self._later[hour]
            self._begun = max(self._begun, hour)
        self._begun = max(self._begun, last)
        return True

    def _current(self, order_id: OrderId) -> Instant | None:
        order = self._orders.get(order_id)
        return None if order is None else self._due(order)

    def _is_current(self, entry: _Entry) -> bool:
        return self._current(entry[1]) == entry[0]

    def _sweep(self) -> None:
        """A step of a sweep through all entries, which begins when most of them may be stale."""
        if self._entries > self.stale_allowed + 3 * len(self._orders) and self._soon.is_swept() and not self._unswept:
            self._soon.begin_sweep()
            self._unswept = list(self._later)
            self._begin_hour()
        left = self.swept_at_once
        if not self._soon.is_swept():
            before = len(self._soon)
            left -= self._soon.sweep(left)
            self._entries -= before - len(self._soon)
        while left and self._unswept:
            left -= self._sweep_hour(self._unswept[-1], left)

    def _begin_hour(self) -> None:
        """The next hour that still waits: what waits for it is taken out, and put back if it counts."""
        while self._unswept and self._unswept[-1] not in self._later:
            self._unswept.pop()
        if self._unswept:
            hour = self._unswept[-1]
            self._rest, self._later[hour] = self._later[hour], []

    def _sweep_hour(self, hour: int, most: int) -> int:
        """Looks at so many orders at most. Returns how many it saw; one that ends the hour counts as a look."""
        seen = min(most, len(self._rest))
        for _ in range(seen):
            order_id = self._rest.pop()
            due = self._current(order_id)
            if due is not None and due >> _HOUR_BITS == hour and order_id not in self._kept:
                self._kept.add(order_id)
                self._later[hour].append(order_id)
            else:
                self._entries -= 1
        if not self._rest:
            self._end_sweep_of(hour)
        return max(1, seen)

    def _end_sweep_of(self, hour: int) -> None:
        """What it has not looked at waits on."""
        if self._unswept and self._unswept[-1] == hour:
            self._later[hour] += self._rest
            self._unswept.pop()
            self._rest = []
            self._kept.clear()
            self._begin_hour()
