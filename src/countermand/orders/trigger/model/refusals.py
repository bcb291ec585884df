"""Why a command on a trigger order is refused."""

from enum import Enum, auto
from typing import Final

from countermand.orders.trigger.model.order import State
from countermand.orders.vaults.model.refusals import Objection, VaultRefusal, VaultRefused


class TriggerRefusal(Enum):
    """A closed list, in order of precedence within each command: if two things are wrong, the earlier one is told."""

    ORDER_UNKNOWN = auto()
    ORDER_FOREIGN = auto()

    DEPOSIT_DUPLICATE = auto()
    DEPOSIT_FAILED_BEFORE = auto()
    DEPOSIT_UNLIKE_CRAFT = auto()
    EXPIRY_PAST = auto()
    PRICE_UNKNOWN = auto()
    """A leg trails a price that there is not."""

    STATE_FORBIDS_CANCEL = auto()
    STATE_FORBIDS_AMENDMENT = auto()
    FILL_UNDER_WAY = auto()
    AMENDMENT_UNLIKE_ORDER = auto()
    TRAILING_HAS_NO_PRICE = auto()
    TRAILING_NOT_CONVERTIBLE = auto()
    TRAILING_TRIGGERS = auto()
    """The leg would trigger at the price of now."""
    PARENT_EXECUTED = auto()
    PRICES_CROSSED = auto()
    """The stop loss would be at or above the take profit."""

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


class TriggerRefused(VaultRefused[TriggerRefusal, State], frozen=True):
    """`state`: that of the order, where it is the reason."""


AS_OURS: Final = {each: TriggerRefusal[each.name] for each in VaultRefusal}


def refused(objection: Objection) -> TriggerRefused:
    """What is common to all orders in vaults, said as ours."""
    return TriggerRefused(AS_OURS[objection.refusal], detail=objection.detail)
