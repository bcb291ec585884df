"""Reads a journal like a suspicious customer: believes in who asked for what and who was matched, works out the rest.

It shares no code with the book, the matching or the ledger: a plain list of who rests, and fractions for the money.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from countermand.orders.book.model.events import (
    BookOrderCancelled,
    BookOrderPlaced,
    BookOrderReduced,
    BookOrderRested,
    Credited,
    Event,
    Traded,
)
from countermand.orders.book.model.ledger.amount import AMOUNT_SCALE, FEES
from countermand.orders.book.model.order import BUY, OrderStatus, Side
from tests.orders.book.venue import Venue


@dataclass
class _Seen:
    """An order as the auditor knows it."""

    placed: BookOrderPlaced
    left: int
    executed: int = 0


@dataclass
class _Auditor:
    venue: Venue
    seen: dict[int, _Seen] = field(default_factory=dict)
    queue: list[int] = field(default_factory=list)
    """Those that rest, in the order in which they came to rest."""
    ended: list[int] = field(default_factory=list)
    has: "defaultdict[tuple[str, str], Fraction]" = field(default_factory=lambda: defaultdict(Fraction))
    trades: int = 0

    def reads(self, event: Event) -> None:
        match event:
            case Credited(account, currency, amount):
                self.has[account, currency] += Fraction(amount.quanta, 10**AMOUNT_SCALE)
            case BookOrderPlaced(order_id):
                assert order_id == len(self.seen) + 1
                self.seen[order_id] = _Seen(event, event.terms.lots.lots)
            case BookOrderRested(order_id):
                assert order_id not in self.queue
                self.queue.append(order_id)
            case BookOrderReduced(order_id, lots):
                self.seen[order_id].left -= lots.lots
            case BookOrderCancelled(order_id):
                self._ends(order_id)
            case Traded():
                self._sees_trade(event)

    def _sees_trade(self, trade: Traded) -> None:
        self.trades += 1
        assert trade.trade_id == self.trades
        came, rested = (trade.buy, trade.sell) if trade.taker is BUY else (trade.sell, trade.buy)
        taker, maker = self.seen[came.order_id], self.seen[rested.order_id]
        first = self._first(trade.taker.other, trade.market)
        assert rested.order_id == first, f"trade {trade.trade_id} was with {rested.order_id}, and {first} came first"
        assert maker.placed.terms.price == trade.price
        assert trade.lots.lots == min(taker.left, maker.left)
        limit = taker.placed.terms.price
        assert limit is None or (trade.price <= limit if trade.taker is BUY else trade.price >= limit)
        assert taker.placed.terms.account != maker.placed.terms.account
        for one, leg in ((taker, came), (maker, rested)):
            assert leg.account == one.placed.terms.account
            one.left -= trade.lots.lots
            one.executed += trade.lots.lots
            if not one.left:
                self._ends(leg.order_id)
        self._books(trade, taker.placed, maker.placed)

    def _books(self, trade: Traded, taker: BookOrderPlaced, maker: BookOrderPlaced) -> None:
        """The taker pays its taker's rate and the maker its maker's, each of what it receives."""
        base, quote = trade.market[:-4], trade.market[-4:]
        volume = Fraction(trade.lots.lots, 10**4)
        total = volume * Fraction(trade.price.ticks, 10**2)
        for order, rate in ((taker, taker.taker_fee), (maker, maker.maker_fee)):
            account, buys = order.terms.account, order.terms.side is BUY
            (spent, paid), (got, received) = ((quote, total), (base, volume))[:: 1 if buys else -1]
            fee = received * Fraction(rate.millionths, 10**6)
            self.has[account, spent] -= paid
            self.has[account, got] += received - fee
            self.has[FEES, got] += fee

    def _first(self, side: Side, market: str) -> int:
        waiting = [self.seen[order_id].placed for order_id in self.queue]
        waiting = [placed for placed in waiting if (placed.terms.side, placed.terms.market) == (side, market)]
        prices = [placed.terms.price for placed in waiting if placed.terms.price is not None]
        best = max(prices) if side is BUY else min(prices)
        return next(placed.order_id for placed in waiting if placed.terms.price == best)

    def _ends(self, order_id: int) -> None:
        assert order_id not in self.ended, f"order {order_id} ended twice"
        self.ended.append(order_id)
        if order_id in self.queue:
            self.queue.remove(order_id)


def audited(venue: Venue) -> None:
    """What the venue shows is what the journal, read by another reader, comes to."""
    auditor = _Auditor(venue)
    for entry in venue.journal:
        for event in entry.events:
            auditor.reads(event)
    shown = {(a, c): Fraction(b.total.quanta, 10**AMOUNT_SCALE) for a, c, b in venue.exchange.ledger.balances()}
    assert {key: amount for key, amount in shown.items() if amount} == {k: v for k, v in auditor.has.items() if v}
    for order_id, order in venue.exchange.orders.items():
        seen = auditor.seen[order_id]
        assert (order.remaining.lots, order.executed.lots) == (seen.left, seen.executed)
        assert (order.state in (OrderStatus.FILLED, OrderStatus.CANCELLED)) == (order_id in auditor.ended)
