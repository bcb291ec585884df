"""What a trigger order waits for, as a value: its words are made where it is shown."""

from enum import Enum

from countermand.orders.trigger.model.order import OrderGroup, State
from countermand.values.transactions import AttemptKind


class Waiting(Enum):
    DEPOSIT = "deposit"
    """Its deposit has not landed."""
    PRICE = "price"
    PAUSE = "pause"
    """A fill failed: it is tried again at the end of the pause, or with a price that acts at once."""
    SWAP = "swap"
    """It is triggered, and its fill is being built."""
    FILL = "fill"
    """Its fill has not landed."""
    REST = "rest"
    """A part was filled: the rest is to be judged by the price of now."""
    CANCEL = "cancel"
    """It expired: its owner has to cancel it to get the funds back."""
    ANOTHER_CANCEL = "another_cancel"
    """There is no withdrawal that could be signed: its owner has to cancel again."""
    SIGNATURE = "signature"
    """Its owner has to sign the withdrawal, and to confirm it."""
    WITHDRAWAL = "withdrawal"
    """Its withdrawal has not landed."""
    SWEEP = "sweep"
    """It has ended, and its token account is still to be closed."""


def waits_for(group: OrderGroup) -> Waiting | None:
    """None: it has ended."""
    progress = group.progress
    match group.state:
        case State.DEPOSITING:
            return Waiting.DEPOSIT
        case State.OPEN:
            return Waiting.PRICE if progress.retry_at is None else Waiting.PAUSE
        case State.TRIGGERED:
            return Waiting.SWAP
        case State.EXECUTING:
            return Waiting.FILL
        case State.PARTLY_FILLED:
            return Waiting.REST
        case State.EXPIRED:
            return Waiting.CANCEL
        case State.WITHDRAWING:
            return _of_cancelling(group)
    is_swept = not progress.sweep_due and (progress.attempt is None or progress.attempt.kind is not AttemptKind.SWEEP)
    return None if is_swept else Waiting.SWEEP


def _of_cancelling(group: OrderGroup) -> Waiting:
    if group.progress.attempt is not None:
        return Waiting.WITHDRAWAL
    withdrawal = group.progress.withdrawal
    return Waiting.ANOTHER_CANCEL if withdrawal is None or withdrawal.craft is None else Waiting.SIGNATURE
