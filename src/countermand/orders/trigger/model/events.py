"""What has happened to a trigger order. Its state is the fold of these."""

from typing import TypeAlias

from countermand.orders.trigger.model.condition import Direction
from countermand.orders.trigger.model.order import Leg, TriggerTerms
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
from countermand.values.identity import Mint, Signature
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice
from countermand.values.structs import Struct
from countermand.values.transactions import Attempt

__all__ = [
    "CancelRequested",
    "DepositFailed",
    "DepositLanded",
    "Event",
    "FillFailed",
    "FillLanded",
    "FillStarted",
    "OrderAmended",
    "OrderExpired",
    "OrderPlaced",
    "OrderResumed",
    "OrderTriggered",
    "PauseEnded",
    "SweepDone",
    "SweepFailed",
    "SweepStarted",
    "WatermarkMoved",
    "WithdrawalFailed",
    "WithdrawalLanded",
    "WithdrawalStarted",
]


class OrderPlaced(Struct, frozen=True):
    terms: TriggerTerms
    legs: tuple[Leg, ...]
    expires_at: Instant
    attempt: Attempt


class OrderAmended(Struct, frozen=True):
    legs: tuple[Leg, ...]
    expires_at: Instant


class OrderTriggered(Struct, frozen=True):
    leg: int
    price: UsdPrice


class OrderExpired(Struct, frozen=True):
    pass


class OrderResumed(Struct, frozen=True):
    """A part was filled, and the rest goes on."""


class FillFailed(Struct, frozen=True):
    """Nothing moved. `signature` None: no transaction was sent."""

    reason: str
    retry_at: Instant
    signature: Signature | None
    close_rejected: bool
    output_close_rejected: bool = False


class WatermarkMoved(Struct, frozen=True):
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
