"""What was traded in a market in the last 24 hours, kept added up, so that to read it costs nothing.

Time is counted in whole seconds, as tickers show it: there is one sum for each second in which something was traded.
"""

from collections import deque
from typing import Final

from msgspec import Struct

from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.ports import Period, Turnover
from countermand.values.instant import Instant

SECOND_MS: Final = 1000
DAY_S: Final = 24 * 3600


def day_began(at: Instant) -> Instant:
    """The first instant of the 24 hours that end in the second of `at`."""
    return Instant((at // SECOND_MS - DAY_S) * SECOND_MS)


class _Second(Struct):
    second: int
    first: int
    last: int
    lots: int
    turnover: int


class Day:
    """Trades come in the order of time. What is too old is forgotten at the next question."""

    def __init__(self, market: MarketSymbol) -> None:
        self._market = market
        self._seconds: deque[_Second] = deque()
        self._lots = 0
        self._turnover = 0
        self._highs: deque[tuple[int, int]] = deque()
        """Seconds and their highest prices: of those that no later second reaches, the oldest and highest first."""
        self._lows: deque[tuple[int, int]] = deque()
        """The same of the lowest prices."""

    def add(self, at: Instant, ticks: int, lots: int) -> None:
        self.add_period(Period(at, ticks, ticks, ticks, ticks, lots, ticks * lots))

    def add_period(self, traded: Period) -> None:
        """What was traded within one second."""
        second = traded.began // SECOND_MS
        newest = self._seconds[-1] if self._seconds else None
        assert newest is None or newest.second <= second, f"a trade of {second} s comes after one of {newest} s"
        self._lots += traded.lots
        self._turnover += traded.turnover
        _note(self._highs, second, traded.high, 1)
        _note(self._lows, second, traded.low, -1)
        if newest is None or newest.second < second:
            self._seconds.append(_Second(second, traded.first, traded.last, traded.lots, traded.turnover))
        else:
            newest.last = traded.last
            newest.lots += traded.lots
            newest.turnover += traded.turnover

    def turnover(self, at: Instant) -> Turnover | None:
        """The 24 hours that end in the second of `at`. None: nothing was traded."""
        self._forget(day_began(at) // SECOND_MS)
        if not self._seconds:
            return None
        first, last = self._seconds[0].first, self._seconds[-1].last
        return Turnover(self._market, first, last, self._highs[0][1], self._lows[0][1], self._lots, self._turnover)

    def _forget(self, before: int) -> None:
        while self._seconds and self._seconds[0].second < before:
            oldest = self._seconds.popleft()
            self._lots -= oldest.lots
            self._turnover -= oldest.turnover
        for extremes in (self._highs, self._lows):
            while extremes and extremes[0][0] < before:
                extremes.popleft()


def _note(extremes: deque[tuple[int, int]], second: int, price: int, sign: int) -> None:
    """A price that a later one reaches is no extreme any more."""
    while extremes and extremes[-1][1] * sign <= price * sign:
        extremes.pop()
    if not extremes or extremes[-1][0] < second:
        extremes.append((second, price))
