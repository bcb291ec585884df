"""Why a command on the order books is refused."""

from enum import Enum, auto

from countermand.orders.book.model.order import BookOrder
from countermand.values.refusal import CommandRefused


class BookRefusal(Enum):
    """A closed list, in order of precedence within each command: if two are true, the earlier one is the answer."""

    NONCE_USED = auto()
    """By another request of the same account."""
    MARKET_UNKNOWN = auto()
    PRICE_MISSING = auto()
    STOP_MISSING = auto()
    VOLUME_TOO_SMALL = auto()
    VOLUME_TOO_BIG = auto()
    PRICE_TOO_LOW = auto()
    PRICE_TOO_HIGH = auto()
    PRICE_OUTSIDE_BAND = auto()
    INSUFFICIENT_FUNDS = auto()

    ORDER_UNKNOWN = auto()
    """Or another account's: the answer does not say which."""
    ORDER_DONE = auto()
    ORDER_CANCELLED = auto()

    AMOUNT_TOO_BIG = auto()
    NOTHING_TO_DO = auto()
    """The command has taken effect before, or its reason is gone."""


class BookRefused(CommandRefused, frozen=True):
    refusal: BookRefusal
    order: BookOrder | None = None
    """The order as it is, when it has ended."""
    detail: str = ""
    """The field."""
