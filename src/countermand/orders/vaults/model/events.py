"""What can happen to every order whose funds are in a vault. Each family adds its own."""

from countermand.values.identity import RequestId, Signature
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING, BaseUnits
from countermand.values.structs import Struct
from countermand.values.transactions import Attempt, UnsignedTransaction


class DepositLanded(Struct, frozen=True):
    signature: Signature


class DepositFailed(Struct, frozen=True):
    signature: Signature
    error: str | None


class FillStarted(Struct, frozen=True):
    attempt: Attempt


class FillLanded(Struct, frozen=True):
    signature: Signature
    used: BaseUnits
    received: BaseUnits
    dust: BaseUnits
    closed: bool
    returned: BaseUnits = NOTHING
    """Of the order's own funds: what the last swap did not use, or a rest that no swap is worth."""


class PauseEnded(Struct, frozen=True):
    """What failed, a fill or a sweep, may be tried again."""


class CancelRequested(Struct, frozen=True):
    """From here on nothing fills. A repetition replaces the craft."""

    request_id: RequestId
    craft: UnsignedTransaction | None


class WithdrawalStarted(Struct, frozen=True):
    attempt: Attempt


class WithdrawalLanded(Struct, frozen=True):
    signature: Signature
    withdrawn: BaseUnits
    dust: BaseUnits
    closed: bool
    """All token accounts of the order that it was about."""
    output_withdrawn: BaseUnits = NOTHING
    output_dust: BaseUnits = NOTHING
    """The same of the order's output account."""


class WithdrawalFailed(Struct, frozen=True):
    """Nothing moved. `rejection` None: it can never land any more."""

    signature: Signature
    rejection: str | None
    close_rejected: bool
    output_close_rejected: bool = False


class SweepStarted(Struct, frozen=True):
    attempt: Attempt


class SweepFailed(Struct, frozen=True):
    retry_at: Instant


class SweepDone(Struct, frozen=True):
    """The account of an ended order is closed. `signature` None: it was gone already."""

    signature: Signature | None
    dust: BaseUnits
    output_dust: BaseUnits = NOTHING
