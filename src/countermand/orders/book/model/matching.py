"""An order enters the book: with which orders it trades, at which prices, what each side pays, and what stops it.

Nothing is changed here. The events are returned, and the caller applies them.
"""

from countermand.orders.book.model.book import WORST_TO_BUY, WORST_TO_SELL
from countermand.orders.book.model.events import (
    BookOrderCancelled,
    BookOrderOpened,
    BookOrderReduced,
    BookOrderRested,
    Event,
    StopTriggered,
    Traded,
    TradeLeg,
)
from countermand.orders.book.model.exchange import Exchange, MarketState
from countermand.orders.book.model.ledger.amount import ZERO, Amount
from countermand.orders.book.model.market import Market, SelfTrade, fee_of, is_beyond
from countermand.orders.book.model.order import BUY, SELL, BookOrder, CancelReason, Kind, OrderId, TradeId
from countermand.orders.book.model.quantities import Lots, Ticks
from countermand.orders.book.model.settlement import cost_of, locked_by


class _Taker:
    """An order on its way through the book: what is left of it, and of what it has locked."""

    def __init__(self, order: BookOrder, market: Market) -> None:
        self.order = order
        self.market = market
        self.left = order.remaining.lots
        self.locked = locked_by(order, market)
        self.has_ended = False
        self.trades = 0

    @property
    def limit(self) -> int:
        terms = self.order.terms
        if terms.price is not None:
            return terms.price.ticks
        return WORST_TO_BUY if terms.side is BUY else WORST_TO_SELL

    def obstacle(self, price: int) -> CancelReason | None:
        """Why it must not match at this price, nor go on to a worse one."""
        terms, reference = self.order.terms, self.order.reference
        if terms.kind is Kind.LIMIT_MAKER:
            return CancelReason.SYSTEM
        if terms.kind is Kind.LIMIT or reference is None:
            return None
        too_far = is_beyond(price, reference.ticks, self.market.slippage_max, above=terms.side is BUY)
        return CancelReason.SLIPPAGE if too_far else None

    def can_pay(self, price: int, lots: int) -> bool:
        """Only a market order can have locked less than it needs."""
        terms = self.order.terms
        return terms.side is SELL or self.market.cost(Ticks(price), Lots(lots)) <= self.locked

    def cancelled(self, reason: CancelReason) -> Event:
        self.has_ended = True
        return BookOrderCancelled(self.order.id, reason, self.locked)

    def reduced(self, lots: int) -> Event:
        """A market order to buy has locked what it may need, not what these lots cost: its rest is free at its end."""
        terms = self.order.terms
        may_need = terms.kind is Kind.MARKET and terms.side is BUY
        unlocked = ZERO if may_need else cost_of(terms, Lots(lots), self.market)
        self.left -= lots
        self.locked -= unlocked
        return BookOrderReduced(self.order.id, Lots(lots), unlocked)

    def trade(self, trade_id: TradeId, maker: BookOrder, price: int, lots: int) -> Event:
        terms, market = self.order.terms, self.market
        volume, total = market.volume(Lots(lots)), market.cost(Ticks(price), Lots(lots))
        buys = terms.side is BUY
        paid, received = (total, volume) if buys else (volume, total)
        unlocked = self._pay(paid, price, lots)
        rate, makers_rate = self.order.taker_fee, maker.maker_fee
        mine = TradeLeg(self.order.id, terms.account, paid, received, rate, fee_of(received, rate), unlocked)
        # A maker pays its own price: nothing is left over.
        other = TradeLeg(maker.id, maker.terms.account, received, paid, makers_rate, fee_of(paid, makers_rate), ZERO)
        buy, sell = (mine, other) if buys else (other, mine)
        return Traded(trade_id, market.symbol, Ticks(price), Lots(lots), terms.side, buy, sell)

    def _pay(self, paid: Amount, price: int, lots: int) -> Amount:
        """Takes a payment out of what is locked. Returns what it also needs no more, since the price was better."""
        terms = self.order.terms
        self.left -= lots
        self.locked -= paid
        if terms.side is SELL:
            return ZERO
        if terms.kind is Kind.MARKET:
            unlocked = ZERO if self.left else self.locked
        else:
            assert terms.price is not None, "only a market order has no limit"
            unlocked = Amount((terms.price.ticks - price) * lots * self.market.quote_step)
        self.locked -= unlocked
        return unlocked


def enter(exchange: Exchange, order: BookOrder, *, match_fails: bool) -> tuple[Event, ...]:
    """An order is opened and goes as far as it can, or as one turn allows."""
    return BookOrderOpened(order.id), *go_on(exchange, order, match_fails=match_fails)


def go_on(exchange: Exchange, order: BookOrder, *, match_fails: bool) -> tuple[Event, ...]:
    """What follows for an order that was opened."""
    market_state = exchange.markets[order.terms.market]
    taker = _Taker(order, market_state.market)
    events = list[Event]()
    makers = market_state.book.makers(order.terms.side, taker.limit)
    for met, (maker_id, price, there) in enumerate(makers):
        if met == exchange.orders_per_turn:
            break
        maker, lots = exchange.orders[OrderId(maker_id)], min(taker.left, there)
        if (reason := taker.obstacle(price)) is not None:
            events.append(taker.cancelled(reason))
        elif maker.terms.account == order.terms.account:
            events += _prevent(taker, maker, there)
        elif match_fails:
            events.append(taker.cancelled(CancelReason.FAILED))
        elif not taker.can_pay(price, lots):
            events.append(taker.cancelled(CancelReason.SYSTEM))
        else:
            taker.trades += 1
            events.append(taker.trade(TradeId(exchange.trades_made + taker.trades), maker, price, lots))
        if taker.has_ended or not taker.left:
            break
    else:
        events.append(_remainder(exchange, taker))
    return (*events, *_triggered(exchange, market_state, events))


def _remainder(exchange: Exchange, taker: _Taker) -> Event:
    """What the book cannot serve: of a market order it ends, of any other it rests."""
    if taker.order.terms.kind is Kind.MARKET:
        return taker.cancelled(CancelReason.SYSTEM)
    return BookOrderRested(taker.order.id, exchange.ranks_given + 1)


def _prevent(taker: _Taker, maker: BookOrder, there: int) -> list[Event]:
    """What happens instead of a trade between two orders of one account."""
    policy = taker.market.self_trade
    if policy is SelfTrade.CANCEL_NEWEST:
        return [taker.cancelled(CancelReason.SYSTEM)]
    maker_ends = BookOrderCancelled(maker.id, CancelReason.SYSTEM, locked_by(maker, taker.market))
    if policy is SelfTrade.CANCEL_OLDEST:
        return [maker_ends]
    if policy is SelfTrade.CANCEL_BOTH or taker.left == there:
        return [maker_ends, taker.cancelled(CancelReason.SYSTEM)]
    if taker.left > there:
        return [maker_ends, taker.reduced(there)]
    lots = Lots(taker.left)
    maker_reduced = BookOrderReduced(maker.id, lots, cost_of(maker.terms, lots, taker.market))
    return [maker_reduced, taker.cancelled(CancelReason.SYSTEM)]


def _triggered(exchange: Exchange, market_state: MarketState, events: list[Event]) -> list[Event]:
    """The stop orders whose price these trades reached, as many as one turn allows."""
    prices = [event.price.ticks for event in events if isinstance(event, Traded)]
    if not prices:
        return []
    crossed = market_state.stops.crossed(min(prices), max(prices), exchange.orders_per_turn)
    return [StopTriggered(order_id) for order_id in crossed]
