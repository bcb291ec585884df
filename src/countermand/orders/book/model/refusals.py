"""Why a command on the venue is refused."""

from dataclasses import dataclass
from enum import Enum, auto

from countermand.orders.book.model.order import Order
from countermand.values.refusal import CommandRefused


class Refusal(Enum):
    """A closed list, in order of precedence within each command: if two things are wrong, the earlier one is told."""

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
    """Or another account's, which is not told."""
    ORDER_DONE = auto()
    ORDER_CANCELLED = auto()

    AMOUNT_TOO_BIG = auto()
    NOTHING_TO_DO = auto()
    """What the command would do is done, or its reason is gone."""


@dataclass(frozen=True, slots=True)
class Refused(CommandRefused):
    refusal: Refusal
    order: Order | None = None
    """The order as it is, when it has ended."""
    detail: str = ""
    """The field."""
