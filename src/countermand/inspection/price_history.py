"""The prices that were set since the process started, for a chart: the newest of each token, in memory alone."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from countermand.inspection.bell import Bell
from countermand.inspection.stream import Feed, News
from countermand.inspection.wire import PriceEventWire, PricePointWire, PricesWire
from countermand.values.identity import Mint
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice, dollars

KEPT: Final = 5_000
_encode: Final = msgspec.json.Encoder().encode


class PricePoint(NamedTuple):
    number: int
    at: Instant
    price: UsdPrice


class PriceHistory:
    def __init__(self, newest: Callable[[], Mapping[Mint, UsdPrice]], now: Callable[[], Instant], bell: Bell) -> None:
        self._newest = newest
        self._now = now
        self._bell = bell
        self._points: dict[Mint, deque[PricePoint]] = {}
        self.number = 0
        """Of the newest point of all tokens."""

    async def observe(self, prices: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:  # noqa: ARG002
        """`services.prices.PriceObserver`."""
        for mint, price in prices.items():
            self._add(mint, price)
        self._bell.ring()

    def of(self, mint: Mint, limit: int) -> Sequence[PricePoint]:
        """The newest, the oldest of them first."""
        if mint not in self._points and (price := self._newest().get(mint)) is not None:
            self._add(mint, price)
        return list(self._points.get(mint, ()))[-limit:]

    def after(self, number: int) -> Sequence[tuple[Mint, PricePoint]]:
        """All points after this one that are still here, in their order."""
        found = [
            (mint, point)
            for mint, points in self._points.items()
            if points and points[-1].number > number
            for point in points
            if point.number > number
        ]
        return sorted(found, key=lambda each: each[1].number)

    def shown(self, mint: Mint, limit: int) -> PricesWire:
        return PricesWire(mint, [PricePointWire(point.at, dollars(point.price)) for point in self.of(mint, limit)])

    @property
    def feed(self) -> Feed:
        return Feed(self._follow)

    def _follow(self) -> News:
        read = self.number

        def news() -> Iterator[tuple[str, bytes]]:
            nonlocal read
            for mint, point in self.after(read):
                read = point.number
                yield "price", _encode(PriceEventWire(mint, point.at, dollars(point.price)))

        return news

    def forget(self) -> None:
        self._points.clear()

    def _add(self, mint: Mint, price: UsdPrice) -> None:
        self.number += 1
        self._points.setdefault(mint, deque(maxlen=KEPT)).append(PricePoint(self.number, self._now(), price))
