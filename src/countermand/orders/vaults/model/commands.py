"""What may be asked of every order whose funds are in a vault. Each family adds its own.

A command carries whatever was fetched or made for it beforehand, and `made_from`, the version of the order that a craft
was made from: `decide` keeps a craft only if the order is still the same.
"""

from countermand.values.identity import OrderId, RequestId, Signature, Wallet
from countermand.values.structs import Struct
from countermand.values.transactions import Submission, SwapAmounts, TransactionOutcome, UnsignedTransaction


class RequestCancel(Struct, frozen=True):
    order_id: OrderId
    wallet: Wallet
    request_id: RequestId
    """For a new cancellation; one that is under way keeps its own."""
    craft: UnsignedTransaction | None
    made_from: int
    by_operator: bool = False
    """Not the owner asks for it, but the operator of a sandbox."""


class ConfirmCancel(Struct, frozen=True):
    order_id: OrderId
    wallet: Wallet
    request_id: RequestId
    submission: Submission
    block_height: int
    flaw: str | None = None
    """Why the withdrawal cannot be paid for now."""


class StartFill(Struct, frozen=True):
    order_id: OrderId
    craft: UnsignedTransaction
    made_from: int


class AbandonFill(Struct, frozen=True):
    """The swap was not worth a transaction: no quote, or one below the minimum."""

    order_id: OrderId
    reason: str
    made_from: int


class EndPause(Struct, frozen=True):
    """The pause after a failed fill or sweep has ended."""

    order_id: OrderId


class StartSweep(Struct, frozen=True):
    order_id: OrderId
    craft: UnsignedTransaction | None
    """None: the account is gone already."""
    made_from: int


class ResolveAttempt(Struct, frozen=True):
    order_id: OrderId
    number: int
    outcome: TransactionOutcome
    signature: Signature
    error: str | None
    """The chain's words, for a rejection."""
    at_close: bool = False
    """It was rejected when it closed an account of the order: something was left in there."""
    at_output: bool = False
    """That was its output account."""
    swap: SwapAmounts | None = None
    """What a fill that landed moved."""
