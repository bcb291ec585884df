"""What may be asked of the recurring orders. Everything that happens outside enters as one of these.

A command carries whatever was fetched or made for it beforehand, and `made_from`, the version of the order that a craft
was made from: `decide` keeps a craft only if the order is still the same.
"""

from typing import TypeAlias

from countermand.orders.dca.model.order import DcaPlan
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
from countermand.values.quantities import BaseUnits
from countermand.values.structs import Struct
from countermand.values.transactions import Submission, UnsignedTransaction

__all__ = [
    "AbandonFill",
    "BeginRound",
    "Command",
    "ConfirmCancel",
    "EndPause",
    "PlaceOrder",
    "RequestCancel",
    "ResolveAttempt",
    "StartFill",
    "StartSweep",
    "UnsignedDeposit",
]


class UnsignedDeposit(Struct, frozen=True):
    """A deposit that we built. It names the order that it may become."""

    request_id: RequestId
    order_id: OrderId
    wallet: Wallet
    input_mint: Mint
    output_mint: Mint
    input_account: Address
    craft: UnsignedTransaction


class PlaceOrder(Struct, frozen=True):
    order_id: OrderId
    wallet: Wallet
    deposit: UnsignedDeposit
    input_mint: Mint
    output_mint: Mint
    amount: BaseUnits
    plan: DcaPlan
    round_cents: int | None
    """What one round is worth at the prices of now, in cents of a US dollar. None: no price is known."""
    submission: Submission
    flaw: str | None
    """Why the chain would not take the deposit, as a simulation said."""


class BeginRound(Struct, frozen=True):
    """A round is due, or its pause has ended."""

    order_id: OrderId


Command: TypeAlias = (
    PlaceOrder
    | RequestCancel
    | ConfirmCancel
    | BeginRound
    | StartFill
    | AbandonFill
    | EndPause
    | StartSweep
    | ResolveAttempt
)
