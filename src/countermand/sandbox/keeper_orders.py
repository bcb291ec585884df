"""The orders that the keeper knows, found by what they wait for, and the queue of those that are its to do.

A price that reaches no order's level costs a look at a heap for each market of its mint, one that reaches k O(k log n).
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from msgspec import Struct

from countermand.sandbox.keeper_tasks import Market, Order, Wait
from countermand.values.identity import Address
from countermand.values.instant import Instant
from countermand.values.swept_heap import STALE_ALLOWED, SWEPT_AT_ONCE, SweptHeap

IN_HAND: Final = Wait()
"""It waits for nothing: something is under way for it, or about to be."""
_LOOKS_AN_ORDER: Final = 8


class Kept(Struct, frozen=True):
    order: Order
    wait: Wait


class KeptOrders:
    def __init__(self) -> None:
        self._kept: dict[Address, Kept] = {}
        self._levels: dict[Market, SweptHeap[tuple[int, Address]]] = {}
        self._times: SweptHeap[tuple[int, Address]] = SweptHeap(self._is_due)

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, address: Address) -> Order | None:
        kept = self._kept.get(address)
        return None if kept is None else kept.order

    def keep(self, address: Address, order: Order, wait: Wait) -> None:
        """As it is now, and what it waits for now."""
        self._kept[address] = Kept(order, wait)
        for market, level in wait.levels:
            if (heap := self._levels.get(market)) is None:
                heap = self._levels[market] = SweptHeap(partial(self._is_level, market))
            self._push(heap, (level, address))
        if wait.due is not None:
            self._push(self._times, (wait.due, address))

    def drop(self, address: Address) -> None:
        self._kept.pop(address, None)

    def clear(self) -> None:
        for each in (self._kept, self._levels):
            each.clear()
        self._times = SweptHeap(self._is_due)

    def take_reached(self, reaches: Mapping[Market, int], most: int) -> tuple[list[Address], bool]:
        """At most so many of those whose level is reached, and whether there may be more.

        They are not found again until they are kept anew.
        """
        found: dict[Address, None] = {}
        looks = most * _LOOKS_AN_ORDER
        for market, reach in reaches.items():
            heap = self._levels.get(market)
            while heap is not None and (first := heap.first()) is not None and first[0] <= reach:
                if len(found) == most or not looks:
                    return list(found), True
                heap.pop()
                looks -= 1
                if self._is_level(market, first):
                    found[first[1]] = None
        return list(found), False

    def take_due(self, now: Instant, most: int) -> list[Address]:
        """At most so many of those whose time has come. They are not found again until they are kept anew."""
        found: dict[Address, None] = {}
        while len(found) < most and (first := self._times.first()) is not None and first[0] <= now:
            self._times.pop()
            if self._is_due(first):
                found[first[1]] = None
        return list(found)

    def next_due(self) -> Instant | None:
        """No later than the first time that has to be told."""
        first = self._times.first()
        return None if first is None else Instant(first[0])

    def _push(self, heap: SweptHeap[tuple[int, Address]], entry: tuple[int, Address]) -> None:
        heap.push(entry)
        if len(heap) > STALE_ALLOWED + 3 * len(self._kept):
            heap.begin_sweep()
        heap.sweep(SWEPT_AT_ONCE)

    def _is_level(self, market: Market, entry: tuple[int, Address]) -> bool:
        kept = self._kept.get(entry[1])
        return kept is not None and (market, entry[0]) in kept.wait.levels

    def _is_due(self, entry: tuple[int, Address]) -> bool:
        kept = self._kept.get(entry[1])
        return kept is not None and kept.wait.due == entry[0]


class FairQueue:
    """In turns: one order of each wallet, then the next of each. A wallet with a hundred thousand delays no other."""

    def __init__(self) -> None:
        self._wallet_of: dict[Address, str] = {}
        self._waiting: OrderedDict[str, OrderedDict[Address, None]] = OrderedDict()
        """By wallet, the next to be served first."""

    def __len__(self) -> int:
        return len(self._wallet_of)

    def __contains__(self, address: Address) -> bool:
        return address in self._wallet_of

    def __iter__(self) -> Iterator[Address]:
        return iter(self._wallet_of)

    def add(self, address: Address, wallet: str) -> None:
        """One that waits already keeps its place."""
        if address not in self._wallet_of:
            self._wallet_of[address] = wallet
            self._waiting.setdefault(wallet, OrderedDict())[address] = None

    def discard(self, address: Address) -> None:
        wallet = self._wallet_of.pop(address, None)
        if wallet is not None:
            del self._waiting[wallet][address]
            if not self._waiting[wallet]:
                del self._waiting[wallet]

    def take(self) -> Address:
        """The next. There must be one."""
        wallet, orders = next(iter(self._waiting.items()))
        address = next(iter(orders))
        self._waiting.move_to_end(wallet)
        self.discard(address)
        return address

    def clear(self) -> None:
        self._wallet_of.clear()
        self._waiting.clear()
