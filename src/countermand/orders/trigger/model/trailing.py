"""Trailing triggers: how far the market went since an order was placed, and which orders a price crosses.

An order that trails below has a high watermark, the highest price since it was placed, and triggers so many basis
points below it; one that trails above has a low watermark, and triggers above it. Orders with one watermark are one
group, ordered by basis points. A new extremum makes one group of all whose watermarks it is beyond.

Watermarks are not written to orders: that would be every order with every price. Each move has a number, its mark. An
order remembers the mark by which its watermark was true; the moves since then say what it is now.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeAlias, TypeVar

from countermand.orders.trigger.model.condition import Direction
from countermand.values.identity import OrderId
from countermand.values.quantities import BPS_ONE, USD_PRICE_MAX, Bps, UsdPrice
from countermand.values.structs import Struct

BPS_MIN: Final = 50
BPS_MAX: Final = 9_000

_Order = TypeVar("_Order")
_Entry: TypeAlias = tuple[int, OrderId]
"""Basis points, and the order."""
_LOOKS_AN_ORDER: Final = 8


class Trail(Struct, frozen=True):
    """How far behind its watermark a leg triggers. `watermark` None: it is not placed yet."""

    distance: Bps
    watermark: UsdPrice | None = None
    mark: int = 0
    """The last move that the watermark knows of."""


class Move(Struct, frozen=True):
    mark: int
    price: UsdPrice


def trigger_price(direction: Direction, watermark: UsdPrice, distance: Bps) -> UsdPrice:
    """watermark × (1 ∓ bps/10⁴), the user's way: rounded away from the market. Never 0, nor above the highest price."""
    if direction is Direction.BELOW:
        return UsdPrice(max(1, watermark.picodollars * (BPS_ONE - distance.bps) // BPS_ONE))
    return UsdPrice(min(USD_PRICE_MAX, -(-watermark.picodollars * (BPS_ONE + distance.bps) // BPS_ONE)))


def is_beyond(direction: Direction, price: UsdPrice, watermark: UsdPrice) -> bool:
    """Whether the price moves the watermark: upwards, if the trigger is below."""
    return price > watermark if direction is Direction.BELOW else price < watermark


class Watermarks:
    """The moves of one mint and direction that still say something: each is nearer to the market than those before."""

    __slots__ = ("direction", "mark", "moves")

    def __init__(self, direction: Direction, mark: int = 0, moves: Iterable[Move] = ()) -> None:
        self.direction = direction
        self.mark = mark
        self.moves = list(moves)

    def moved(self, price: UsdPrice) -> None:
        self.mark += 1
        while self.moves and not is_beyond(self.direction, self.moves[-1].price, price):
            self.moves.pop()
        self.moves.append(Move(self.mark, price))

    def keep(self, watermarks: Collection[UsdPrice]) -> None:
        """Forgets the moves by which no order trails. `watermarks`: those of the orders that live."""
        self.moves = [move for move in self.moves if move.price in watermarks]

    def of(self, trail: Trail) -> UsdPrice:
        """The watermark as of now."""
        assert trail.watermark is not None, "it is placed"
        since = bisect_right(self.moves, trail.mark, key=lambda move: move.mark)
        if since < len(self.moves) and is_beyond(self.direction, self.moves[since].price, trail.watermark):
            return self.moves[since].price
        return trail.watermark


class _Group:
    __slots__ = ("entries", "watermark")

    def __init__(self, watermark: UsdPrice, entries: list[_Entry]) -> None:
        self.watermark = watermark
        self.entries = entries


class TrailingIndex(Generic[_Order]):
    """Those of one mint and direction. `watched` says how an order trails now; None, if it is not watched.

    Its groups stand with the watermark farthest from the market first. A price that crosses nothing and moves nothing
    costs two comparisons.
    """

    def __init__(
        self, direction: Direction, orders: Mapping[OrderId, _Order], watched: Callable[[_Order], Trail | None]
    ) -> None:
        self._direction = direction
        self._orders = orders
        self._watched = watched
        self._groups: list[_Group] = []
        self._nearest: int | None = None
        """The distance of the nearest trigger, or of one that was there; None: there is none."""

    def arm(self, order_id: OrderId, trail: Trail) -> None:
        """To be told whenever an order begins to be watched, or trails otherwise than before. `trail` is as of now."""
        assert trail.watermark is not None, "it is placed"
        at = bisect_right(self._groups, self._rank(trail.watermark), key=lambda group: self._rank(group.watermark))
        if at and self._groups[at - 1].watermark == trail.watermark:
            entries = self._groups[at - 1].entries
            heappush(entries, (trail.distance.bps, order_id))
            if len(entries) > 64 + 3 * len(self._orders):
                entries[:] = dict.fromkeys(filter(self._is_current, entries))
                heapify(entries)
        else:
            self._groups.insert(at, _Group(trail.watermark, [(trail.distance.bps, order_id)]))
        reach = self._reach(trail.watermark, trail.distance)
        self._nearest = reach if self._nearest is None else min(self._nearest, reach)

    def is_moved_by(self, price: UsdPrice) -> bool:
        """Whether it is beyond the watermark of any."""
        while self._groups and is_beyond(self._direction, price, self._groups[-1].watermark):
            if self._has_any(self._groups[-1]):
                return True
            self._groups.pop()
        return False

    def watermarks(self) -> Collection[UsdPrice]:
        """Those that any has."""
        self._groups = [group for group in self._groups if self._has_any(group)]
        return {group.watermark: None for group in self._groups}

    def _has_any(self, group: _Group) -> bool:
        while group.entries and not self._is_current(group.entries[0], group.watermark):
            heappop(group.entries)
        return bool(group.entries)

    def move(self, price: UsdPrice) -> None:
        """A new extremum: one group of all that it is beyond. Of those that were one already none is looked at."""
        merged: list[_Entry] = []
        while self._groups and not is_beyond(self._direction, self._groups[-1].watermark, price):
            merged = _poured(merged, self._groups.pop().entries)
        if merged:
            self._groups.append(_Group(price, merged))
        self._look_again()

    def take_crossed(self, price: UsdPrice, most: int) -> tuple[list[OrderId], bool]:
        """At most so many of the orders that the price crosses, and whether there may be more."""
        distance, crossed, looks = self._distance(price), dict[OrderId, None](), most * _LOOKS_AN_ORDER
        if self._nearest is None or distance < self._nearest:
            return [], False
        for group in self._groups:
            while group.entries and self._reach(group.watermark, Bps(group.entries[0][0])) <= distance:
                if len(crossed) == most or not looks:
                    return list(crossed), True
                entry, looks = heappop(group.entries), looks - 1
                if self._is_current(entry, group.watermark):
                    crossed[entry[1]] = None
        self._groups = [group for group in self._groups if group.entries]
        self._look_again()
        return list(crossed), False

    def _look_again(self) -> None:
        reaches = [self._reach(group.watermark, Bps(group.entries[0][0])) for group in self._groups]
        self._nearest = min(reaches) if reaches else None

    def _is_current(self, entry: _Entry, watermark: UsdPrice | None = None) -> bool:
        order = self._orders.get(entry[1])
        trail = None if order is None else self._watched(order)
        return trail is not None and trail.distance.bps == entry[0] and watermark in (None, trail.watermark)

    def _reach(self, watermark: UsdPrice, distance: Bps) -> int:
        return self._distance(trigger_price(self._direction, watermark, distance))

    def _distance(self, price: UsdPrice) -> int:
        """The smaller, the sooner a price that moves towards the triggers reaches it."""
        return price.picodollars if self._direction is Direction.ABOVE else -price.picodollars

    def _rank(self, watermark: UsdPrice) -> int:
        """Ascending, with the watermark that is farthest from the market first."""
        return -watermark.picodollars if self._direction is Direction.BELOW else watermark.picodollars


def _poured(entries: list[_Entry], others: list[_Entry]) -> list[_Entry]:
    """The smaller heap into the larger one. What is stale is dropped when it surfaces."""
    larger, smaller = (entries, others) if len(entries) >= len(others) else (others, entries)
    if len(smaller) * _LOOKS_AN_ORDER < len(larger):
        for entry in smaller:
            heappush(larger, entry)
    elif smaller:
        larger += smaller
        heapify(larger)
    return larger
