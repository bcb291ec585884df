"""What may be asked of the trigger orders. Everything that happens outside enters as one of these.

A command carries whatever was fetched or made for it beforehand (crafts, chain heights, prices), and `made_from`, the
version of the order that a craft was made from: `decide` keeps a craft only if the order is still the same.
"""

from typing import TypeAlias

from countermand.orders.trigger.model.order import Family, Leg, following
from countermand.orders.vaults.model.commands import (
    AbandonFill,
    ConfirmCancel,
    EndPause,
    RequestCancel,
    ResolveAttempt,
    StartFill,
    StartSweep,
)
from countermand.values.identity import Address, Mint, OrderId, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, Bps, UsdPrice
from countermand.values.structs import Struct, replace
from countermand.values.transactions import Submission, UnsignedTransaction

__all__ = [
    "AbandonFill",
    "AmendOrder",
    "Amendment",
    "Command",
    "ConfirmCancel",
    "EndPause",
    "ExpireOrder",
    "LegChange",
    "MoveWatermarks",
    "PlaceOrder",
    "RequestCancel",
    "ResolveAttempt",
    "ResumeOrder",
    "StartFill",
    "StartSweep",
    "TriggerOrders",
    "UnsignedDeposit",
]


class UnsignedDeposit(Struct, frozen=True):
    """A deposit that we built. It names the order that it may become."""

    request_id: RequestId
    order_id: OrderId
    wallet: Wallet
    family: Family
    input_mint: Mint
    output_mint: Mint
    input_account: Address
    craft: UnsignedTransaction
    output_account: Address | None = None
    """Of an OTOCO."""


class PlaceOrder(Struct, frozen=True):
    order_id: OrderId
    wallet: Wallet
    deposit: UnsignedDeposit
    family: Family
    input_mint: Mint
    output_mint: Mint
    trigger_mint: Mint
    amount: BaseUnits
    legs: tuple[Leg, ...]
    expires_at: Instant
    submission: Submission
    flaw: str | None
    """Why the chain would not take the deposit, as a simulation said."""


class LegChange(Struct, frozen=True):
    """None leaves a field as it is."""

    price: UsdPrice | None = None
    slippage: Bps | None = None
    distance: Bps | None = None
    """Of a leg that trails: its watermark stays."""

    def is_none(self) -> bool:
        return self.price is None and self.slippage is None and self.distance is None

    def applied_to(self, leg: Leg) -> Leg:
        if leg.trail is not None and self.distance is not None:
            assert leg.trail.watermark is not None, "it is placed"
            trail = replace(leg.trail, distance=self.distance)
            leg = following(replace(leg, trail=trail), leg.trail.watermark, leg.trail.mark)
        condition = leg.condition if self.price is None else replace(leg.condition, price=self.price)
        slippage = leg.slippage if self.slippage is None else self.slippage
        return replace(leg, condition=condition, slippage=slippage)


class Amendment(Struct, frozen=True):
    """What to change: a change for each leg of the family, in their order."""

    family: Family
    legs: tuple[LegChange, ...]
    expires_at: Instant | None


class AmendOrder(Struct, frozen=True):
    order_id: OrderId
    wallet: Wallet
    amendment: Amendment
    by_operator: bool = False


class TriggerOrders(Struct, frozen=True):
    """A price may concern these orders. Those that it crosses are triggered."""

    mint: Mint
    price: UsdPrice
    at_once: bool
    """It also starts orders whose pause after a failed fill is not over."""
    order_ids: tuple[OrderId, ...]


class MoveWatermarks(Struct, frozen=True):
    """A price may be a new extremum of those that orders trail."""

    mint: Mint
    price: UsdPrice


class ExpireOrder(Struct, frozen=True):
    order_id: OrderId


class ResumeOrder(Struct, frozen=True):
    """A part was filled: the rest is judged by the price of now."""

    order_id: OrderId


Command: TypeAlias = (
    PlaceOrder
    | AmendOrder
    | RequestCancel
    | ConfirmCancel
    | TriggerOrders
    | MoveWatermarks
    | ExpireOrder
    | EndPause
    | ResumeOrder
    | StartFill
    | AbandonFill
    | StartSweep
    | ResolveAttempt
)
