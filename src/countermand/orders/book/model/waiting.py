"""What an order of the book waits for, as a value. The words are in `inspection/wording.py`."""

from enum import Enum

from countermand.orders.book.model.order import BookOrder, OrderStatus
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.book.model.stops import is_crossed


class BookWaiting(Enum):
    STOP_PRICE = "stop_price"
    """A trade at its stop price or beyond."""
    TURN = "turn"
    """It is accepted, triggered or reached, and enters the book next, or goes on through it."""
    COUNTERPARTY = "counterparty"
    """It rests: an order of the other side at its price."""


def waits_for(order: BookOrder, last: Ticks | None) -> BookWaiting | None:
    """None: it has ended. `last`: the price of its market's newest trade, no earlier than the order is looked at."""
    match order.state:
        case OrderStatus.PENDING:
            return BookWaiting.STOP_PRICE if _waits_for_a_trade(order, last) else BookWaiting.TURN
        case OrderStatus.OPEN:
            return BookWaiting.COUNTERPARTY if order.rank is not None else BookWaiting.TURN
    return None


def _waits_for_a_trade(order: BookOrder, last: Ticks | None) -> bool:
    """Of very many stops that trades reached, most are triggered in later turns."""
    stop = order.terms.stop
    if stop is None or order.triggered_at is not None:
        return False
    return last is None or not is_crossed(order.terms.side, stop.ticks, last.ticks)
