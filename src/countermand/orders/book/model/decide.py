"""What a command does to the venue: the only place that chooses.

Pure: a desk, a command and an instant in; events or a refusal out. The desk is only read: what is returned becomes so
when it is applied, before anything else is decided.
"""

from typing import TypeAlias, assert_never

from countermand.orders.book.model.commands import (
    CancelByOperator,
    CancelOrder,
    CancelOrders,
    Command,
    Credit,
    ExpireOrder,
    OpenOrder,
    PlaceOrder,
)
from countermand.orders.book.model.events import Credited, Event, OrderCancelled, OrderPlaced, StopTriggered
from countermand.orders.book.model.exchange import Desk, Pit
from countermand.orders.book.model.ledger.amount import Amount
from countermand.orders.book.model.ledger.transfer import Deposit
from countermand.orders.book.model.lifecycle import LIVE, place
from countermand.orders.book.model.market import Market, is_beyond
from countermand.orders.book.model.matching import enter
from countermand.orders.book.model.order import BUY, CancelReason, Kind, Order, OrderId, State, Terms
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.book.model.refusals import Refusal, Refused
from countermand.orders.book.model.settlement import cost_of, locked_by, spent_currency
from countermand.orders.book.model.stops import is_crossed
from countermand.values.instant import Instant
from countermand.values.quantities import BPS_ONE

Decision: TypeAlias = tuple[Event, ...]
"""What happened, in order. Empty: it had happened before, and is so."""


def decide(desk: Desk, command: Command, at: Instant) -> Decision | Refused:
    match command:
        case PlaceOrder():
            return _place(desk, command, at)
        case CancelOrder():
            return _cancel(desk, command)
        case CancelOrders():
            orders = desk.live(command.account, command.market, command.side)[: command.limit]
            return tuple(_cancelled(desk, order, CancelReason.USER) for order in orders)
        case CancelByOperator():
            return _end(desk, desk.orders.get(command.order_id), CancelReason.SYSTEM)
        case ExpireOrder():
            return _expire(desk, command, at)
        case OpenOrder():
            return _open(desk, command)
        case Credit():
            return _credit(desk, command)
        case _:
            assert_never(command)


def flaw(pit: Pit, terms: Terms) -> Refused | None:
    """What is wrong with an order by itself, whichever account places it."""
    market = pit.market
    if terms.price is None and terms.kind is not Kind.MARKET:
        return Refused(Refusal.PRICE_MISSING, detail="price")
    if terms.stop is None and terms.kind is Kind.STOP_LIMIT:
        return Refused(Refusal.STOP_MISSING, detail="stop_price")
    if terms.lots < market.volume_min:
        return Refused(Refusal.VOLUME_TOO_SMALL, detail="volume")
    if terms.lots > market.volume_max:
        return Refused(Refusal.VOLUME_TOO_BIG, detail="volume")
    if terms.kind is Kind.MARKET:
        return None  # Its price is only the worst that it takes: it may be anything.
    for price, field in ((terms.price, "price"), (terms.stop, "stop_price")):
        if price is not None and (refusal := _out_of_bounds(price, pit)):
            return Refused(refusal, detail=field)
    return None


def _out_of_bounds(price: Ticks, pit: Pit) -> Refusal | None:
    market, last = pit.market, pit.last
    if price < market.price_min:
        return Refusal.PRICE_TOO_LOW
    if price > market.price_max:
        return Refusal.PRICE_TOO_HIGH
    if market.price_band is None or last is None:
        return None
    too_far = any(is_beyond(price.ticks, last.ticks, market.price_band, above=above) for above in (True, False))
    return Refusal.PRICE_OUTSIDE_BAND if too_far else None


def _place(desk: Desk, command: PlaceOrder, at: Instant) -> Decision | Refused:
    terms = command.terms
    before = desk.placed(terms.account, command.nonce)
    if before is not None:
        return () if before.placement == command.placement else Refused(Refusal.NONCE_USED)
    pit = desk.pits.get(terms.market)
    if pit is None:
        return Refused(Refusal.MARKET_UNKNOWN, detail="market")
    if refused := flaw(pit, terms):
        return refused
    reference = _reference(pit, terms)
    available = desk.ledger.balance(terms.account, spent_currency(terms, pit.market)).available
    locked = _to_lock(terms, pit.market, reference, available)
    if locked is None:
        return Refused(Refusal.INSUFFICIENT_FUNDS)
    # From here on nothing can refuse.
    placed = OrderPlaced(
        order_id=OrderId(desk.orders_placed + 1),
        uuid=command.uuid,
        nonce=command.nonce,
        placement=command.placement,
        terms=terms,
        maker_fee=pit.market.maker_fee,
        taker_fee=pit.market.taker_fee,
        reference=reference,
        locked=locked,
    )
    if terms.kind is Kind.STOP_LIMIT:
        return (placed, *_triggered_at_once(placed, pit))
    return (placed, *enter(desk, place(placed, at), locked, match_fails=command.match_fails))


def _reference(pit: Pit, terms: Terms) -> Ticks | None:
    best = pit.book.best(terms.side.other)
    return pit.last if best is None else Ticks(best)


def _to_lock(terms: Terms, market: Market, reference: Ticks | None, available: Amount) -> Amount | None:
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


def _triggered_at_once(placed: OrderPlaced, pit: Pit) -> Decision:
    terms = placed.terms
    assert terms.stop is not None, "a stop order has a stop price"
    crossed = pit.last is not None and is_crossed(terms.side, terms.stop.ticks, pit.last.ticks)
    return (StopTriggered(placed.order_id),) if crossed else ()


def _open(desk: Desk, command: OpenOrder) -> Decision | Refused:
    order = desk.orders.get(command.order_id)
    if order is None or not desk.is_triggered(order.id):
        return Refused(Refusal.NOTHING_TO_DO)
    locked = locked_by(order, desk.pits[order.terms.market].market)
    return enter(desk, order, locked, match_fails=command.match_fails)


def _cancel(desk: Desk, command: CancelOrder) -> Decision | Refused:
    order = desk.orders.get(command.order_id)
    if order is not None and order.terms.account != command.account:
        order = None
    return _end(desk, order, CancelReason.USER)


def _end(desk: Desk, order: Order | None, reason: CancelReason) -> Decision | Refused:
    if order is None:
        return Refused(Refusal.ORDER_UNKNOWN)
    if order.state is State.DONE:
        return Refused(Refusal.ORDER_DONE, order)
    if order.state is State.CANCEL:
        return Refused(Refusal.ORDER_CANCELLED, order)
    return (_cancelled(desk, order, reason),)


def _cancelled(desk: Desk, order: Order, reason: CancelReason) -> Event:
    return OrderCancelled(order.id, reason, locked_by(order, desk.pits[order.terms.market].market))


def _expire(desk: Desk, command: ExpireOrder, at: Instant) -> Decision | Refused:
    order = desk.orders.get(command.order_id)
    if order is None or order.state not in LIVE:
        return Refused(Refusal.NOTHING_TO_DO)
    if at < order.created_at + desk.pits[order.terms.market].market.max_order_age_ms:
        return Refused(Refusal.NOTHING_TO_DO)
    return (_cancelled(desk, order, CancelReason.SYSTEM),)


def _credit(desk: Desk, command: Credit) -> Decision | Refused:
    deposit = Deposit(command.account, command.currency, command.amount)
    if desk.ledger.shortfall(deposit) is not None:
        return Refused(Refusal.AMOUNT_TOO_BIG, detail="amount")
    return (Credited(command.account, command.currency, command.amount),)
