"""When time itself concerns an order, in the order in which it must be told: by due time, then by id."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from countermand.domain.identity import OrderId
from countermand.domain.instant import Instant


class Timers:
    """A heap of (due, order). `current` gives an order's present due time: an entry that differs from it is stale."""

    def __init__(self, current: Callable[[OrderId], Instant | None]) -> None:
        self._current = current
        self._heap: list[tuple[Instant, OrderId]] = []
        self._bound = 64

    def set(self, order_id: OrderId, due: Instant) -> None:
        heappush(self._heap, (due, order_id))
        if len(self._heap) > self._bound:
            self._compact()

    def due(self, at: Instant) -> tuple[Instant, OrderId] | None:
        """The first of those that are due at `at`. While nothing is, it costs one look, whatever is stale on top."""
        if not self._heap or self._heap[0][0] > at:
            return None
        first = self.next_due()
        return None if first is None or first[0] > at else first

    def next_due(self) -> tuple[Instant, OrderId] | None:
        while self._heap:
            due, order_id = self._heap[0]
            if self._current(order_id) == due:
                return due, order_id
            heappop(self._heap)
        return None

    def _compact(self) -> None:
        live = dict.fromkeys(entry for entry in self._heap if self._current(entry[1]) == entry[0])
        self._heap = list(live)
        heapify(self._heap)
        self._bound = 64 + 2 * len(self._heap)
