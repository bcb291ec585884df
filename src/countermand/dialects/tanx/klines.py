"""Candles: what was traded in each period of time, without a gap."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Raw, Struct

from countermand.answering import Declined
from countermand.dialects.tanx import wire
from countermand.dialects.tanx.reading import invalid
from countermand.dialects.tanx.render import number
from countermand.dialects.tanx.translate import instant
from countermand.orders.book.model.market import Market
from countermand.orders.book.ports import Period
from countermand.values.instant import Instant

_MINUTE_MS: Final = 60_000


class Span(Struct, frozen=True):
    """Whole periods of one length, from the one that begins at `since` to the one that ends at `until`."""

    length_ms: int
    since: Instant
    until: Instant

    def __len__(self) -> int:
        return len(range(self.since, self.until, self.length_ms))


def span_of(asked: wire.KlineParams, now: Instant) -> Span:
    """Unless both ends are given, the limit says how many periods there are, and the last one is that of now at most.

    A period that the span reaches into is in it as a whole: its candle says the same for every span. Raises `Declined`.
    """
    period = wire.PERIODS[0] if asked.period is None else asked.period
    if period not in wire.PERIODS:
        raise Declined(invalid("period", f"Not a valid choice; it is one of {', '.join(map(str, wire.PERIODS))}."))
    length = _MINUTE_MS * period
    limit = wire.CANDLES if asked.limit is None else asked.limit
    start, end = instant(asked.start_time), instant(asked.end_time)
    until = now + 1 if end is None else min(now + 1, end)
    if start is None:
        since = max(0, (until - 1) // length * length - (limit - 1) * length)
    else:
        since = start // length * length
        until = until if end is not None else min(until, since + limit * length)
    if start is not None and end is not None and end <= start:
        until = since
    periods = len(range(since, until, length))
    span = Span(length, Instant(since), Instant(since + periods * length))
    if len(span) > wire.CANDLES_MAX:
        raise Declined(invalid("end_time", f"There may be at most {wire.CANDLES_MAX} periods."))
    return span


def candles(market: Market, span: Span, traded: Sequence[Period], close: int | None) -> Iterator[tuple[int | Raw, ...]]:
    """A period without trades repeats the last price, which is `close` before the span; None: nothing was traded."""
    by_start = {period.began: period for period in traded}
    prices, quiet = market.price_decimals, _quiet(market, close)
    for began in range(span.since, span.until, span.length_ms):
        period = by_start.get(Instant(began))
        if period is not None:
            shown = (number(price, prices) for price in (period.first, period.high, period.low, period.last))
            yield began // 1000, *shown, number(period.lots, market.volume_decimals)
            quiet = _quiet(market, period.last)
        elif quiet:
            yield began // 1000, *quiet


def _quiet(market: Market, close: int | None) -> tuple[Raw, ...]:
    return () if close is None else (*(number(close, market.price_decimals),) * 4, number(0, 0))
