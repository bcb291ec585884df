"""The life of an order of the book.

Rule 1: every state and every transition of an order is in this file.
Rule 2: this file knows no wire format, no book and no clock.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias, assert_never

from countermand.orders.book.model.events import (
    BookOrderCancelled,
    BookOrderOpened,
    BookOrderPlaced,
    BookOrderReduced,
    BookOrderRested,
    OrderEvent,
    StopTriggered,
    Traded,
)
from countermand.orders.book.model.ledger.amount import Amount
from countermand.orders.book.model.order import BUY, BookOrder, Kind, OrderStatus
from countermand.values.instant import Instant
from countermand.values.structs import UNSET, UnsetType, replace
from countermand.values.transitions import ByRest, IllegalTransition

_Moves: TypeAlias = Mapping[type[OrderEvent], OrderStatus | ByRest[OrderStatus]]

TRANSITIONS: Final[Mapping[OrderStatus, _Moves]] = MappingProxyType(
    {
        # A stop order stays here until a trade triggers it; any other order is opened in the turn that placed it.
        OrderStatus.PENDING: {
            StopTriggered: OrderStatus.PENDING,
            BookOrderOpened: OrderStatus.OPEN,
            BookOrderCancelled: OrderStatus.CANCELLED,
        },
        OrderStatus.OPEN: {
            BookOrderRested: OrderStatus.OPEN,
            Traded: ByRest(none=OrderStatus.FILLED, some=OrderStatus.OPEN),
            BookOrderReduced: OrderStatus.OPEN,
            BookOrderCancelled: OrderStatus.CANCELLED,
        },
        OrderStatus.FILLED: {},
        OrderStatus.CANCELLED: {},
    }
)

LIVE: Final = (OrderStatus.PENDING, OrderStatus.OPEN)


def place(event: BookOrderPlaced, at: Instant) -> BookOrder:
    """The beginning of every life."""
    terms = event.terms
    return BookOrder(
        id=event.order_id,
        uuid=event.uuid,
        nonce=event.nonce,
        placement=event.placement,
        terms=terms,
        maker_fee=event.maker_fee,
        taker_fee=event.taker_fee,
        reference=event.reference,
        state=OrderStatus.PENDING,
        created_at=at,
        updated_at=at,
        origin=terms.lots,
        held=event.locked if terms.kind is Kind.MARKET and terms.side is BUY else UNSET,
    )


def evolve(order: BookOrder, event: OrderEvent, at: Instant) -> BookOrder:
    """The order after the event. Raises `IllegalTransition` if the table does not allow it."""
    outcome = TRANSITIONS[order.state].get(type(event))
    if outcome is None:
        raise IllegalTransition(f"order {order.id} is {order.state.value}: {type(event).__name__} cannot follow")
    after = _changed(order, event, at)
    state = outcome if isinstance(outcome, OrderStatus) else outcome.of(is_left=bool(after.remaining))
    return after if state is after.state else replace(after, state=state)


def is_resting(order: BookOrder) -> bool:
    return order.state is OrderStatus.OPEN and order.rank is not None


def is_entering(order: BookOrder) -> bool:
    """It is on its way through the book, and meets more makers than one turn serves."""
    return order.state is OrderStatus.OPEN and order.rank is None


def waits_to_be_opened(order: BookOrder) -> bool:
    """A trade has triggered it, and its turn has not come."""
    return order.state is OrderStatus.PENDING and order.triggered_at is not None


def _changed(order: BookOrder, event: OrderEvent, at: Instant) -> BookOrder:
    """The order with all that the event changes, but for the state."""
    match event:
        case Traded():
            assert event.lots <= order.remaining, f"order {order.id} has {order.remaining} left, not {event.lots}"
            return replace(
                order,
                updated_at=at,
                executed=order.executed + event.lots,
                turnover=order.turnover + event.price.ticks * event.lots.lots,
                trades=order.trades + 1,
                held=_held_less(order, event.buy.paid, event.buy.unlocked),
            )
        case BookOrderRested():
            assert order.rank is None, f"order {order.id} rests already"
            return replace(order, updated_at=at, rank=event.rank)
        case BookOrderReduced():
            assert event.lots < order.remaining, (
                f"order {order.id} has {order.remaining}, which is not to be reduced away"
            )
            return replace(order, updated_at=at, origin=order.origin - event.lots)
        case BookOrderCancelled():
            held = _held_less(order, event.unlocked)
            return replace(order, updated_at=at, cancel_reason=event.reason, held=held)
        case StopTriggered():
            assert order.triggered_at is None, f"order {order.id} was triggered already"
            return replace(order, updated_at=at, triggered_at=at)
        case BookOrderOpened():
            return replace(order, updated_at=at)
        case BookOrderPlaced():
            raise IllegalTransition(f"order {order.id} was placed already")
        case _:
            assert_never(event)


def _held_less(order: BookOrder, *spent: Amount) -> Amount | UnsetType:
    held = order.held
    if isinstance(held, UnsetType):
        return held
    for amount in spent:
        held -= amount
    return held
