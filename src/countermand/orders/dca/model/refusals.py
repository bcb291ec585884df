"""Why a command on a recurring order is refused."""

from enum import Enum, auto
from typing import Final

from countermand.orders.dca.model.order import State
from countermand.orders.vaults.model.refusals import Objection, VaultRefusal, VaultRefused


class DcaRefusal(Enum):
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


class DcaRefused(VaultRefused[DcaRefusal, State], frozen=True):
    """`state`: that of the order, where it is the reason."""


AS_OURS: Final = {each: DcaRefusal[each.name] for each in VaultRefusal}


def refused(objection: Objection) -> DcaRefused:
    """What is common to all orders in vaults, said as ours."""
    return DcaRefused(AS_OURS[objection.refusal], detail=objection.detail)
