"""What has happened to a recurring order. Its state is the fold of these."""

from typing import TypeAlias

from countermand.orders.dca.model.order import DcaTerms
from countermand.orders.vaults.model.events import (
    CancelRequested,
    DepositFailed,
    DepositLanded,
    FillLanded,
    FillStarted,
    PauseEnded,
    SweepDone,
    SweepFailed,
    SweepStarted,
    WithdrawalFailed,
    WithdrawalLanded,
    WithdrawalStarted,
)
from countermand.values.identity import Signature
from countermand.values.instant import Instant
from countermand.values.structs import Struct
from countermand.values.transactions import Attempt

__all__ = [
    "CancelRequested",
    "DepositFailed",
    "DepositLanded",
    "Event",
    "FillLanded",
    "FillStarted",
    "OrderPlaced",
    "PauseEnded",
    "RoundBegan",
    "RoundPostponed",
    "SweepDone",
    "SweepFailed",
    "SweepStarted",
    "WithdrawalFailed",
    "WithdrawalLanded",
    "WithdrawalStarted",
]


class OrderPlaced(Struct, frozen=True):
    terms: DcaTerms
    attempt: Attempt


class RoundBegan(Struct, frozen=True):
    """Its fill is to be built. It may be the first try of the round, or another one."""


class RoundPostponed(Struct, frozen=True):
    """Nothing moved. The round is tried again at `until`: after a pause, or, if `rescheduled`, at the next interval."""

    reason: str
    until: Instant
    rescheduled: bool
    signature: Signature | None = None
    """Of the swap that failed. None: no transaction was sent."""
    close_rejected: bool = False


Event: TypeAlias = (
    OrderPlaced
    | DepositLanded
    | DepositFailed
    | RoundBegan
    | RoundPostponed
    | FillStarted
    | FillLanded
    | CancelRequested
    | WithdrawalStarted
    | WithdrawalLanded
    | WithdrawalFailed
    | SweepStarted
    | SweepFailed
    | PauseEnded
    | SweepDone
)
