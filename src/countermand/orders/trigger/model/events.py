"""What has happened to a trigger order. Its state is the fold of these."""

from dataclasses import dataclass
from typing import TypeAlias

from countermand.orders.trigger.model.condition import Direction
from countermand.orders.trigger.model.order import Leg, Terms
from countermand.values.identity import Mint, RequestId, Signature
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice
from countermand.values.transactions import Attempt, UnsignedTransaction


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    terms: Terms
    legs: tuple[Leg, ...]
    expires_at: Instant
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class DepositLanded:
    signature: Signature


@dataclass(frozen=True, slots=True)
class DepositFailed:
    signature: Signature
    error: str | None


@dataclass(frozen=True, slots=True)
class OrderAmended:
    legs: tuple[Leg, ...]
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class OrderTriggered:
    leg: int
    price: UsdPrice


@dataclass(frozen=True, slots=True)
class OrderExpired:
    pass


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
    """Of the order's own funds: a rest that no swap is worth."""


@dataclass(frozen=True, slots=True)
class OrderResumed:
    """A part was filled, and the rest goes on."""


@dataclass(frozen=True, slots=True)
class FillFailed:
    """Nothing moved. `signature` None: no transaction was sent."""

    reason: str
    retry_at: Instant
    signature: Signature | None
    close_rejected: bool
    output_close_rejected: bool = False


@dataclass(frozen=True, slots=True)
class PauseEnded:
    pass


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


@dataclass(frozen=True, slots=True)
class WatermarkMoved:
    """That of all orders that trail this mint in that direction, where the price is beyond it."""

    mint: Mint
    direction: Direction
    price: UsdPrice


Event: TypeAlias = (
    OrderPlaced
    | DepositLanded
    | DepositFailed
    | OrderAmended
    | OrderTriggered
    | OrderExpired
    | FillStarted
    | FillLanded
    | OrderResumed
    | FillFailed
    | PauseEnded
    | CancelRequested
    | WithdrawalStarted
    | WithdrawalLanded
    | WithdrawalFailed
    | SweepStarted
    | SweepFailed
    | SweepDone
    | WatermarkMoved
)
