"""What has happened to a recurring order. Its state is the fold of these."""

from dataclasses import dataclass
from typing import TypeAlias

from countermand.orders.dca.model.order import Terms
from countermand.values.identity import RequestId, Signature
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING, BaseUnits
from countermand.values.transactions import Attempt, UnsignedTransaction


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    terms: Terms
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class DepositLanded:
    signature: Signature


@dataclass(frozen=True, slots=True)
class DepositFailed:
    signature: Signature
    error: str | None


@dataclass(frozen=True, slots=True)
class RoundBegan:
    """Its fill is to be built. It may be the first try of the round, or another one."""


@dataclass(frozen=True, slots=True)
class RoundPostponed:
    """Nothing moved. The round is tried again at `until`: after a pause, or, if `rescheduled`, at the next interval."""

    reason: str
    until: Instant
    rescheduled: bool
    signature: Signature | None = None
    """Of the swap that failed. None: no transaction was sent."""
    close_rejected: bool = False


@dataclass(frozen=True, slots=True)
class FillStarted:
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class FillLanded:
    signature: Signature
    used: BaseUnits
    received: BaseUnits
    dust: BaseUnits
    closed: bool
    returned: BaseUnits = NOTHING
    """Of the order's own funds: what the last swap did not use."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """From here on no round begins. A repetition replaces the craft."""

    request_id: RequestId
    craft: UnsignedTransaction | None


@dataclass(frozen=True, slots=True)
class WithdrawalStarted:
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class WithdrawalLanded:
    signature: Signature
    withdrawn: BaseUnits
    dust: BaseUnits
    closed: bool


@dataclass(frozen=True, slots=True)
class WithdrawalFailed:
    """Nothing moved. `rejection` None: it can never land any more."""

    signature: Signature
    rejection: str | None
    close_rejected: bool


@dataclass(frozen=True, slots=True)
class SweepStarted:
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class SweepFailed:
    retry_at: Instant


@dataclass(frozen=True, slots=True)
class PauseEnded:
    """The sweep is tried again."""


@dataclass(frozen=True, slots=True)
class SweepDone:
    """The account of an ended order is closed. `signature` None: it was gone already."""

    signature: Signature | None
    dust: BaseUnits


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
