"""What a command does to the exchange: the only place that chooses.

Pure: an exchange, a command and an instant in; events or a refusal out. The exchange is only read: the events are
applied to it before anything else is decided.
"""

from typing import TypeAlias, assert_never

from countermand.orders.book.model.commands import (
    CancelBookOrder,
    CancelBookOrders,
    CancelByOperator,
    Command,
    ContinueBookOrder,
    Credit,
    ExpireBookOrder,
    OpenBookOrder,
    PlaceBookOrder,
    TriggerStops,
)
from countermand.orders.book.model.events import BookOrderCancelled, BookOrderPlaced, Credited, Event, StopTriggered
from countermand.orders.book.model.exchange import Exchange, MarketState
from countermand.orders.book.model.ledger.amount import Amount
from countermand.orders.book.model.ledger.transfer import Deposit
from countermand.orders.book.model.lifecycle import LIVE, place
from countermand.orders.book.model.market import Market, is_beyond
from countermand.orders.book.model.matching import enter, go_on
from countermand.orders.book.model.order import BUY, BookOrder, BookTerms, CancelReason, Kind, OrderId, OrderStatus
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.book.model.refusals import BookRefusal, BookRefused
from countermand.orders.book.model.settlement import cost_of, locked_by, spent_currency
from countermand.orders.book.model.stops import is_crossed
from countermand.values.instant import Instant
from countermand.values.quantities import BPS_ONE

Decision: TypeAlias = tuple[Event, ...]
"""The events, in order. Empty: the command changes nothing, since it took effect before."""


def decide(exchange: Exchange, command: Command, at: Instant) -> Decision | BookRefused:
    match command:
        case PlaceBookOrder():
            return _place(exchange, command, at)
        case CancelBookOrder():
            return _cancel(exchange, command)
        case CancelBookOrders():
            orders = exchange.live(command.account, command.market, command.side)[: command.limit]
            return tuple(_cancelled(exchange, order, CancelReason.USER) for order in orders)
        case CancelByOperator():
            return _end(exchange, exchange.orders.get(command.order_id), CancelReason.SYSTEM)
        case ExpireBookOrder():
            return _expire(exchange, command, at)
        case TriggerStops():
            return _trigger(exchange, command)
        case OpenBookOrder():
            return _open(exchange, command)
        case ContinueBookOrder():
            return _continue(exchange, command)
        case Credit():
            return _credit(exchange, command)
        case _:
            assert_never(command)


def flaw(market_state: MarketState, terms: BookTerms) -> BookRefused | None:
    """What is wrong with an order by itself, whichever account places it."""
    market = market_state.market
    if terms.price is None and terms.kind is not Kind.MARKET:
        return BookRefused(BookRefusal.PRICE_MISSING, detail="price")
    if terms.stop is None and terms.kind is Kind.STOP_LIMIT:
        return BookRefused(BookRefusal.STOP_MISSING, detail="stop_price")
    if terms.lots < market.volume_min:
        return BookRefused(BookRefusal.VOLUME_TOO_SMALL, detail="volume")
    if terms.lots > market.volume_max:
        return BookRefused(BookRefusal.VOLUME_TOO_BIG, detail="volume")
    if terms.kind is Kind.MARKET:
        return None  # Its price is only the worst that it takes: it may be anything.
    for price, field in ((terms.price, "price"), (terms.stop, "stop_price")):
        if price is not None and (refusal := _out_of_bounds(price, market_state)):
            return BookRefused(refusal, detail=field)
    return None


def _out_of_bounds(price: Ticks, market_state: MarketState) -> BookRefusal | None:
    market, last = market_state.market, market_state.last
    if price < market.price_min:
        return BookRefusal.PRICE_TOO_LOW
    if price > market.price_max:
        return BookRefusal.PRICE_TOO_HIGH
    if market.price_band is None or last is None:
        return None
    too_far = any(is_beyond(price.ticks, last.ticks, market.price_band, above=above) for above in (True, False))
    return BookRefusal.PRICE_OUTSIDE_BAND if too_far else None


def _place(exchange: Exchange, command: PlaceBookOrder, at: Instant) -> Decision | BookRefused:
    terms = command.terms
    before = exchange.placed(terms.account, command.nonce)
    if before is not None:
        return () if before.placement == command.placement else BookRefused(BookRefusal.NONCE_USED)
    market_state = exchange.markets.get(terms.market)
    if market_state is None:
        return BookRefused(BookRefusal.MARKET_UNKNOWN, detail="market")
    if refused := flaw(market_state, terms):
        return refused
    reference = _reference(market_state, terms)
    available = exchange.ledger.balance(terms.account, spent_currency(terms, market_state.market)).available
    locked = _to_lock(terms, market_state.market, reference, available)
    if locked is None:
        return BookRefused(BookRefusal.INSUFFICIENT_FUNDS)
    # From here on nothing can refuse.
    placed = BookOrderPlaced(
        order_id=OrderId(exchange.orders_placed + 1),
        uuid=command.uuid,
        nonce=command.nonce,
        placement=command.placement,
        terms=terms,
        maker_fee=market_state.market.maker_fee,
        taker_fee=market_state.market.taker_fee,
        reference=reference,
        locked=locked,
    )
    if terms.kind is Kind.STOP_LIMIT:
        return (placed, *_triggered_at_once(placed, market_state))
    return (placed, *enter(exchange, place(placed, at), match_fails=command.match_fails))


def _reference(market_state: MarketState, terms: BookTerms) -> Ticks | None:
    best = market_state.book.best(terms.side.other)
    return market_state.last if best is None else Ticks(best)


def _to_lock(terms: BookTerms, market: Market, reference: Ticks | None, available: Amount) -> Amount | None:
    """What the order needs at most, or None if there is not enough.

    A market order to buy locks what the worst price it would take costs, or all there is: it buys what it can pay.
    """
    if terms.kind is not Kind.MARKET or terms.side is not BUY:
        needed = cost_of(terms, terms.lots, market)
        return needed if needed <= available else None
    if not available:
        return None
    worst = market.price_max
    if reference is not None:
        worst = min(worst, Ticks(reference.ticks * (BPS_ONE + market.slippage_max.bps) // BPS_ONE))
    if terms.price is not None:
        worst = min(worst, terms.price)
    return min(available, market.cost(worst, terms.lots))


def _triggered_at_once(placed: BookOrderPlaced, market_state: MarketState) -> Decision:
    terms = placed.terms
    assert terms.stop is not None, "a stop order has a stop price"
    crossed = market_state.last is not None and is_crossed(terms.side, terms.stop.ticks, market_state.last.ticks)
    return (StopTriggered(placed.order_id),) if crossed else ()


def _trigger(exchange: Exchange, command: TriggerStops) -> Decision | BookRefused:
    reached = exchange.reached
    if reached is None or reached.market != command.market:
        return BookRefused(BookRefusal.NOTHING_TO_DO)
    stops = exchange.markets[reached.market].stops
    crossed = stops.crossed(reached.lowest.ticks, reached.highest.ticks, exchange.orders_per_turn)
    return tuple(StopTriggered(order_id) for order_id in crossed)


def _open(exchange: Exchange, command: OpenBookOrder) -> Decision | BookRefused:
    order = exchange.orders.get(command.order_id)
    if order is None or not exchange.is_triggered(order.id):
        return BookRefused(BookRefusal.NOTHING_TO_DO)
    return enter(exchange, order, match_fails=command.match_fails)


def _continue(exchange: Exchange, command: ContinueBookOrder) -> Decision | BookRefused:
    if not exchange.is_entering(command.order_id):
        return BookRefused(BookRefusal.NOTHING_TO_DO)
    return go_on(exchange, exchange.orders[command.order_id], match_fails=command.match_fails)


def _cancel(exchange: Exchange, command: CancelBookOrder) -> Decision | BookRefused:
    order = exchange.orders.get(command.order_id)
    if order is not None and order.terms.account != command.account:
        order = None
    return _end(exchange, order, CancelReason.USER)


def _end(exchange: Exchange, order: BookOrder | None, reason: CancelReason) -> Decision | BookRefused:
    if order is None:
        return BookRefused(BookRefusal.ORDER_UNKNOWN)
    if order.state is OrderStatus.FILLED:
        return BookRefused(BookRefusal.ORDER_DONE, order)
    if order.state is OrderStatus.CANCELLED:
        return BookRefused(BookRefusal.ORDER_CANCELLED, order)
    return (_cancelled(exchange, order, reason),)


def _cancelled(exchange: Exchange, order: BookOrder, reason: CancelReason) -> Event:
    return BookOrderCancelled(order.id, reason, locked_by(order, exchange.markets[order.terms.market].market))


def _expire(exchange: Exchange, command: ExpireBookOrder, at: Instant) -> Decision | BookRefused:
    order = exchange.orders.get(command.order_id)
    if order is None or order.state not in LIVE:
        return BookRefused(BookRefusal.NOTHING_TO_DO)
    if at < order.created_at + exchange.markets[order.terms.market].market.max_order_age_ms:
        return BookRefused(BookRefusal.NOTHING_TO_DO)
    return (_cancelled(exchange, order, CancelReason.SYSTEM),)


def _credit(exchange: Exchange, command: Credit) -> Decision | BookRefused:
    deposit = Deposit(command.account, command.currency, command.amount)
    if exchange.ledger.shortfall(deposit) is not None:
        return BookRefused(BookRefusal.AMOUNT_TOO_BIG, detail="amount")
    return (Credited(command.account, command.currency, command.amount),)
