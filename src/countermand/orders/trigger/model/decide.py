"""What a command does to a trigger order: the only place that chooses.

Pure: an order, a command and a moment in; events or a refusal out.
"""

from dataclasses import replace
from typing import Final, TypeAlias, assert_never

from countermand.orders.trigger.model.commands import (
    AbandonFill,
    AmendOrder,
    ConfirmCancel,
    EndPause,
    ExpireOrder,
    PlaceOrder,
    RequestCancel,
    ResolveAttempt,
    ResumeOrder,
    StartFill,
    StartSweep,
    TriggerOrders,
)
from countermand.orders.trigger.model.events import (
    CancelRequested,
    DepositFailed,
    DepositLanded,
    Event,
    FillFailed,
    FillLanded,
    FillStarted,
    OrderAmended,
    OrderExpired,
    OrderPlaced,
    OrderResumed,
    OrderTriggered,
    PauseEnded,
    SweepDone,
    SweepFailed,
    SweepStarted,
    WithdrawalFailed,
    WithdrawalLanded,
    WithdrawalStarted,
)
from countermand.orders.trigger.model.order import (
    Leg,
    OrderGroup,
    State,
    Terms,
    are_crossed,
    as_asked,
    following,
)
from countermand.orders.trigger.model.refusals import Refusal, Refused
from countermand.values.instant import Instant, Moment
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

OrderCommand: TypeAlias = (
    PlaceOrder
    | AmendOrder
    | RequestCancel
    | ConfirmCancel
    | TriggerOrders
    | ExpireOrder
    | EndPause
    | ResumeOrder
    | StartFill
    | AbandonFill
    | StartSweep
    | ResolveAttempt
)
"""All but what concerns no order by itself."""
Decision: TypeAlias = tuple[Event, ...]
"""What happened, in order. Empty: it had happened before, and is so."""

RETRY_PAUSE_MS: Final = 1_000
RETRY_PAUSE_MS_MAX: Final = 60_000

_CANCELLABLE: Final = (
    State.OPEN,
    State.READY_EXECUTE,
    State.PARTLY_FILLED,
    State.EXPIRED,
    State.READY_TO_CANCEL,
)
_EXECUTING: Final = (State.READY_EXECUTE, State.EXECUTING, State.PARTLY_FILLED)
_FAULTS: Final = {
    SubmissionFault.NOT_A_TRANSACTION: Refusal.TRANSACTION_UNREADABLE,
    SubmissionFault.NOT_CANONICAL: Refusal.TRANSACTION_NOT_CANONICAL,
    SubmissionFault.UNSIGNED: Refusal.TRANSACTION_UNSIGNED,
    SubmissionFault.WRONG_SIGNATURE: Refusal.TRANSACTION_WRONG_SIGNATURE,
}


def decide(group: OrderGroup | None, command: OrderCommand, moment: Moment) -> Decision | Refused:
    """`TriggerOrders` is asked of each order that it names, all else of the one that it names.

    The legs of an order that trails are as of now.
    """
    if isinstance(command, PlaceOrder):
        return _place(group, command, moment)
    if group is None:
        return Refused(Refusal.ORDER_UNKNOWN)
    match command:
        case AmendOrder():
            return _amend(group, command, moment)
        case RequestCancel():
            return _request_cancel(group, command)
        case ConfirmCancel():
            return _confirm_cancel(group, command)
        case TriggerOrders():
            paused = group.progress.retry_at is not None and not command.at_once
            return (not paused and _trigger(group, moment)) or Refused(Refusal.NOTHING_TO_DO)
        case ExpireOrder():
            return _expire(group, moment)
        case EndPause():
            return _end_pause(group, moment)
        case ResumeOrder():
            return _resume(group, moment)
        case StartFill():
            return _start_fill(group, command)
        case AbandonFill():
            return _abandon_fill(group, command, moment)
        case StartSweep():
            return _start_sweep(group, command)
        case ResolveAttempt():
            return _resolve(group, command, moment)
        case _:
            assert_never(command)


def _place(group: OrderGroup | None, command: PlaceOrder, moment: Moment) -> Decision | Refused:
    if group is not None:
        return _place_again(group, command)
    deposit, submission = command.deposit, command.submission
    if command.wallet != deposit.wallet:
        return Refused(Refusal.DEPOSIT_UNLIKE_CRAFT, detail="userPubkey")
    if unlike := _field_unlike_craft(command):
        return Refused(Refusal.DEPOSIT_UNLIKE_CRAFT, detail=unlike)
    if command.expires_at <= moment.at:
        return Refused(Refusal.EXPIRY_PAST)
    trails = any(leg.trail is not None for leg in command.legs)
    if trails and moment.price is None:
        return Refused(Refusal.PRICE_UNKNOWN)
    if refused := _refused_submission(submission, deposit.craft.message):
        return refused
    if command.flaw is not None:
        return Refused(Refusal.DEPOSIT_FLAWED, detail=command.flaw)
    terms = Terms(
        wallet=command.wallet,
        family=command.family,
        input_mint=command.input_mint,
        output_mint=command.output_mint,
        trigger_mint=command.trigger_mint,
        input_account=deposit.input_account,
        deposited=command.amount,
        output_account=deposit.output_account,
    )
    # From here on nothing can refuse.
    attempt = Attempt(1, AttemptKind.DEPOSIT, deposit.craft, submission.user_signature)
    legs = tuple(_seeded(leg, moment) for leg in command.legs)
    return (OrderPlaced(terms, legs, command.expires_at, attempt),)


def _seeded(leg: Leg, moment: Moment) -> Leg:
    """A leg that trails begins at the price of now."""
    return leg if leg.trail is None or moment.price is None else following(leg, moment.price, 0)


def _place_again(group: OrderGroup, command: PlaceOrder) -> Decision | Refused:
    if not _asks_the_same(group, command):
        own = command.wallet == group.terms.wallet
        return Refused(Refusal.DEPOSIT_DUPLICATE, order_id=group.id if own else None)
    if group.state is State.DEPOSIT_FAILED:
        return Refused(Refusal.DEPOSIT_FAILED_BEFORE)
    return _refused_submission(command.submission, command.deposit.craft.message) or ()


def _asks_the_same(group: OrderGroup, command: PlaceOrder) -> bool:
    """Whether the command is the one that placed the order, but perhaps for the user's signature."""
    terms, original = group.terms, group.progress.original or group
    return (
        command.submission.message == command.deposit.craft.message
        and command.wallet == terms.wallet
        and command.family is terms.family
        and command.input_mint == terms.input_mint
        and command.output_mint == terms.output_mint
        and command.trigger_mint == terms.trigger_mint
        and command.amount == terms.deposited
        and command.legs == tuple(map(as_asked, original.legs))
        and command.expires_at == original.expires_at
    )


def _field_unlike_craft(command: PlaceOrder) -> str:
    """The first field in which the order is not what the deposit was crafted for, or nothing."""
    deposit = command.deposit
    pairs = (
        ("inputMint", command.input_mint == deposit.input_mint),
        ("outputMint", command.output_mint == deposit.output_mint),
        ("inputAmount", command.amount == deposit.craft.moves),
        ("orderType", command.family == deposit.family),
    )
    return next((field for field, same in pairs if not same), "")


def _refused_submission(submission: Submission, message: bytes) -> Refused | None:
    fault = submission.fault
    if fault in (SubmissionFault.NOT_A_TRANSACTION, SubmissionFault.NOT_CANONICAL):
        return Refused(_FAULTS[fault])
    if submission.message != message:
        return Refused(Refusal.TRANSACTION_OTHER, detail="accounts")
    return Refused(_FAULTS[fault]) if fault is not None else None


def _amend(group: OrderGroup, command: AmendOrder, moment: Moment) -> Decision | Refused:
    if group.terms.wallet != command.wallet:
        return Refused(Refusal.ORDER_FOREIGN)
    if group.state is not State.OPEN:
        refusal = Refusal.FILL_UNDER_WAY if group.state in _EXECUTING else Refusal.STATE_FORBIDS_AMENDMENT
        return Refused(refusal, state=group.state)
    amendment = command.amendment
    if amendment.family is not group.terms.family:
        return Refused(Refusal.AMENDMENT_UNLIKE_ORDER, detail="orderType")
    expires_at = group.expires_at if amendment.expires_at is None else amendment.expires_at
    if expires_at <= moment.at:
        return Refused(Refusal.EXPIRY_PAST)
    for change, leg in zip(amendment.legs, group.legs, strict=True):
        if leg.trail is not None and change.price is not None:
            return Refused(Refusal.TRAILING_HAS_NO_PRICE)
        if leg.trail is None and change.distance is not None:
            return Refused(Refusal.TRAILING_NOT_CONVERTIBLE)
    if group.parent_is_done and not amendment.legs[0].is_none():
        return Refused(Refusal.PARENT_EXECUTED)
    legs = tuple(change.applied_to(leg) for change, leg in zip(amendment.legs, group.legs, strict=True))
    if are_crossed(legs):
        return Refused(Refusal.PRICES_CROSSED)
    if moment.price is not None and any(leg.trail and leg.condition.holds_at(moment.price) for leg in legs):
        return Refused(Refusal.TRAILING_TRIGGERS)
    # From here on nothing can refuse.
    amended = OrderAmended(legs, expires_at)
    return (amended, *_crossed(replace(group, legs=legs), moment))


def _trigger(group: OrderGroup, moment: Moment) -> Decision:
    """The trigger, if the order is open and the price is at or beyond one of its conditions."""
    if group.state is not State.OPEN or moment.at >= group.expires_at:
        return ()
    return _crossed(group, moment)


def _crossed(group: OrderGroup, moment: Moment) -> Decision:
    for number, leg in group.armed():
        if moment.price is not None and leg.condition.holds_at(moment.price):
            return (OrderTriggered(number, moment.price),)
    return ()


def _request_cancel(group: OrderGroup, command: RequestCancel) -> Decision | Refused:
    if group.terms.wallet != command.wallet:
        return Refused(Refusal.ORDER_FOREIGN)
    if group.state is State.EXECUTING:
        return Refused(Refusal.FILL_UNDER_WAY, state=group.state)
    if group.state not in _CANCELLABLE:
        return Refused(Refusal.STATE_FORBIDS_CANCEL, state=group.state)
    if group.progress.attempt is not None:
        return ()  # A co-signed withdrawal is on its way: its very message is the answer.
    if command.craft is not None and command.made_from != group.version:
        return Refused(Refusal.CRAFT_STALE)
    withdrawal = group.progress.withdrawal
    request_id = command.request_id if withdrawal is None else withdrawal.request_id
    return (CancelRequested(request_id, command.craft),)


def _confirm_cancel(group: OrderGroup, command: ConfirmCancel) -> Decision | Refused:
    if group.terms.wallet != command.wallet:
        return Refused(Refusal.ORDER_FOREIGN)
    attempt, withdrawal = group.progress.attempt, group.progress.withdrawal
    if withdrawal is None or withdrawal.request_id != command.request_id:
        return Refused(Refusal.WITHDRAWAL_UNKNOWN)
    if group.state is State.CANCELLED:
        return ()  # Landed wins before any bytes are looked at.
    submission = command.submission
    if submission.fault in (SubmissionFault.NOT_A_TRANSACTION, SubmissionFault.NOT_CANONICAL):
        return Refused(_FAULTS[submission.fault])
    if refused := _refused_as_former(withdrawal, command):
        return refused
    current = attempt.craft if attempt is not None else withdrawal.craft
    if current is None:
        return Refused(Refusal.WITHDRAWAL_UNKNOWN)
    if refused := _refused_submission(submission, current.message):
        return refused
    if attempt is not None:
        return ()  # The first valid signature is the only one ever sent.
    if command.block_height > current.last_valid_height:
        return Refused(Refusal.WITHDRAWAL_EXPIRED)
    if command.flaw is not None:
        return Refused(Refusal.WITHDRAWAL_UNPAYABLE, detail=command.flaw)
    # From here on nothing can refuse.
    number = group.progress.attempts + 1
    return (WithdrawalStarted(Attempt(number, AttemptKind.WITHDRAWAL, current, submission.user_signature)),)


def _refused_as_former(withdrawal: Withdrawal, command: ConfirmCancel) -> Refused | None:
    digest = digest_of(command.submission.message)
    for former in withdrawal.former:
        if former.digest == digest:
            if former.rejection is not None:
                return Refused(Refusal.WITHDRAWAL_REJECTED, detail=former.rejection)
            if former.dead or command.block_height > former.last_valid_height:
                return Refused(Refusal.WITHDRAWAL_EXPIRED)
            return Refused(Refusal.WITHDRAWAL_SUPERSEDED)
    return None


def _expire(group: OrderGroup, moment: Moment) -> Decision | Refused:
    if moment.at < group.expires_at or group.state not in (State.OPEN, State.READY_EXECUTE):
        return Refused(Refusal.NOTHING_TO_DO)
    return (OrderExpired(),)


def _end_pause(group: OrderGroup, moment: Moment) -> Decision | Refused:
    retry_at = group.progress.retry_at
    if retry_at is None or moment.at < retry_at:
        return Refused(Refusal.NOTHING_TO_DO)
    return (PauseEnded(), *_trigger(group, moment))


def _resume(group: OrderGroup, moment: Moment) -> Decision | Refused:
    if group.state is not State.PARTLY_FILLED:
        return Refused(Refusal.NOTHING_TO_DO)
    if moment.at >= group.expires_at:
        return (OrderResumed(), OrderExpired())
    return (OrderResumed(), *_crossed(group, moment))


def _start_fill(group: OrderGroup, command: StartFill) -> Decision | Refused:
    if command.made_from != group.version or group.state is not State.READY_EXECUTE:
        return Refused(Refusal.CRAFT_STALE)
    return (FillStarted(Attempt(group.progress.attempts + 1, AttemptKind.FILL, command.craft, None)),)


def _abandon_fill(group: OrderGroup, command: AbandonFill, moment: Moment) -> Decision | Refused:
    if command.made_from != group.version or group.state is not State.READY_EXECUTE:
        return Refused(Refusal.CRAFT_STALE)
    return (FillFailed(command.reason, _pause_end(group, moment.at), signature=None, close_rejected=False),)


def _start_sweep(group: OrderGroup, command: StartSweep) -> Decision | Refused:
    progress = group.progress
    if command.made_from != group.version or not progress.sweep_due or progress.attempt is not None:
        return Refused(Refusal.CRAFT_STALE)
    if command.craft is None:
        return (SweepDone(signature=None, dust=NOTHING),)
    return (SweepStarted(Attempt(progress.attempts + 1, AttemptKind.SWEEP, command.craft, None)),)


def _resolve(group: OrderGroup, command: ResolveAttempt, moment: Moment) -> Decision | Refused:
    attempt = group.progress.attempt
    if attempt is None or attempt.number != command.number:
        return Refused(Refusal.NOTHING_TO_DO)
    landed = command.outcome is TransactionOutcome.LANDED
    match attempt.kind:
        case AttemptKind.DEPOSIT:
            return (
                _deposit_landed(group, command, moment)
                if landed
                else (DepositFailed(command.signature, command.error),)
            )
        case AttemptKind.FILL:
            return (_fill_landed(group, attempt.craft, command),) if landed else _fill_failed(group, command, moment)
        case AttemptKind.WITHDRAWAL:
            return (_withdrawal_landed(attempt.craft, command) if landed else _withdrawal_failed(command),)
        case AttemptKind.SWEEP:
            output = attempt.craft.output
            swept = SweepDone(command.signature, attempt.craft.dust, NOTHING if output is None else output.dust)
            return (swept if landed else SweepFailed(_pause_end(group, moment.at)),)
        case _:
            assert_never(attempt.kind)


def _deposit_landed(group: OrderGroup, command: ResolveAttempt, moment: Moment) -> Decision:
    landed = DepositLanded(command.signature)
    if moment.at >= group.expires_at:
        return (landed, OrderExpired())
    return (landed, *_crossed(group, moment))


def _fill_landed(group: OrderGroup, craft: UnsignedTransaction, command: ResolveAttempt) -> Event:
    """The user got back all that a last swap left: the rest of the order's own funds first, the others are dust."""
    if not craft.moves:  # It gave a worthless rest back.
        return FillLanded(command.signature, NOTHING, NOTHING, craft.dust, closed=craft.closes, returned=craft.returns)
    swap = command.swap
    assert swap is not None, f"the fill of order {group.id} landed, and does not show what it moved"
    ends = craft.closes or bool(craft.returns)
    returned = min(group.sells.post(swap.used).left, swap.returned) if ends else NOTHING
    dust = swap.returned - returned
    return FillLanded(command.signature, swap.used, swap.received, dust, closed=craft.closes, returned=returned)


def _fill_failed(group: OrderGroup, command: ResolveAttempt, moment: Moment) -> Decision:
    failed = FillFailed(
        command.error or "the transaction did not land in time",
        _pause_end(group, moment.at),
        command.signature,
        close_rejected=_is_rejected_close(command) and not command.at_output,
        output_close_rejected=_is_rejected_close(command) and command.at_output,
    )
    return (failed, OrderExpired()) if moment.at >= group.expires_at else (failed,)


def _withdrawal_landed(craft: UnsignedTransaction, command: ResolveAttempt) -> Event:
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


def _withdrawal_failed(command: ResolveAttempt) -> Event:
    rejected = command.outcome is TransactionOutcome.REJECTED
    rejection = command.error or "unknown error" if rejected else None
    return WithdrawalFailed(
        command.signature,
        rejection,
        close_rejected=_is_rejected_close(command) and not command.at_output,
        output_close_rejected=_is_rejected_close(command) and command.at_output,
    )


def _is_rejected_close(command: ResolveAttempt) -> bool:
    return command.outcome is TransactionOutcome.REJECTED and command.at_close


def _pause_end(group: OrderGroup, at: Instant) -> Instant:
    """1, 2, 4 … 60 seconds after `at`, by the number of failures in a row."""
    doublings = min(group.progress.failed_fills, 6)
    return Instant(at + min(RETRY_PAUSE_MS << doublings, RETRY_PAUSE_MS_MAX))
