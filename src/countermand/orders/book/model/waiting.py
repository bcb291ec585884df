"""What an order of the book waits for, as a value. The words are in `inspection/wording.py`."""

from enum import Enum

from countermand.orders.book.model.order import BookOrder, OrderStatus


class BookWaiting(Enum):
    STOP_PRICE = "stop_price"
    """A trade at its stop price or beyond."""
    TURN = "turn"
    """It is accepted, or triggered, and enters the book next, or goes on through it."""
    COUNTERPARTY = "counterparty"
    """It rests: an order of the other side at its price."""


def waits_for(order: BookOrder) -> BookWaiting | None:
    """None: it has ended."""
    match order.state:
        case OrderStatus.PENDING:
            is_stop = order.terms.stop is not None and order.triggered_at is None
            return BookWaiting.STOP_PRICE if is_stop else BookWaiting.TURN
        case OrderStatus.WAIT:
            return BookWaiting.COUNTERPARTY if order.rank is not None else BookWaiting.TURN
    return None
