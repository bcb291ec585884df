"""What may be asked of the recurring orders. Everything that happens outside enters as one of these.

A command carries whatever was fetched or made for it beforehand, and `made_from`, the version of the order that a craft
was made from: `decide` keeps a craft only if the order is still the same.
"""

from dataclasses import dataclass
from typing import TypeAlias

from countermand.orders.dca.model.order import Plan
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.quantities import BaseUnits
from countermand.values.transactions import Submission, SwapAmounts, TransactionOutcome, UnsignedTransaction


@dataclass(frozen=True, slots=True)
class UnsignedDeposit:
    """A deposit that we built. It names the order that it may become."""

    request_id: RequestId
    order_id: OrderId
    wallet: Wallet
    input_mint: Mint
    output_mint: Mint
    input_account: Address
    craft: UnsignedTransaction


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    order_id: OrderId
    wallet: Wallet
    deposit: UnsignedDeposit
    input_mint: Mint
    output_mint: Mint
    amount: BaseUnits
    plan: Plan
    round_cents: int | None
    """What one round is worth at the prices of now, in cents of a US dollar. None: no price is known."""
    submission: Submission
    flaw: str | None
    """Why the chain would not take the deposit, as a simulation said."""


@dataclass(frozen=True, slots=True)
class RequestCancel:
    order_id: OrderId
    wallet: Wallet
    request_id: RequestId
    """For a new cancellation; one that is under way keeps its own."""
    craft: UnsignedTransaction | None
    made_from: int
    by_operator: bool = False
    """Not the owner asks for it, but the operator of a sandbox."""


@dataclass(frozen=True, slots=True)
class ConfirmCancel:
    order_id: OrderId
    wallet: Wallet
    request_id: RequestId
    submission: Submission
    block_height: int
    flaw: str | None = None
    """Why the withdrawal cannot be paid for now."""


@dataclass(frozen=True, slots=True)
class BeginRound:
    """A round is due, or its pause has ended."""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class StartFill:
    order_id: OrderId
    craft: UnsignedTransaction
    made_from: int


@dataclass(frozen=True, slots=True)
class AbandonFill:
    """The swap was not worth a transaction: no quote, or one below the minimum."""

    order_id: OrderId
    reason: str
    made_from: int


@dataclass(frozen=True, slots=True)
class EndPause:
    """The pause after a failed sweep has ended."""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class StartSweep:
    order_id: OrderId
    craft: UnsignedTransaction | None
    """None: the account is gone already."""
    made_from: int


@dataclass(frozen=True, slots=True)
class ResolveAttempt:
    order_id: OrderId
    number: int
    outcome: TransactionOutcome
    signature: Signature
    error: str | None
    """The chain's words, for a rejection."""
    at_close: bool = False
    """It was rejected when it closed the order's account: something was left in there."""
    swap: SwapAmounts | None = None
    """What a fill that landed moved."""


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
