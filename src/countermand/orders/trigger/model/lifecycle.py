"""The life of a trigger order.

Rule 1: every state and every transition of a trigger order is in this file.
Rule 2: this file knows no wire format, no chain and no clock.

What the legs of an OCO or OTOCO do together is a table of its own, `order.STAGES`, which follows from the money.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, assert_never

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
    WatermarkMoved,
    WithdrawalFailed,
    WithdrawalLanded,
    WithdrawalStarted,
)
from countermand.orders.trigger.model.order import (
    AT_REST,
    OrderGroup,
    Original,
    Progress,
    State,
)
from countermand.orders.vaults.model.work import Work
from countermand.values.holding import Holding
from countermand.values.identity import OrderId
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING
from countermand.values.structs import replace
from countermand.values.transitions import ByRest, IllegalTransition
from countermand.values.withdrawal import Withdrawal, crafted_again, failed

_ENDED: Final = (State.FILLED, State.CANCELLED)
_SWEEPING: Final = (SweepStarted, SweepFailed, SweepDone, PauseEnded)


TRANSITIONS: Final[Mapping[State, Mapping[type[Event], State | ByRest[State]]]] = MappingProxyType(
    {
        # Expiry and price are judged when the deposit lands: it is OPEN for that instant at least.
        State.DEPOSITING: {DepositLanded: State.OPEN, DepositFailed: State.DEPOSIT_FAILED},
        State.OPEN: {
            OrderAmended: State.OPEN,
            PauseEnded: State.OPEN,
            OrderTriggered: State.TRIGGERED,
            OrderExpired: State.EXPIRED,
            CancelRequested: State.WITHDRAWING,
        },
        # Crossed, and nothing committed that could land: the user may still cancel, and time may still end it.
        State.TRIGGERED: {
            FillStarted: State.EXECUTING,
            FillFailed: State.OPEN,
            OrderExpired: State.EXPIRED,
            CancelRequested: State.WITHDRAWING,
        },
        # A fill in flight finishes: neither a cancel nor expiry touches it. If it fails after expiry, OPEN is only
        # passed through.
        State.EXECUTING: {FillLanded: ByRest(none=State.FILLED, some=State.PARTLY_FILLED), FillFailed: State.OPEN},
        # A part was filled. The next turn judges the rest, unless a cancel comes first.
        State.PARTLY_FILLED: {OrderResumed: State.OPEN, CancelRequested: State.WITHDRAWING},
        # Expiry leaves the funds in the vault: they come out the way a cancel does.
        State.EXPIRED: {CancelRequested: State.WITHDRAWING},
        # A cancelled order can never trade again, even before its withdrawal lands. Asking again is safe: it crafts
        # anew and stays.
        State.WITHDRAWING: {
            CancelRequested: State.WITHDRAWING,
            WithdrawalStarted: State.WITHDRAWING,
            WithdrawalFailed: State.WITHDRAWING,
            WithdrawalLanded: State.CANCELLED,
        },
        # What dust left open is closed later; the order's own life is over.
        State.FILLED: dict.fromkeys(_SWEEPING, State.FILLED),
        State.CANCELLED: dict.fromkeys(_SWEEPING, State.CANCELLED),
        State.DEPOSIT_FAILED: {},
    }
)


ACTIVE: Final = (
    State.DEPOSITING,
    State.OPEN,
    State.TRIGGERED,
    State.EXECUTING,
    State.PARTLY_FILLED,
    State.WITHDRAWING,
)
"""Something is still to come of these."""


def place(order_id: OrderId, event: OrderPlaced, at: Instant) -> OrderGroup:
    """The beginning of every life."""
    return OrderGroup(
        id=order_id,
        terms=event.terms,
        legs=event.legs,
        expires_at=event.expires_at,
        state=State.DEPOSITING,
        version=1,
        created_at=at,
        updated_at=at,
        progress=Progress(attempt=event.attempt),
    )


def evolve(group: OrderGroup, event: Event, at: Instant) -> OrderGroup:
    """The group after the event. Raises `IllegalTransition` if the table does not allow it."""
    outcome = TRANSITIONS[group.state].get(type(event))
    if outcome is None:
        raise IllegalTransition(f"order {group.id} is {group.state.value}: {type(event).__name__} cannot follow")
    after = replace(group, version=group.version + 1, updated_at=at, progress=_progress(group, event, at))
    if isinstance(event, OrderAmended):
        after = replace(after, legs=event.legs, expires_at=event.expires_at)
    state = outcome if isinstance(outcome, State) else outcome.of(is_left=bool(after.sells.left))
    return replace(after, state=state)


def _progress(group: OrderGroup, event: Event, at: Instant) -> Progress:
    """The group's progress after the event."""
    before = group.progress
    match event:
        case DepositLanded() | DepositFailed():
            return AT_REST  # The very one, so that it is kept once: nothing but the deposit was done so far.
        case OrderAmended():
            original = before.original or Original(group.legs, group.expires_at)
            return replace(before, failed_fills=0, retry_at=None, original=original)
        case OrderTriggered():
            if all(number != event.leg for number, _ in group.armed()):
                raise IllegalTransition(f"order {group.id}: its leg {event.leg} is closed")
            return replace(before, triggered_leg=event.leg, triggered_at=at, retry_at=None)
        case OrderExpired() | PauseEnded() | OrderResumed():
            return replace(before, retry_at=None)
        case FillStarted() | WithdrawalStarted() | SweepStarted():
            return replace(before, attempt=event.attempt, attempts=before.attempts + 1)
        case FillLanded():
            return _filled(group, event, at)
        case FillFailed():
            return replace(
                before,
                attempt=None,
                failed_fills=before.failed_fills + 1,
                retry_at=event.retry_at,
                close_rejections=before.close_rejections + event.close_rejected,
                output_close_rejections=before.output_close_rejections + event.output_close_rejected,
            )
        case CancelRequested():
            withdrawal = crafted_again(before.withdrawal, event.request_id, event.craft)
            return replace(before, retry_at=None, withdrawal=withdrawal)
        case WithdrawalFailed():
            return replace(
                before,
                attempt=None,
                close_rejections=before.close_rejections + event.close_rejected,
                output_close_rejections=before.output_close_rejections + event.output_close_rejected,
                withdrawal=_failed(group, event),
            )
        case WithdrawalLanded():
            return _withdrawn(group, event)
        case SweepFailed() | SweepDone():
            return _swept(before, event)
        case OrderPlaced() | WatermarkMoved():
            raise IllegalTransition(f"order {group.id}: {type(event).__name__} changes no order that there is")
        case _:
            assert_never(event)


def _filled(group: OrderGroup, event: FillLanded, at: Instant) -> Progress:
    """What an OTOCO's parent buys is kept for its children. All else goes to the user."""
    before, stage, sold = group.progress, group.stage, group.sells.post(event.used).void(event.returned)
    sweep_due = before.sweep_due or (not sold.left and not event.closed)
    filled = replace(before, attempt=None, failed_fills=0, sweep_due=sweep_due)
    if stage.sells_proceeds:
        return replace(filled, proceeds=sold, received=before.received + event.received)
    filled = replace(filled, posted=sold.posted, voided=sold.voided)
    if not stage.is_kept:
        return replace(filled, received=before.received + event.received)
    proceeds = (before.proceeds or Holding(NOTHING)).reserve(event.received)
    return replace(filled, proceeds=proceeds, bought_at=at if before.bought_at is None else before.bought_at)


def _withdrawn(group: OrderGroup, event: WithdrawalLanded) -> Progress:
    before = group.progress
    assert before.withdrawal is not None, f"order {group.id} withdrew without a cancel"
    funds = group.funds.void(event.withdrawn)
    proceeds = None if before.proceeds is None else before.proceeds.void(event.output_withdrawn)
    assert not funds.left, f"order {group.id} is cancelled, and {funds.left.units} units of its deposit are left"
    assert proceeds is None or not proceeds.left, f"order {group.id} is cancelled, and some of its proceeds are left"
    return replace(
        before,
        attempt=None,
        voided=funds.voided,
        proceeds=proceeds,
        failed_fills=0,
        sweep_due=before.sweep_due or not event.closed,
        withdrawal=replace(before.withdrawal, craft=None, signature=event.signature),
    )


def _swept(before: Progress, event: SweepFailed | SweepDone) -> Progress:
    if isinstance(event, SweepDone):
        return replace(before, attempt=None, retry_at=None, sweep_due=False)
    return replace(before, attempt=None, retry_at=event.retry_at, failed_fills=before.failed_fills + 1)


def _failed(group: OrderGroup, event: WithdrawalFailed) -> Withdrawal:
    attempt, withdrawal = group.progress.attempt, group.progress.withdrawal
    assert withdrawal is not None, f"order {group.id} has no withdrawal"
    assert attempt is not None, f"order {group.id} has no withdrawal that could fail"
    return failed(withdrawal, attempt, event.rejection)


def work_due(group: OrderGroup) -> Work | None:
    """The whole outbox is this function over the orders: nothing else is stored, and nothing can be forgotten."""
    if group.progress.attempt is not None:
        return Work.RESOLVE
    if group.state is State.TRIGGERED:
        return Work.FILL
    if group.state is State.PARTLY_FILLED:
        return Work.RESUME
    if group.progress.sweep_due and group.progress.retry_at is None and group.state in _ENDED:
        return Work.SWEEP
    return None


def next_due(group: OrderGroup) -> Instant | None:
    """When time itself will next do something to the order."""
    retry_at = group.progress.retry_at
    if group.state in (State.OPEN, State.TRIGGERED):
        return group.expires_at if retry_at is None else min(group.expires_at, retry_at)
    return retry_at


def is_dormant(group: OrderGroup) -> bool:
    """Nothing but its owner can move it: it need not be in memory."""
    resting = (State.DEPOSITING, State.OPEN, State.TRIGGERED, State.EXECUTING, State.PARTLY_FILLED)
    return group.state not in resting and group.progress.attempt is None and not group.progress.sweep_due
