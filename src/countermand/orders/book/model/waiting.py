"""What an order of the book waits for, as a value: its words are made where it is shown."""

from enum import Enum

from countermand.orders.book.model.order import Order, State


class Waiting(Enum):
    STOP_PRICE = "stop_price"
    """A trade at its stop price or beyond."""
    TURN = "turn"
    """It is accepted, or triggered, and enters the book next."""
    COUNTERPARTY = "counterparty"
    """It rests: an order of the other side at its price."""


def waits_for(order: Order) -> Waiting | None:
    """None: it has ended."""
    match order.state:
        case State.PENDING:
            is_stop = order.terms.stop is not None and order.triggered_at is None
            return Waiting.STOP_PRICE if is_stop else Waiting.TURN
        case State.WAIT:
            return Waiting.COUNTERPARTY
    return None
