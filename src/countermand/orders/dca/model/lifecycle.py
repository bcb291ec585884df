"""The life of a recurring order.

Rule 1: every state and every transition of a recurring order is in this file.
Rule 2: this file knows no wire format, no chain and no clock.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, assert_never

from countermand.orders.dca.model.events import (
    CancelRequested,
    DepositFailed,
    DepositLanded,
    Event,
    FillLanded,
    FillStarted,
    OrderPlaced,
    PauseEnded,
    RoundBegan,
    RoundPostponed,
    SweepDone,
    SweepFailed,
    SweepStarted,
    WithdrawalFailed,
    WithdrawalLanded,
    WithdrawalStarted,
)
from countermand.orders.dca.model.order import DcaOrder, Progress, State
from countermand.orders.vaults.model.work import Work
from countermand.values.identity import OrderId
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand.values.transitions import ByRest, IllegalTransition
from countermand.values.withdrawal import crafted_again, failed

_SWEEPING: Final = (SweepStarted, SweepFailed, SweepDone, PauseEnded)


TRANSITIONS: Final[Mapping[State, Mapping[type[Event], State | ByRest[State]]]] = MappingProxyType(
    {
        # The first round is judged in the turn in which the deposit lands.
        State.DEPOSITING: {DepositLanded: State.ACTIVE, DepositFailed: State.DEPOSIT_FAILED},
        State.ACTIVE: {
            RoundBegan: State.ROUND_DUE,
            # The price is out of the order's band, or the time for more tries is over.
            RoundPostponed: State.ACTIVE,
            CancelRequested: State.WITHDRAWING,
        },
        # Nothing is committed that could land: the user may still cancel.
        State.ROUND_DUE: {
            FillStarted: State.EXECUTING,
            RoundPostponed: State.ACTIVE,
            CancelRequested: State.WITHDRAWING,
        },
        # A fill in flight finishes: no cancel touches it.
        State.EXECUTING: {FillLanded: ByRest(none=State.COMPLETED, some=State.ACTIVE), RoundPostponed: State.ACTIVE},
        # No round begins any more, even before the withdrawal lands. Asking again is safe: it crafts anew and stays.
        State.WITHDRAWING: {
            CancelRequested: State.WITHDRAWING,
            WithdrawalStarted: State.WITHDRAWING,
            WithdrawalFailed: State.WITHDRAWING,
            WithdrawalLanded: State.CANCELLED,
        },
        # What dust left open is closed later; the order's own life is over.
        State.COMPLETED: dict.fromkeys(_SWEEPING, State.COMPLETED),
        State.CANCELLED: dict.fromkeys(_SWEEPING, State.CANCELLED),
        State.DEPOSIT_FAILED: {},
    }
)

ACTIVE: Final = (State.DEPOSITING, State.ACTIVE, State.ROUND_DUE, State.EXECUTING, State.WITHDRAWING)
"""Something is still to come of these. A wallet has at most ten of them."""


def place(order_id: OrderId, event: OrderPlaced, at: Instant) -> DcaOrder:
    """The beginning of every life."""
    begin_at = event.terms.plan.begin_at
    return DcaOrder(
        id=order_id,
        terms=event.terms,
        state=State.DEPOSITING,
        version=1,
        created_at=at,
        updated_at=at,
        progress=Progress(next_fill_at=at if begin_at is None else begin_at, attempt=event.attempt),
    )


def evolve(order: DcaOrder, event: Event, at: Instant) -> DcaOrder:
    """The order after the event. Raises `IllegalTransition` if the table does not allow it."""
    outcome = TRANSITIONS[order.state].get(type(event))
    if outcome is None:
        raise IllegalTransition(f"order {order.id} is {order.state.value}: {type(event).__name__} cannot follow")
    after = replace(order, version=order.version + 1, updated_at=at, progress=_progress(order, event, at))
    return replace(after, state=outcome if isinstance(outcome, State) else outcome.of(is_left=bool(after.remaining)))


def _progress(order: DcaOrder, event: Event, at: Instant) -> Progress:
    """The order's progress after the event."""
    before = order.progress
    match event:
        case DepositLanded() | DepositFailed():
            return replace(before, attempt=None)
        case RoundBegan():
            return replace(before, retry_at=None, began_at=before.began_at or at)
        case RoundPostponed():
            return _postponed(before, event)
        case FillStarted() | WithdrawalStarted() | SweepStarted():
            return replace(before, attempt=event.attempt, attempts=before.attempts + 1)
        case FillLanded():
            return _filled(order, event, at)
        case CancelRequested():
            withdrawal = crafted_again(before.withdrawal, event.request_id, event.craft)
            return replace(before, retry_at=None, withdrawal=withdrawal)
        case WithdrawalFailed():
            assert before.withdrawal is not None, f"order {order.id} has no withdrawal"
            assert before.attempt is not None, f"order {order.id} has no withdrawal that could fail"
            withdrawal = failed(before.withdrawal, before.attempt, event.rejection)
            rejections = before.close_rejections + event.close_rejected
            return replace(before, attempt=None, close_rejections=rejections, withdrawal=withdrawal)
        case WithdrawalLanded():
            return _withdrawn(order, event)
        case SweepFailed():
            return replace(before, attempt=None, retry_at=event.retry_at, failures=before.failures + 1)
        case PauseEnded():
            return replace(before, retry_at=None)
        case SweepDone():
            return replace(before, attempt=None, retry_at=None, sweep_due=False)
        case OrderPlaced():
            raise IllegalTransition(f"order {order.id} was placed already")
        case _:
            assert_never(event)


def _postponed(before: Progress, event: RoundPostponed) -> Progress:
    rejections = before.close_rejections + event.close_rejected
    if event.rescheduled:
        return replace(
            before,
            attempt=None,
            next_fill_at=event.until,
            began_at=None,
            failures=0,
            retry_at=None,
            close_rejections=rejections,
        )
    return replace(
        before, attempt=None, failures=before.failures + 1, retry_at=event.until, close_rejections=rejections
    )


def _filled(order: DcaOrder, event: FillLanded, at: Instant) -> Progress:
    before, funds = order.progress, order.funds.post(event.used).void(event.returned)
    # The last round is filled when nothing is left.
    is_filled = not (order.is_last_round and funds.left)
    return replace(
        before,
        attempt=None,
        posted=funds.posted,
        voided=funds.voided,
        rounds_filled=before.rounds_filled + is_filled,
        received=before.received + event.received,
        last_fill_at=at,
        next_fill_at=Instant(at + order.terms.plan.interval_ms),
        began_at=None,
        failures=0,
        sweep_due=not funds.left and not event.closed,
    )


def _withdrawn(order: DcaOrder, event: WithdrawalLanded) -> Progress:
    before, funds = order.progress, order.funds.void(event.withdrawn)
    assert before.withdrawal is not None, f"order {order.id} withdrew without a cancel"
    assert not funds.left, f"order {order.id} is cancelled, and {funds.left.units} units of its deposit are left"
    return replace(
        before,
        attempt=None,
        voided=funds.voided,
        failures=0,
        sweep_due=not event.closed,
        withdrawal=replace(before.withdrawal, craft=None, signature=event.signature),
    )


def work_due(order: DcaOrder) -> Work | None:
    """The whole outbox is this function over the orders: nothing else is stored, and nothing can be forgotten."""
    if order.progress.attempt is not None:
        return Work.RESOLVE
    if order.state is State.ROUND_DUE:
        return Work.FILL
    if order.progress.sweep_due and order.progress.retry_at is None:
        return Work.SWEEP
    return None


def next_due(order: DcaOrder) -> Instant | None:
    """When time itself will next do something to the order."""
    retry_at = order.progress.retry_at
    if order.state is State.ACTIVE:
        return order.progress.next_fill_at if retry_at is None else retry_at
    return retry_at


def next_fill_at(order: DcaOrder) -> Instant | None:
    """When the next round is due first. None: no round will begin any more."""
    has_rounds = order.state in ACTIVE and order.state is not State.WITHDRAWING
    return order.progress.next_fill_at if has_rounds else None


def is_dormant(order: DcaOrder) -> bool:
    """Nothing is to come of it: it need not be in memory. The active ones of a wallet are counted there."""
    return order.state not in ACTIVE and order.progress.attempt is None and not order.progress.sweep_due
