"""The book that serves.

A price has a key: the price itself for bids, its negative for asks. So in both lists of keys, which are kept sorted,
the best is the last; a key's sign tells its side; and most of what happens, happens near the end of a list. At each key
a dictionary holds the ids with their lots, the oldest first.

Two things are put off, and bounded. A level that empties stays, since orders come back to most prices: it goes when it
comes last in its list, or with all the others when there are too many. And a dictionary remembers the places of what
left it: to find its first entry is to walk over those that left before it, so the levels in front are copied now and
then (each time that about the square root of the orders has left; walks and copies then cost about the same).
"""

from bisect import insort
from collections.abc import Iterable, Iterator
from math import isqrt
from typing import Final

from countermand.orders.book.model.book import Resting
from countermand.orders.book.model.order import BUY, Side

_LEVELS_MIN: Final = 64
_WORN_MIN: Final = 64
"""So few empty levels, and so few places of what left, are never too many."""


class FastBook:
    __slots__ = ("_asks", "_bids", "_keys", "_levels", "_worn", "_worn_max")

    def __init__(self) -> None:
        self._bids: list[int] = []
        self._asks: list[int] = []
        self._levels: dict[int, dict[int, int]] = {}
        self._keys: dict[int, int] = {}
        """Where each order is."""
        self._worn = 0
        """How many orders have left since the levels in front were copied."""
        self._worn_max = _WORN_MIN

    def add(self, order_id: int, side: Side, price: int, lots: int) -> None:
        self._rest(price if side is BUY else -price, order_id, lots)

    def reduce(self, order_id: int, lots: int) -> None:
        key = self._keys.get(order_id)
        assert key is not None, f"order {order_id} is not in the book"
        level = self._levels[key]
        there = level[order_id]
        if lots == there:
            self.remove(order_id)
        else:
            assert 0 < lots < there, f"order {order_id} has {there} lots, not {lots}"
            level[order_id] = there - lots

    def remove(self, order_id: int) -> None:
        key = self._keys.pop(order_id, None)
        assert key is not None, f"order {order_id} is not in the book"
        level = self._levels[key]
        del level[order_id]
        self._worn += 1
        if not level or self._worn > self._worn_max:
            self._tidy(self._bids if key > 0 else self._asks)

    def submit(self, order_id: int, side: Side, limit: int, lots: int) -> list[Resting]:
        if side is BUY:
            keys, key = self._asks, limit
        else:
            keys, key = self._bids, -limit
        hit: list[Resting] = []
        while keys and keys[-1] >= -key:
            lots = self._take(keys, lots, hit)
            if not lots:
                return hit
        self._rest(key, order_id, lots)
        return hit

    def best(self, side: Side) -> int | None:
        keys = self._bids if side is BUY else self._asks
        return abs(keys[-1]) if keys else None

    def makers(self, taker: Side, limit: int) -> Iterable[Resting]:
        keys, worst = (self._asks, -limit) if taker is BUY else (self._bids, limit)
        return self._walk(keys, worst) if keys and keys[-1] >= worst else ()

    def levels(self, side: Side) -> Iterator[tuple[int, int]]:
        for key in reversed(self._bids if side is BUY else self._asks):
            if level := self._levels[key]:
                yield abs(key), sum(level.values())

    def __contains__(self, order_id: int) -> bool:
        return order_id in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def _walk(self, keys: list[int], worst: int) -> Iterator[Resting]:
        levels = self._levels
        for key in reversed(keys):
            if key < worst:
                return
            price = abs(key)
            for order_id, lots in levels[key].items():
                yield order_id, price, lots

    def _take(self, keys: list[int], lots: int, hit: list[Resting]) -> int:
        """Takes so much from the first level, as far as it goes. Returns what is still wanted."""
        key = keys[-1]
        level, price = self._levels[key], abs(key)
        emptied = []
        for order_id, there in level.items():
            if there > lots:
                level[order_id] = there - lots
                hit.append((order_id, price, lots))
                lots = 0
                break
            hit.append((order_id, price, there))
            emptied.append(order_id)
            lots -= there
            if not lots:
                break
        for order_id in emptied:
            del level[order_id]
            del self._keys[order_id]
        self._worn += len(emptied)
        if not level or self._worn > self._worn_max:
            self._tidy(keys)
        return lots

    def _rest(self, key: int, order_id: int, lots: int) -> None:
        assert order_id not in self._keys, f"order {order_id} is in the book already"
        assert lots > 0, f"order {order_id} would rest with nothing"
        self._keys[order_id] = key
        if key in self._levels:
            self._levels[key][order_id] = lots
        else:
            self._open(key, order_id, lots)

    def _open(self, key: int, order_id: int, lots: int) -> None:
        """A new level, with its first order."""
        if len(self._levels) > _LEVELS_MIN + 2 * len(self._keys):
            self._sweep()
        self._levels[key] = {order_id: lots}
        insort(self._bids if key > 0 else self._asks, key)

    def _tidy(self, keys: list[int]) -> None:
        """Drops the empty levels at the end of a list, and renews the levels in front if they are worn."""
        levels = self._levels
        while keys and not levels[keys[-1]]:
            del levels[keys.pop()]
        if self._worn > self._worn_max:
            self._renew()

    def _sweep(self) -> None:
        """Drops all empty levels."""
        self._levels = {key: level for key, level in self._levels.items() if level}
        for keys in (self._bids, self._asks):
            keys[:] = [key for key in keys if key in self._levels]

    def _renew(self) -> None:
        """Copies the level in front of each side, without the places of those that left."""
        for keys in (self._bids, self._asks):
            if keys:
                self._levels[keys[-1]] = dict(self._levels[keys[-1]])
        self._worn, self._worn_max = 0, _WORN_MIN + 4 * isqrt(len(self._keys))
