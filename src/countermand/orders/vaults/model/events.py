"""What can happen to every order whose funds are in a vault. Each family adds its own."""

from dataclasses import dataclass

from countermand.values.identity import RequestId, Signature
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING, BaseUnits
from countermand.values.transactions import Attempt, UnsignedTransaction


@dataclass(frozen=True, slots=True)
class DepositLanded:
    signature: Signature


@dataclass(frozen=True, slots=True)
class DepositFailed:
    signature: Signature
    error: str | None


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
    """Of the order's own funds: what the last swap did not use, or a rest that no swap is worth."""


@dataclass(frozen=True, slots=True)
class PauseEnded:
    """What failed, a fill or a sweep, may be tried again."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """From here on nothing fills. A repetition replaces the craft."""

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
    """All token accounts of the order that it was about."""
    output_withdrawn: BaseUnits = NOTHING
    output_dust: BaseUnits = NOTHING
    """The same of the order's output account."""


@dataclass(frozen=True, slots=True)
class WithdrawalFailed:
    """Nothing moved. `rejection` None: it can never land any more."""

    signature: Signature
    rejection: str | None
    close_rejected: bool
    output_close_rejected: bool = False


@dataclass(frozen=True, slots=True)
class SweepStarted:
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class SweepFailed:
    retry_at: Instant


@dataclass(frozen=True, slots=True)
class SweepDone:
    """The account of an ended order is closed. `signature` None: it was gone already."""

    signature: Signature | None
    dust: BaseUnits
    output_dust: BaseUnits = NOTHING
