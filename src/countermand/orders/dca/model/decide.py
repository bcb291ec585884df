"""What a command does to a recurring order: the only place that chooses.

Pure: an order, a command and a moment in; events or a refusal out.
"""

from typing import Final, TypeAlias, assert_never

from countermand.orders.dca.model.commands import (
    AbandonFill,
    BeginRound,
    Command,
    ConfirmCancel,
    EndPause,
    PlaceOrder,
    RequestCancel,
    ResolveAttempt,
    StartFill,
    StartSweep,
)
from countermand.orders.dca.model.events import (
    DepositFailed,
    DepositLanded,
    Event,
    FillStarted,
    OrderPlaced,
    PauseEnded,
    RoundBegan,
    RoundPostponed,
)
from countermand.orders.dca.model.lifecycle import next_due
from countermand.orders.dca.model.order import DcaOrder, DcaTerms, State
from countermand.orders.dca.model.refusals import DcaRefusal, DcaRefused, refused
from countermand.orders.vaults.model.deciding import (
    confirm_cancel,
    fill_landed,
    is_rejected_close,
    pause_end,
    request_cancel,
    start_sweep,
    submission_objection,
    sweep_resolved,
    withdrawal_resolved,
)
from countermand.orders.vaults.model.order import CANCELLABLE
from countermand.orders.vaults.model.refusals import Objection
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import dollars
from countermand.values.transactions import (
    Attempt,
    AttemptKind,
    TransactionOutcome,
)

Decision: TypeAlias = tuple[Event, ...]
"""What happened, in order. Empty: it had happened before, and is so."""

BEGIN_MS_MAX: Final = 30 * 24 * 3_600_000
"""So far in the future the first round may be."""
ROUND_CENTS_MIN: Final = 980
"""Ten US dollars, less a tolerance for prices that move between the craft and the create."""
ACTIVE_MAX: Final = 10
"""So many active orders a wallet may have."""


def decide(order: DcaOrder | None, command: Command, moment: Moment, *, active: int) -> Decision | DcaRefused:
    """`active` counts the active orders of the wallet of a `PlaceOrder`."""
    if isinstance(command, PlaceOrder):
        return _place(order, command, moment, active)
    if order is None:
        return DcaRefused(DcaRefusal.ORDER_UNKNOWN)
    match command:
        case RequestCancel():
            return _request_cancel(order, command)
        case ConfirmCancel():
            return _confirm_cancel(order, command)
        case BeginRound():
            return _begin_round(order, moment)
        case StartFill():
            return _start_fill(order, command)
        case AbandonFill():
            return _abandon_fill(order, command, moment)
        case EndPause():
            return _end_pause(order, moment)
        case StartSweep():
            return _ours(start_sweep(order, command))
        case ResolveAttempt():
            return _resolve(order, command, moment)
        case _:
            assert_never(command)


# --- placing


def _place(order: DcaOrder | None, command: PlaceOrder, moment: Moment, active: int) -> Decision | DcaRefused:
    if order is not None:
        return _place_again(order, command)
    deposit, submission = command.deposit, command.submission
    if unlike := _field_unlike_craft(command):
        return DcaRefused(DcaRefusal.DEPOSIT_UNLIKE_CRAFT, detail=unlike)
    if wrong := _refused_plan(command, moment.at):
        return wrong
    if active >= ACTIVE_MAX:
        return DcaRefused(DcaRefusal.TOO_MANY_ACTIVE)
    if objection := submission_objection(submission, deposit.craft.message):
        return refused(objection)
    if command.flaw is not None:
        return DcaRefused(DcaRefusal.DEPOSIT_FLAWED, detail=command.flaw)
    terms = DcaTerms(
        wallet=command.wallet,
        deposit_request_id=deposit.request_id,
        input_mint=command.input_mint,
        output_mint=command.output_mint,
        input_account=deposit.input_account,
        deposited=command.amount,
        plan=command.plan,
    )
    # From here on nothing can refuse.
    attempt = Attempt(1, AttemptKind.DEPOSIT, deposit.craft, submission.user_signature)
    return (OrderPlaced(terms, attempt),)


def _place_again(order: DcaOrder, command: PlaceOrder) -> Decision | DcaRefused:
    if not _asks_the_same(order, command):
        own = command.wallet == order.terms.wallet
        return DcaRefused(DcaRefusal.DEPOSIT_DUPLICATE, order_id=order.id if own else None)
    if order.state is State.DEPOSIT_FAILED:
        return DcaRefused(DcaRefusal.DEPOSIT_FAILED_BEFORE)
    return _ours(submission_objection(command.submission, command.deposit.craft.message) or ())


def _asks_the_same(order: DcaOrder, command: PlaceOrder) -> bool:
    """Whether the command is the one that placed the order, but perhaps for the user's signature."""
    terms = order.terms
    return (
        command.submission.message == command.deposit.craft.message
        and command.wallet == terms.wallet
        and command.input_mint == terms.input_mint
        and command.output_mint == terms.output_mint
        and command.amount == terms.deposited
        and command.plan == terms.plan
    )


def _field_unlike_craft(command: PlaceOrder) -> str:
    """The first field in which the order is not what the deposit was crafted for, or nothing."""
    deposit = command.deposit
    pairs = (
        ("wallet", command.wallet == deposit.wallet),
        ("input_mint", command.input_mint == deposit.input_mint),
        ("output_mint", command.output_mint == deposit.output_mint),
        ("amount", command.amount == deposit.craft.moves),
    )
    return next((field for field, same in pairs if not same), "")


def _refused_plan(command: PlaceOrder, at: Instant) -> DcaRefused | None:
    begin_at, cents = command.plan.begin_at, command.round_cents
    if begin_at is not None and begin_at <= at:
        return DcaRefused(DcaRefusal.BEGIN_PAST)
    if begin_at is not None and begin_at > at + BEGIN_MS_MAX:
        return DcaRefused(DcaRefusal.BEGIN_TOO_LATE)
    if cents is None:
        return DcaRefused(DcaRefusal.PRICE_UNKNOWN, detail=command.input_mint)
    if cents < ROUND_CENTS_MIN or command.amount.units < command.plan.rounds:
        return DcaRefused(DcaRefusal.ROUND_TOO_SMALL, detail=f"{cents // 100}.{cents % 100:02d}")
    return None


# --- rounds


def _begin_round(order: DcaOrder, moment: Moment) -> Decision | DcaRefused:
    """It happens by the price of now, whenever it was due."""
    due, progress, band = next_due(order), order.progress, order.terms.plan.band
    if order.state is not State.ACTIVE or due is None or moment.at < due:
        return DcaRefused(DcaRefusal.NOTHING_TO_DO)
    if progress.began_at is not None and moment.at > _window_end(order, progress.began_at):
        return (_rescheduled(order, moment.at, "the time to try it again is over"),)
    if band is not None and (moment.price is None or not band.holds(moment.price)):
        shown = "is not known" if moment.price is None else f"is {dollars(moment.price)}"
        return (_rescheduled(order, moment.at, f"the price {shown}, which is out of its band"),)
    return (RoundBegan(),)


def _start_fill(order: DcaOrder, command: StartFill) -> Decision | DcaRefused:
    if command.made_from != order.version or order.state is not State.ROUND_DUE:
        return DcaRefused(DcaRefusal.CRAFT_STALE)
    return (FillStarted(Attempt(order.progress.attempts + 1, AttemptKind.FILL, command.craft, None)),)


def _abandon_fill(order: DcaOrder, command: AbandonFill, moment: Moment) -> Decision | DcaRefused:
    if command.made_from != order.version or order.state is not State.ROUND_DUE:
        return DcaRefused(DcaRefusal.CRAFT_STALE)
    return (_postponed(order, moment.at, command.reason),)


def _postponed(order: DcaOrder, at: Instant, reason: str) -> RoundPostponed:
    """To another try within the retry window, or else to the next interval."""
    began_at, until = order.progress.began_at, _pause_end(order, at)
    assert began_at is not None, f"a round of order {order.id} failed without having begun"
    if until > _window_end(order, began_at):
        return _rescheduled(order, at, reason)
    return RoundPostponed(reason, until, rescheduled=False)


def _rescheduled(order: DcaOrder, at: Instant, reason: str) -> RoundPostponed:
    """The next whole interval after the round was due that is not past: what was missed is not made up for."""
    due, interval_ms = order.progress.next_fill_at, order.terms.plan.interval_ms
    intervals = max(0, at - due) // interval_ms + 1
    return RoundPostponed(reason, Instant(due + intervals * interval_ms), rescheduled=True)


def _window_end(order: DcaOrder, began_at: Instant) -> Instant:
    return Instant(began_at + order.terms.plan.retry_window_s * 1_000)


# --- the two steps of a cancel


def _request_cancel(order: DcaOrder, command: RequestCancel) -> Decision | DcaRefused:
    if order.terms.wallet != command.wallet:
        return DcaRefused(DcaRefusal.ORDER_UNKNOWN)
    if order.state.phase not in CANCELLABLE:
        return DcaRefused(DcaRefusal.STATE_FORBIDS_CANCEL, state=order.state)
    return _ours(request_cancel(order, command))


def _confirm_cancel(order: DcaOrder, command: ConfirmCancel) -> Decision | DcaRefused:
    if order.terms.wallet != command.wallet:
        return DcaRefused(DcaRefusal.ORDER_UNKNOWN)
    if order.progress.withdrawal is None:
        return DcaRefused(DcaRefusal.NOT_CANCELLED, state=order.state)
    return _ours(confirm_cancel(order, command))


# --- what dust left open


def _end_pause(order: DcaOrder, moment: Moment) -> Decision | DcaRefused:
    retry_at = order.progress.retry_at
    if not order.progress.sweep_due or retry_at is None or moment.at < retry_at:
        return DcaRefused(DcaRefusal.NOTHING_TO_DO)
    return (PauseEnded(),)


# --- what became of an attempt


def _resolve(order: DcaOrder, command: ResolveAttempt, moment: Moment) -> Decision | DcaRefused:
    attempt = order.progress.attempt
    if attempt is None or attempt.number != command.number:
        return DcaRefused(DcaRefusal.NOTHING_TO_DO)
    landed = command.outcome is TransactionOutcome.LANDED
    match attempt.kind:
        case AttemptKind.DEPOSIT:
            failed = DepositFailed(command.signature, command.error)
            return (DepositLanded(command.signature) if landed else failed,)
        case AttemptKind.FILL:
            if not landed:
                return (_fill_failed(order, command, moment),)
            return (fill_landed(order, order.funds, attempt.craft, command),)
        case AttemptKind.WITHDRAWAL:
            return (withdrawal_resolved(attempt.craft, command),)
        case AttemptKind.SWEEP:
            return (sweep_resolved(attempt.craft, command, _pause_end(order, moment.at)),)
        case _:
            assert_never(attempt.kind)


def _fill_failed(order: DcaOrder, command: ResolveAttempt, moment: Moment) -> Event:
    postponed = _postponed(order, moment.at, command.error or "the transaction did not land in time")
    close_rejected = is_rejected_close(command)
    return RoundPostponed(
        postponed.reason, postponed.until, postponed.rescheduled, command.signature, close_rejected=close_rejected
    )


def _pause_end(order: DcaOrder, at: Instant) -> Instant:
    return pause_end(order.progress.failures, at)


def _ours(decided: Decision | Objection) -> Decision | DcaRefused:
    return refused(decided) if isinstance(decided, Objection) else decided
