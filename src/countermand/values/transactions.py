"""Transactions that a vault takes part in: as they are built, as they are signed, and what becomes of them."""

from collections.abc import Mapping
from enum import Enum
from hashlib import sha256
from typing import Final

from countermand.values.identity import Address, Signature
from countermand.values.quantities import NOTHING, BaseUnits
from countermand.values.structs import Struct

BLOCKHASH_BLOCKS: Final = 150
"""A blockhash is valid for so many blocks after its own."""


class OutputParcel(Struct, frozen=True):
    """What a transaction does beside with the order's output account: where the proceeds of its first leg are kept."""

    moves: BaseUnits
    """Of the order's own funds, to the user."""
    dust: BaseUnits
    closes: bool


class UnsignedTransaction(Struct, frozen=True):
    """The exact unsigned transaction that we built for an order in a vault, and what it moves.

    That of an order on the chain, which no vault key signs, is a `Build`.
    """

    message: bytes
    last_valid_height: int
    """It can land up to and including this block height."""
    moves: BaseUnits
    """Of the order's own funds: into its account (a deposit) or out of it."""
    dust: BaseUnits = NOTHING
    """What strangers sent to the order's account, and goes to the user with this transaction."""
    minimum: BaseUnits = NOTHING
    """The least that a fill gives the user, in output units. What it gave is read from the chain when it has landed."""
    closes: bool = False
    """It closes the order's token account, and the rent goes back."""
    returns: BaseUnits = NOTHING
    """Of the order's own funds: what a fill leaves over, and gives back to the user, since no swap is worth it."""
    output: OutputParcel | None = None


def digest_of(message: bytes) -> bytes:
    return sha256(message).digest()


class AttemptKind(Enum):
    DEPOSIT = "deposit"
    FILL = "fill"
    WITHDRAWAL = "withdrawal"
    SWEEP = "sweep"
    """Closes the token account of an ended order, when dust kept the order's last transaction from doing it."""


class Attempt(Struct, frozen=True):
    """A craft that vault keys may sign, since it is committed. At most one per group is unresolved."""

    number: int
    kind: AttemptKind
    craft: UnsignedTransaction
    user_signature: Signature | None
    """The user's, for deposits and withdrawals: they pay, so it is also the transaction's id."""


class SubmissionFault(Enum):
    """What is wrong with a signed transaction, before it is compared with what we built."""

    NOT_A_TRANSACTION = "not_a_transaction"
    NOT_CANONICAL = "not_canonical"
    UNSIGNED = "unsigned"
    WRONG_SIGNATURE = "wrong_signature"


class Submission(Struct, frozen=True):
    """A signed transaction as a user handed it in."""

    message: bytes
    user_signature: Signature | None
    fault: SubmissionFault | None


class TransactionOutcome(Enum):
    """What became of an attempt. Until one of these holds it is unresolved."""

    LANDED = "landed"
    REJECTED = "rejected"
    DEAD = "dead"


class SwapAmounts(Struct, frozen=True):
    """What a fill moved, as the landed transaction shows it."""

    used: BaseUnits
    """Of the order's own funds."""
    received: BaseUnits
    """Output units, by the user."""
    returned: BaseUnits
    """What the user got of the order's account: a rest of the order's own funds, and what strangers had sent there."""


class ObservedOutcome(Struct, frozen=True):
    """What became of an attempt's transaction, as the chain shows it."""

    outcome: TransactionOutcome
    signature: Signature
    error: str | None = None
    at_close: bool = False
    """It was rejected when it closed an account of the order."""
    closing: Address | None = None
    """That account."""
    swap: SwapAmounts | None = None
    """Of a fill that landed."""


class Alteration(Struct, frozen=True):
    """How a signed message differs from the one that was built. `differences` are for the log."""

    signers: bool
    """Others sign it, or in another order."""
    differences: Mapping[str, object]


class SwapRefused(Struct, frozen=True):
    """A swap that is not worth a transaction now, with the reason in words."""

    reason: str
