"""What a command does to a trigger order: the only place that chooses.

Pure: an order, a command and a moment in; events or a refusal out.
"""

from typing import Final, TypeAlias, assert_never

from countermand.orders.trigger.model.commands import (
    AbandonFill,
    Amendment,
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
    DepositFailed,
    DepositLanded,
    Event,
    FillFailed,
    FillStarted,
    OrderAmended,
    OrderExpired,
    OrderPlaced,
    OrderResumed,
    OrderTriggered,
    PauseEnded,
)
from countermand.orders.trigger.model.order import (
    Leg,
    OrderGroup,
    State,
    TriggerTerms,
    are_crossed,
    as_asked,
    following,
)
from countermand.orders.trigger.model.refusals import TriggerRefusal, TriggerRefused, refused
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
from countermand.values.structs import replace
from countermand.values.transactions import (
    Attempt,
    AttemptKind,
    TransactionOutcome,
)

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

_EXECUTING: Final = (State.TRIGGERED, State.EXECUTING, State.PARTLY_FILLED)


def decide(group: OrderGroup | None, command: OrderCommand, moment: Moment) -> Decision | TriggerRefused:
    """`TriggerOrders` is asked of each order that it names, all else of the one that it names.

    The legs of an order that trails are as of now.
    """
    if isinstance(command, PlaceOrder):
        return _place(group, command, moment)
    if group is None:
        return TriggerRefused(TriggerRefusal.ORDER_UNKNOWN)
    match command:
        case AmendOrder():
            return _amend(group, command, moment)
        case RequestCancel():
            return _request_cancel(group, command)
        case ConfirmCancel():
            return _confirm_cancel(group, command)
        case TriggerOrders():
            paused = group.progress.retry_at is not None and not command.at_once
            return (not paused and _trigger(group, moment)) or TriggerRefused(TriggerRefusal.NOTHING_TO_DO)
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
            return _ours(start_sweep(group, command))
        case ResolveAttempt():
            return _resolve(group, command, moment)
        case _:
            assert_never(command)


def _place(group: OrderGroup | None, command: PlaceOrder, moment: Moment) -> Decision | TriggerRefused:
    if group is not None:
        return _place_again(group, command)
    deposit, submission = command.deposit, command.submission
    if command.wallet != deposit.wallet:
        return TriggerRefused(TriggerRefusal.DEPOSIT_UNLIKE_CRAFT, detail="wallet")
    if unlike := _field_unlike_craft(command):
        return TriggerRefused(TriggerRefusal.DEPOSIT_UNLIKE_CRAFT, detail=unlike)
    if command.expires_at <= moment.at:
        return TriggerRefused(TriggerRefusal.EXPIRY_PAST)
    trails = any(leg.trail is not None for leg in command.legs)
    if trails and moment.price is None:
        return TriggerRefused(TriggerRefusal.PRICE_UNKNOWN)
    if objection := submission_objection(submission, deposit.craft.message):
        return refused(objection)
    if command.flaw is not None:
        return TriggerRefused(TriggerRefusal.DEPOSIT_FLAWED, detail=command.flaw)
    terms = TriggerTerms(
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


def _place_again(group: OrderGroup, command: PlaceOrder) -> Decision | TriggerRefused:
    if not _asks_the_same(group, command):
        own = command.wallet == group.terms.wallet
        return TriggerRefused(TriggerRefusal.DEPOSIT_DUPLICATE, order_id=group.id if own else None)
    if group.state is State.DEPOSIT_FAILED:
        return TriggerRefused(TriggerRefusal.DEPOSIT_FAILED_BEFORE)
    return _ours(submission_objection(command.submission, command.deposit.craft.message) or ())


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
        ("input_mint", command.input_mint == deposit.input_mint),
        ("output_mint", command.output_mint == deposit.output_mint),
        ("amount", command.amount == deposit.craft.moves),
        ("family", command.family == deposit.family),
    )
    return next((field for field, same in pairs if not same), "")


def _amend(group: OrderGroup, command: AmendOrder, moment: Moment) -> Decision | TriggerRefused:
    if group.terms.wallet != command.wallet:
        return TriggerRefused(TriggerRefusal.ORDER_FOREIGN)
    if group.state is not State.OPEN:
        refusal = TriggerRefusal.FILL_UNDER_WAY if group.state in _EXECUTING else TriggerRefusal.STATE_FORBIDS_AMENDMENT
        return TriggerRefused(refusal, state=group.state)
    amendment = command.amendment
    if amendment.family is not group.terms.family:
        return TriggerRefused(TriggerRefusal.AMENDMENT_UNLIKE_ORDER, detail="family")
    expires_at = group.expires_at if amendment.expires_at is None else amendment.expires_at
    if expires_at <= moment.at:
        return TriggerRefused(TriggerRefusal.EXPIRY_PAST)
    for change, leg in zip(amendment.legs, group.legs, strict=True):
        if leg.trail is not None and change.price is not None:
            return TriggerRefused(TriggerRefusal.TRAILING_HAS_NO_PRICE)
        if leg.trail is None and change.distance is not None:
            return TriggerRefused(TriggerRefusal.TRAILING_NOT_CONVERTIBLE)
    if group.parent_is_done and not amendment.legs[0].is_none():
        return TriggerRefused(TriggerRefusal.PARENT_EXECUTED)
    legs = tuple(change.applied_to(leg) for change, leg in zip(amendment.legs, group.legs, strict=True))
    if are_crossed(legs):
        return TriggerRefused(TriggerRefusal.PRICES_CROSSED)
    if _would_trigger(amendment, legs, moment):
        return TriggerRefused(TriggerRefusal.TRAILING_TRIGGERS)
    # From here on nothing can refuse.
    amended = OrderAmended(legs, expires_at)
    return (amended, *_crossed(replace(group, legs=legs), moment))


def _would_trigger(amendment: Amendment, legs: tuple[Leg, ...], moment: Moment) -> bool:
    """By a distance that is changed. What the market has passed may get more slippage or time: it is tried again."""
    return moment.price is not None and any(
        change.distance is not None and leg.condition.holds_at(moment.price)
        for change, leg in zip(amendment.legs, legs, strict=True)
    )


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


def _request_cancel(group: OrderGroup, command: RequestCancel) -> Decision | TriggerRefused:
    if group.terms.wallet != command.wallet:
        return TriggerRefused(TriggerRefusal.ORDER_FOREIGN)
    if group.state is State.EXECUTING:
        return TriggerRefused(TriggerRefusal.FILL_UNDER_WAY, state=group.state)
    if group.state.phase not in CANCELLABLE:
        return TriggerRefused(TriggerRefusal.STATE_FORBIDS_CANCEL, state=group.state)
    return _ours(request_cancel(group, command))


def _confirm_cancel(group: OrderGroup, command: ConfirmCancel) -> Decision | TriggerRefused:
    if group.terms.wallet != command.wallet:
        return TriggerRefused(TriggerRefusal.ORDER_FOREIGN)
    return _ours(confirm_cancel(group, command))


def _expire(group: OrderGroup, moment: Moment) -> Decision | TriggerRefused:
    if moment.at < group.expires_at or group.state not in (State.OPEN, State.TRIGGERED):
        return TriggerRefused(TriggerRefusal.NOTHING_TO_DO)
    return (OrderExpired(),)


def _end_pause(group: OrderGroup, moment: Moment) -> Decision | TriggerRefused:
    retry_at = group.progress.retry_at
    if retry_at is None or moment.at < retry_at:
        return TriggerRefused(TriggerRefusal.NOTHING_TO_DO)
    return (PauseEnded(), *_trigger(group, moment))


def _resume(group: OrderGroup, moment: Moment) -> Decision | TriggerRefused:
    if group.state is not State.PARTLY_FILLED:
        return TriggerRefused(TriggerRefusal.NOTHING_TO_DO)
    if moment.at >= group.expires_at:
        return (OrderResumed(), OrderExpired())
    return (OrderResumed(), *_crossed(group, moment))


def _start_fill(group: OrderGroup, command: StartFill) -> Decision | TriggerRefused:
    if command.made_from != group.version or group.state is not State.TRIGGERED:
        return TriggerRefused(TriggerRefusal.CRAFT_STALE)
    return (FillStarted(Attempt(group.progress.attempts + 1, AttemptKind.FILL, command.craft, None)),)


def _abandon_fill(group: OrderGroup, command: AbandonFill, moment: Moment) -> Decision | TriggerRefused:
    if command.made_from != group.version or group.state is not State.TRIGGERED:
        return TriggerRefused(TriggerRefusal.CRAFT_STALE)
    return (FillFailed(command.reason, _pause_end(group, moment.at), signature=None, close_rejected=False),)


def _resolve(group: OrderGroup, command: ResolveAttempt, moment: Moment) -> Decision | TriggerRefused:
    attempt = group.progress.attempt
    if attempt is None or attempt.number != command.number:
        return TriggerRefused(TriggerRefusal.NOTHING_TO_DO)
    landed = command.outcome is TransactionOutcome.LANDED
    match attempt.kind:
        case AttemptKind.DEPOSIT:
            return (
                _deposit_landed(group, command, moment)
                if landed
                else (DepositFailed(command.signature, command.error),)
            )
        case AttemptKind.FILL:
            if not landed:
                return _fill_failed(group, command, moment)
            return (fill_landed(group, group.sells, attempt.craft, command),)
        case AttemptKind.WITHDRAWAL:
            return (withdrawal_resolved(attempt.craft, command),)
        case AttemptKind.SWEEP:
            return (sweep_resolved(attempt.craft, command, _pause_end(group, moment.at)),)
        case _:
            assert_never(attempt.kind)


def _deposit_landed(group: OrderGroup, command: ResolveAttempt, moment: Moment) -> Decision:
    landed = DepositLanded(command.signature)
    if moment.at >= group.expires_at:
        return (landed, OrderExpired())
    return (landed, *_crossed(group, moment))


def _fill_failed(group: OrderGroup, command: ResolveAttempt, moment: Moment) -> Decision:
    failed = FillFailed(
        command.error or "the transaction did not land in time",
        _pause_end(group, moment.at),
        command.signature,
        close_rejected=is_rejected_close(command) and not command.at_output,
        output_close_rejected=is_rejected_close(command) and command.at_output,
    )
    return (failed, OrderExpired()) if moment.at >= group.expires_at else (failed,)


def _pause_end(group: OrderGroup, at: Instant) -> Instant:
    return pause_end(group.progress.failed_fills, at)


def _ours(decided: Decision | Objection) -> Decision | TriggerRefused:
    return refused(decided) if isinstance(decided, Objection) else decided
