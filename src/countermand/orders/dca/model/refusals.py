"""Why a command on a recurring order is refused."""

from dataclasses import dataclass
from enum import Enum, auto

from countermand.orders.dca.model.order import State
from countermand.values.identity import OrderId
from countermand.values.refusal import CommandRefused


class Refusal(Enum):
    """A closed list, in order of precedence within each command: if two things are wrong, the earlier one is told."""

    ORDER_UNKNOWN = auto()
    """Or it is another wallet's, which is not told apart."""

    DEPOSIT_DUPLICATE = auto()
    DEPOSIT_FAILED_BEFORE = auto()
    DEPOSIT_UNLIKE_CRAFT = auto()
    BEGIN_PAST = auto()
    BEGIN_TOO_LATE = auto()
    PRICE_UNKNOWN = auto()
    ROUND_TOO_SMALL = auto()
    TOO_MANY_ACTIVE = auto()

    STATE_FORBIDS_CANCEL = auto()
    NOT_CANCELLED = auto()

    WITHDRAWAL_UNKNOWN = auto()
    WITHDRAWAL_REJECTED = auto()
    WITHDRAWAL_EXPIRED = auto()
    WITHDRAWAL_SUPERSEDED = auto()

    TRANSACTION_UNREADABLE = auto()
    TRANSACTION_NOT_CANONICAL = auto()
    TRANSACTION_OTHER = auto()
    TRANSACTION_UNSIGNED = auto()
    TRANSACTION_WRONG_SIGNATURE = auto()
    DEPOSIT_FLAWED = auto()
    WITHDRAWAL_UNPAYABLE = auto()

    CRAFT_STALE = auto()
    """The order changed while the craft was made: make another one."""
    NOTHING_TO_DO = auto()
    """What the command would do is done, or its reason is gone."""


@dataclass(frozen=True, slots=True)
class Refused(CommandRefused):
    refusal: Refusal
    state: State | None = None
    detail: str = ""
    """The field, the amount, or the chain's words."""
    order_id: OrderId | None = None
    """The order that stands in the way, where it is the asker's own."""
