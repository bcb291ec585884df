"""What a recurring order waits for, as a value: its words are made where it is shown."""

from enum import Enum

from countermand.orders.dca.model.order import DcaOrder, State
from countermand.values.transactions import AttemptKind


class Waiting(Enum):
    DEPOSIT = "deposit"
    """Its deposit has not landed."""
    ROUND = "round"
    """Its next round is not due."""
    PAUSE = "pause"
    """A swap failed: it is tried again at the end of the pause."""
    SWAP = "swap"
    """A round is due, and its fill is being built."""
    FILL = "fill"
    """The fill of a round has not landed."""
    ANOTHER_CANCEL = "another_cancel"
    """There is no withdrawal that could be signed: its owner has to cancel again."""
    SIGNATURE = "signature"
    """Its owner has to sign the withdrawal, and to confirm it."""
    WITHDRAWAL = "withdrawal"
    """Its withdrawal has not landed."""
    SWEEP = "sweep"
    """It has ended, and its token account is still to be closed."""


def waits_for(order: DcaOrder) -> Waiting | None:
    """None: it has ended."""
    progress = order.progress
    match order.state:
        case State.DEPOSITING:
            return Waiting.DEPOSIT
        case State.ACTIVE:
            return Waiting.ROUND if progress.retry_at is None else Waiting.PAUSE
        case State.ROUND_DUE:
            return Waiting.SWAP
        case State.EXECUTING:
            return Waiting.FILL
        case State.WITHDRAWING:
            return _of_cancelling(order)
    is_swept = not progress.sweep_due and (progress.attempt is None or progress.attempt.kind is not AttemptKind.SWEEP)
    return None if is_swept else Waiting.SWEEP


def _of_cancelling(order: DcaOrder) -> Waiting:
    if order.progress.attempt is not None:
        return Waiting.WITHDRAWAL
    withdrawal = order.progress.withdrawal
    return Waiting.ANOTHER_CANCEL if withdrawal is None or withdrawal.craft is None else Waiting.SIGNATURE
