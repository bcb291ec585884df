"""The book that serves.

A price has a key: the price itself for bids, its negative for asks. So in both lists of keys, which are kept sorted,
the best is the last; a key's sign tells its side; and most of what happens, happens near the end of a list. At each key
an ordered dictionary holds the ids with their lots, the oldest first. (A plain one would do, if finding its first entry
did not cost a walk over all that were deleted before it.)
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator

from countermand.domain.book.book import Resting
from countermand.domain.book.order import BUY, Side


class FastBook:
    __slots__ = ("_asks", "_bids", "_keys", "_levels")

    def __init__(self) -> None:
        self._bids: list[int] = []
        self._asks: list[int] = []
        self._levels: dict[int, OrderedDict[int, int]] = {}
        self._keys: dict[int, int] = {}
        """Where each order is."""

    def add(self, order_id: int, side: Side, price: int, lots: int) -> None:
        assert order_id not in self._keys, f"order {order_id} is in the book already"
        assert lots > 0, f"order {order_id} would rest with nothing"
        key = price if side is BUY else -price
        self._keys[order_id] = key
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = OrderedDict()
            insort(self._bids if key > 0 else self._asks, key)
        level[order_id] = lots

    def reduce(self, order_id: int, lots: int) -> None:
        key = self._keys.get(order_id)
        assert key is not None, f"order {order_id} is not in the book"
        level = self._levels[key]
        left = level[order_id] - lots
        if left:
            assert 0 < left < level[order_id], f"order {order_id} has {level[order_id]} lots, not {lots}"
            level[order_id] = left
        else:
            self.remove(order_id)

    def remove(self, order_id: int) -> None:
        key = self._keys.pop(order_id, None)
        assert key is not None, f"order {order_id} is not in the book"
        level = self._levels[key]
        del level[order_id]
        if not level:
            del self._levels[key]
            keys = self._bids if key > 0 else self._asks
            if keys[-1] == key:
                keys.pop()
            else:
                del keys[bisect_left(keys, key)]

    def best(self, side: Side) -> int | None:
        keys = self._bids if side is BUY else self._asks
        return abs(keys[-1]) if keys else None

    def makers(self, taker: Side, limit: int) -> Iterator[Resting]:
        keys, worst = (self._asks, -limit) if taker is BUY else (self._bids, limit)
        levels = self._levels
        for key in reversed(keys):
            if key < worst:
                return
            price = abs(key)
            for order_id, lots in levels[key].items():
                yield order_id, price, lots

    def levels(self, side: Side) -> Iterator[tuple[int, int]]:
        for key in reversed(self._bids if side is BUY else self._asks):
            yield abs(key), sum(self._levels[key].values())

    def __contains__(self, order_id: int) -> bool:
        return order_id in self._keys

    def __len__(self) -> int:
        return len(self._keys)
