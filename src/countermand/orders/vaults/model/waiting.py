"""What an order in a vault waits for, as a value: its words are made where it is shown."""

from collections.abc import Mapping
from enum import Enum

from countermand.orders.vaults.model.order import Phase, StateOfPhase, VaultOrder
from countermand.values.transactions import AttemptKind


class Waiting(Enum):
    DEPOSIT = "deposit"
    """Its deposit has not landed."""
    PRICE = "price"
    ROUND = "round"
    """Its next round is not due."""
    PAUSE = "pause"
    """A fill failed: it is tried again at the end of the pause."""
    SWAP = "swap"
    """It is to be filled, and the fill is being built."""
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


def waiting_of(order: VaultOrder, resting: Mapping[StateOfPhase, Waiting]) -> Waiting | None:
    """None: it has ended. `resting`: what an order waits for in each state in which its funds rest in the vault."""
    match order.state.phase:
        case Phase.DEPOSITING:
            return Waiting.DEPOSIT
        case Phase.RESTING:
            waiting = resting[order.state]
            is_pausing = waiting in (Waiting.PRICE, Waiting.ROUND) and order.progress.retry_at is not None
            return Waiting.PAUSE if is_pausing else waiting
        case Phase.FILLING:
            return Waiting.FILL
        case Phase.WITHDRAWING:
            return _of_cancelled(order)
        case _:
            return _of_ended(order)


def _of_cancelled(order: VaultOrder) -> Waiting:
    if order.progress.attempt is not None:
        return Waiting.WITHDRAWAL
    withdrawal = order.progress.withdrawal
    return Waiting.ANOTHER_CANCEL if withdrawal is None or withdrawal.craft is None else Waiting.SIGNATURE


def _of_ended(order: VaultOrder) -> Waiting | None:
    attempt = order.progress.attempt
    is_swept = not order.progress.sweep_due and (attempt is None or attempt.kind is not AttemptKind.SWEEP)
    return None if is_swept else Waiting.SWEEP
