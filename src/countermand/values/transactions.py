"""Transactions that a vault takes part in: as they are built, as they are signed, and what becomes of them."""

from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from countermand.values.identity import Signature
from countermand.values.quantities import NOTHING, BaseUnits


@dataclass(frozen=True, slots=True)
class UnsignedTransaction:
    """The exact unsigned transaction that we built, and what it does."""

    message: bytes
    last_valid_height: int
    """It can land up to and including this block height."""
    moves: BaseUnits
    """Of the order's own funds: into its account (a deposit) or out of it."""
    gift: BaseUnits = NOTHING
    """What strangers sent to the order's account, and goes to the user with this transaction."""
    receives: BaseUnits = NOTHING
    """Output units for the user (a fill)."""
    closes: bool = False
    """It closes the order's token account, and the rent goes back."""


def digest_of(message: bytes) -> bytes:
    return sha256(message).digest()


class AttemptKind(Enum):
    DEPOSIT = "deposit"
    FILL = "fill"
    WITHDRAWAL = "withdrawal"
    SWEEP = "sweep"
    """Closes the token account of an ended order, when dust kept the order's last transaction from doing it."""


@dataclass(frozen=True, slots=True)
class Attempt:
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


@dataclass(frozen=True, slots=True)
class Submission:
    """A signed transaction as a user handed it in."""

    message: bytes
    user_signature: Signature | None
    fault: SubmissionFault | None


class TransactionOutcome(Enum):
    """What became of an attempt. Until one of these holds it is unresolved."""

    LANDED = "landed"
    REJECTED = "rejected"
    DEAD = "dead"
