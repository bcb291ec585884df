"""When time itself concerns an order, in the order in which it must be told: by due time, then by id.

What is due within the hour is a heap of (due, order). What is due later waits by hours, as bare ids in no order, which
weigh an eighth of that.
"""

from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeAlias, TypeVar

from countermand.values.identity import OrderId
from countermand.values.instant import Instant

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
        self._soon: list[_Entry] = []
        """A heap of what is due in the hours that have begun."""
        self._later: dict[int, list[OrderId]] = {}
        self._hours: list[int] = []
        """A heap of the keys of `_later`."""
        self._entries = 0

    def set(self, order_id: OrderId, due: Instant) -> None:
        """To be told whenever an order becomes due, or due at another time than before."""
        hour = due >> _HOUR_BITS
        if hour <= self._begun:
            heappush(self._soon, (due, order_id))
        elif hour in self._later:
            self._later[hour].append(order_id)
        else:
            self._later[hour] = [order_id]
            heappush(self._hours, hour)
        self._entries += 1
        if self._entries > 64 + 3 * len(self._orders):
            self._compact()

    def due(self, at: Instant) -> _Entry | None:
        """The first of those that are due at `at`. While nothing is, it costs two looks, whatever is stale on top."""
        self.begin(at)
        while self._soon and self._soon[0][0] <= at:
            entry = self._soon[0]
            if self._is_current(entry):
                return entry
            heappop(self._soon)
            self._entries -= 1
        return None

    def begin(self, at: Instant, most: int | None = None) -> bool:
        """The hours up to `at` begin: what waits for them is looked at, at most so many orders. False: there are more.

        Until an hour has begun, none of its orders is due.
        """
        last, left = at >> _HOUR_BITS, most
        while self._hours and self._hours[0] <= last:
            hour = self._hours[0]
            waiting = self._later[hour]
            some = waiting[-left:] if left else waiting
            for order_id in some:
                due = self._current(order_id)
                if due is not None and due >> _HOUR_BITS == hour:
                    heappush(self._soon, (due, order_id))
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

    def _due_in(self, hour: int) -> list[_Entry]:
        """Of the orders that wait for the hour, those that are still due in it."""
        dues = ((self._current(order_id), order_id) for order_id in dict.fromkeys(self._later[hour]))
        return [(due, order_id) for due, order_id in dues if due is not None and due >> _HOUR_BITS == hour]

    def _current(self, order_id: OrderId) -> Instant | None:
        order = self._orders.get(order_id)
        return None if order is None else self._due(order)

    def _is_current(self, entry: _Entry) -> bool:
        return self._current(entry[1]) == entry[0]

    def _compact(self) -> None:
        self._soon = list(dict.fromkeys(filter(self._is_current, self._soon)))
        heapify(self._soon)
        self._later = {hour: [order_id for _, order_id in self._due_in(hour)] for hour in self._later}
        self._entries = len(self._soon) + sum(map(len, self._later.values()))
