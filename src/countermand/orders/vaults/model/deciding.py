"""What a command does to an order in a vault that it does to one of any family: its deposit, its withdrawal, its sweep.

Pure. A family's `decide` asks here after it has judged what is its own.
"""

from typing import Final, TypeAlias

from countermand.orders.vaults.model.commands import ConfirmCancel, RequestCancel, ResolveAttempt, StartSweep
from countermand.orders.vaults.model.events import (
    CancelRequested,
    FillLanded,
    SweepDone,
    SweepFailed,
    SweepStarted,
    WithdrawalFailed,
    WithdrawalLanded,
    WithdrawalStarted,
)
from countermand.orders.vaults.model.order import Phase, VaultOrder, withdrawal_of
from countermand.orders.vaults.model.refusals import Objection, VaultRefusal
from countermand.values.holding import Holding
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING
from countermand.values.transactions import (
    Attempt,
    AttemptKind,
    Submission,
    SubmissionFault,
    TransactionOutcome,
    UnsignedTransaction,
    digest_of,
)
from countermand.values.withdrawal import Withdrawal

CancelDecision: TypeAlias = tuple[CancelRequested, ...] | Objection
ConfirmDecision: TypeAlias = tuple[WithdrawalStarted, ...] | Objection

RETRY_PAUSE_MS: Final = 1_000
RETRY_PAUSE_MS_MAX: Final = 60_000

_FAULTS: Final = {
    SubmissionFault.NOT_A_TRANSACTION: VaultRefusal.TRANSACTION_UNREADABLE,
    SubmissionFault.NOT_CANONICAL: VaultRefusal.TRANSACTION_NOT_CANONICAL,
    SubmissionFault.UNSIGNED: VaultRefusal.TRANSACTION_UNSIGNED,
    SubmissionFault.WRONG_SIGNATURE: VaultRefusal.TRANSACTION_WRONG_SIGNATURE,
}
_UNREADABLE: Final = (SubmissionFault.NOT_A_TRANSACTION, SubmissionFault.NOT_CANONICAL)


def submission_objection(submission: Submission, message: bytes) -> Objection | None:
    """Why a signed transaction is not the one that was built, or is not signed."""
    fault = submission.fault
    if fault in _UNREADABLE:
        return Objection(_FAULTS[fault])
    if submission.message != message:
        return Objection(VaultRefusal.TRANSACTION_OTHER, detail="accounts")
    return Objection(_FAULTS[fault]) if fault is not None else None


# --- the two steps of a cancel


def request_cancel(order: VaultOrder, command: RequestCancel) -> CancelDecision:
    """Of an order that its owner may cancel now."""
    if order.progress.attempt is not None:
        return ()  # A co-signed withdrawal is on its way: its very message is the answer.
    if command.craft is not None and command.made_from != order.version:
        return Objection(VaultRefusal.CRAFT_STALE)
    withdrawal = order.progress.withdrawal
    request_id = command.request_id if withdrawal is None else withdrawal.request_id
    return (CancelRequested(request_id, command.craft),)


def confirm_cancel(order: VaultOrder, command: ConfirmCancel) -> ConfirmDecision:
    """Of an order of the wallet that asks."""
    attempt, withdrawal = order.progress.attempt, order.progress.withdrawal
    if withdrawal is None or withdrawal.request_id != command.request_id:
        return Objection(VaultRefusal.WITHDRAWAL_UNKNOWN)
    if order.state.phase is Phase.CANCELLED:
        return ()  # Landed wins before any bytes are looked at.
    submission = command.submission
    if submission.fault in _UNREADABLE:
        return Objection(_FAULTS[submission.fault])
    if objection := _as_former(withdrawal, command):
        return objection
    current = withdrawal_of(order)
    if current is None:
        return Objection(VaultRefusal.WITHDRAWAL_UNKNOWN)
    if objection := submission_objection(submission, current.message):
        return objection
    if attempt is not None:
        return ()  # The first valid signature is the only one ever sent.
    if command.block_height > current.last_valid_height:
        return Objection(VaultRefusal.WITHDRAWAL_EXPIRED)
    if command.flaw is not None:
        return Objection(VaultRefusal.WITHDRAWAL_UNPAYABLE, detail=command.flaw)
    # From here on nothing can refuse.
    number = order.progress.attempts + 1
    return (WithdrawalStarted(Attempt(number, AttemptKind.WITHDRAWAL, current, submission.user_signature)),)


def _as_former(withdrawal: Withdrawal, command: ConfirmCancel) -> Objection | None:
    digest = digest_of(command.submission.message)
    for former in withdrawal.former:
        if former.digest == digest:
            if former.rejection is not None:
                return Objection(VaultRefusal.WITHDRAWAL_REJECTED, detail=former.rejection)
            if former.dead or command.block_height > former.last_valid_height:
                return Objection(VaultRefusal.WITHDRAWAL_EXPIRED)
            return Objection(VaultRefusal.WITHDRAWAL_SUPERSEDED)
    return None


# --- what dust left open


def start_sweep(order: VaultOrder, command: StartSweep) -> tuple[SweepDone | SweepStarted, ...] | Objection:
    progress = order.progress
    if command.made_from != order.version or not progress.sweep_due or progress.attempt is not None:
        return Objection(VaultRefusal.CRAFT_STALE)
    if command.craft is None:
        return (SweepDone(signature=None, dust=NOTHING),)
    return (SweepStarted(Attempt(progress.attempts + 1, AttemptKind.SWEEP, command.craft, None)),)


# --- what became of an attempt


def fill_landed(order: VaultOrder, funds: Holding, craft: UnsignedTransaction, command: ResolveAttempt) -> FillLanded:
    """`funds`: what the fill sold from.

    The user got back all that a last swap left: the rest of the order's own funds first, the others are dust.
    """
    if not craft.moves:  # It gave a worthless rest back.
        return FillLanded(command.signature, NOTHING, NOTHING, craft.dust, closed=craft.closes, returned=craft.returns)
    swap = command.swap
    assert swap is not None, f"the fill of order {order.id} landed, and does not show what it moved"
    ends = craft.closes or bool(craft.returns)
    returned = min(funds.post(swap.used).left, swap.returned) if ends else NOTHING
    dust = swap.returned - returned
    return FillLanded(command.signature, swap.used, swap.received, dust, closed=craft.closes, returned=returned)


def withdrawal_resolved(craft: UnsignedTransaction, command: ResolveAttempt) -> WithdrawalLanded | WithdrawalFailed:
    if command.outcome is not TransactionOutcome.LANDED:
        return _withdrawal_failed(command)
    output = craft.output
    if output is None:
        return WithdrawalLanded(command.signature, withdrawn=craft.moves, dust=craft.dust, closed=craft.closes)
    return WithdrawalLanded(
        command.signature,
        withdrawn=craft.moves,
        dust=craft.dust,
        closed=craft.closes and output.closes,
        output_withdrawn=output.moves,
        output_dust=output.dust,
    )


def _withdrawal_failed(command: ResolveAttempt) -> WithdrawalFailed:
    rejected = command.outcome is TransactionOutcome.REJECTED
    rejection = command.error or "unknown error" if rejected else None
    return WithdrawalFailed(
        command.signature,
        rejection,
        close_rejected=is_rejected_close(command) and not command.at_output,
        output_close_rejected=is_rejected_close(command) and command.at_output,
    )


def sweep_resolved(craft: UnsignedTransaction, command: ResolveAttempt, retry_at: Instant) -> SweepDone | SweepFailed:
    if command.outcome is not TransactionOutcome.LANDED:
        return SweepFailed(retry_at)
    return SweepDone(command.signature, craft.dust, NOTHING if craft.output is None else craft.output.dust)


def is_rejected_close(command: ResolveAttempt) -> bool:
    return command.outcome is TransactionOutcome.REJECTED and command.at_close


def pause_end(failures: int, at: Instant) -> Instant:
    """1, 2, 4 … 60 seconds after `at`, by the number of failures in a row before this one."""
    return Instant(at + min(RETRY_PAUSE_MS << min(failures, 6), RETRY_PAUSE_MS_MAX))
