"""Every pair of state and event: what the table allows happens, what it does not raises and changes nothing."""

from typing import get_args

import pytest

from countermand.kernel.journal import encode
from countermand.orders.dca.bodies import decode_order
from countermand.orders.dca.model import events
from countermand.orders.dca.model.events import Event
from countermand.orders.dca.model.lifecycle import (
    TRANSITIONS,
    evolve,
    is_dormant,
    next_due,
    place,
    work_due,
)
from countermand.orders.dca.model.order import DcaOrder, DcaPlan, State
from countermand.orders.vaults.model.work import Work
from countermand.values.holding import Overdrawn
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING, U64_MAX, BaseUnits, TotalUnits
from countermand.values.transactions import AttemptKind
from countermand.values.transitions import IllegalTransition, outcomes
from tests.orders.dca.samples import (
    DEPOSITED,
    HOUR_MS,
    PLACED_AT,
    REQUEST,
    TXID,
    attempt,
    craft,
    order,
    plan,
    terms,
)

LATER = Instant(PLACED_AT + 5)
RETRY_AT = Instant(PLACED_AT + 1_000)

EVENTS: dict[type[Event], Event] = {
    events.OrderPlaced: events.OrderPlaced(terms(), attempt(AttemptKind.DEPOSIT, 1)),
    events.DepositLanded: events.DepositLanded(TXID),
    events.DepositFailed: events.DepositFailed(TXID, None),
    events.RoundBegan: events.RoundBegan(),
    events.RoundPostponed: events.RoundPostponed("no", RETRY_AT, rescheduled=False),
    events.FillStarted: events.FillStarted(attempt(AttemptKind.FILL)),
    events.FillLanded: events.FillLanded(TXID, BaseUnits(333), BaseUnits(5), NOTHING, closed=False),
    events.CancelRequested: events.CancelRequested(REQUEST, craft()),
    events.WithdrawalStarted: events.WithdrawalStarted(attempt(AttemptKind.WITHDRAWAL)),
    events.WithdrawalLanded: events.WithdrawalLanded(TXID, DEPOSITED, NOTHING, closed=True),
    events.WithdrawalFailed: events.WithdrawalFailed(TXID, "no", close_rejected=True),
    events.SweepStarted: events.SweepStarted(attempt(AttemptKind.SWEEP)),
    events.SweepFailed: events.SweepFailed(RETRY_AT),
    events.PauseEnded: events.PauseEnded(),
    events.SweepDone: events.SweepDone(TXID, NOTHING),
}

ALLOWED = {
    ("depositing", "DepositLanded"): "active",
    ("depositing", "DepositFailed"): "deposit_failed",
    ("active", "RoundBegan"): "round_due",
    ("active", "RoundPostponed"): "active",
    ("active", "CancelRequested"): "withdrawing",
    ("round_due", "FillStarted"): "executing",
    ("round_due", "RoundPostponed"): "active",
    ("round_due", "CancelRequested"): "withdrawing",
    ("executing", "FillLanded"): "active",
    ("executing", "RoundPostponed"): "active",
    ("withdrawing", "CancelRequested"): "withdrawing",
    ("withdrawing", "WithdrawalStarted"): "withdrawing",
    ("withdrawing", "WithdrawalFailed"): "withdrawing",
    ("withdrawing", "WithdrawalLanded"): "cancelled",
    **{
        (state, event): state
        for state in ("completed", "cancelled")
        for event in ("SweepStarted", "SweepFailed", "SweepDone", "PauseEnded")
    },
}


def of_state(state: State) -> DcaOrder:
    if state is State.WITHDRAWING:
        return order(state, attempts=2, attempt=attempt(AttemptKind.WITHDRAWAL))
    return order(state)


def test_the_samples_cover_every_event() -> None:
    assert set(EVENTS) == set(get_args(Event))


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("state", State)
def test_every_pair_of_state_and_event(state: State, event: Event) -> None:
    before = of_state(state)
    expected = ALLOWED.get((state.value, type(event).__name__))
    if expected is None:
        with pytest.raises(IllegalTransition):
            evolve(before, event, LATER)
        return
    after = evolve(before, event, LATER)
    assert after.state.value == expected
    assert (after.version, after.updated_at) == (before.version + 1, LATER)
    assert after.terms is before.terms


def test_every_state_can_be_reached_and_all_have_a_row() -> None:
    reached = {state for row in TRANSITIONS.values() for outcome in row.values() for state in outcomes(outcome)}
    assert reached | {State.DEPOSITING} == set(State) == set(TRANSITIONS)


def test_the_first_round_is_due_at_once_or_at_its_begin() -> None:
    placed = events.OrderPlaced(terms(), attempt(AttemptKind.DEPOSIT, 1))
    assert place(order().id, placed, LATER).progress.next_fill_at == LATER
    later = events.OrderPlaced(terms(plan(begin_at=PLACED_AT + 99)), attempt(AttemptKind.DEPOSIT, 1))
    assert place(order().id, later, LATER).progress.next_fill_at == PLACED_AT + 99


def test_what_all_rounds_gave_may_be_more_than_any_account_can_hold() -> None:
    """The user spends what a round gave before the next one comes."""
    before = order(State.EXECUTING, received=TotalUnits(U64_MAX - 1))
    after = evolve(before, EVENTS[events.FillLanded], LATER)
    assert after.progress.received == TotalUnits(U64_MAX + 4)
    assert decode_order(encode(after)) == after


def test_a_round_that_landed_is_counted_and_the_next_is_due_an_interval_later() -> None:
    after = evolve(order(State.EXECUTING, failures=3, retry_at=None), EVENTS[events.FillLanded], LATER)
    progress = after.progress
    assert (progress.rounds_filled, after.rounds_remaining, after.round_number) == (1, 2, 2)
    assert (progress.received, progress.posted, after.remaining) == (TotalUnits(5), BaseUnits(333), BaseUnits(667))
    assert (progress.next_fill_at, progress.last_fill_at) == (LATER + HOUR_MS, LATER)
    assert (progress.attempt, progress.began_at, progress.failures, progress.sweep_due) == (None, None, 0, False)


def test_the_last_round_takes_what_does_not_divide_and_ends_the_order() -> None:
    before = order(State.EXECUTING, rounds_filled=2, posted=BaseUnits(666))
    assert (before.terms.per_round, before.round_amount) == (BaseUnits(333), BaseUnits(334))
    landed = events.FillLanded(TXID, BaseUnits(334), BaseUnits(5), NOTHING, closed=True)
    after = evolve(before, landed, LATER)
    assert (after.state, after.remaining, after.rounds_remaining) == (State.COMPLETED, NOTHING, 0)
    assert not after.progress.sweep_due
    open_account = events.FillLanded(TXID, BaseUnits(334), BaseUnits(5), NOTHING, closed=False)
    assert evolve(before, open_account, LATER).progress.sweep_due


def test_the_last_round_is_not_over_while_something_is_left() -> None:
    before = order(State.EXECUTING, rounds_filled=2, posted=BaseUnits(666))
    landed = events.FillLanded(TXID, BaseUnits(300), BaseUnits(5), NOTHING, closed=False)
    after = evolve(before, landed, LATER)
    assert (after.state, after.rounds_remaining, after.round_amount) == (State.ACTIVE, 1, BaseUnits(34))


def test_no_unit_leaves_twice() -> None:
    before = order(State.EXECUTING, posted=BaseUnits(700))
    with pytest.raises(Overdrawn):
        evolve(before, EVENTS[events.FillLanded], LATER)


def test_a_cancelled_order_leaves_nothing_behind() -> None:
    before = of_state(State.WITHDRAWING)
    assert evolve(before, EVENTS[events.WithdrawalLanded], LATER).remaining == NOTHING
    less = events.WithdrawalLanded(TXID, BaseUnits(999), NOTHING, closed=True)
    with pytest.raises(AssertionError, match="1 units of its deposit are left"):
        evolve(before, less, LATER)


def test_a_postponed_round_waits_for_its_pause_and_a_rescheduled_one_begins_anew() -> None:
    before = order(State.EXECUTING, failures=1)
    paused = evolve(before, EVENTS[events.RoundPostponed], LATER).progress
    assert (paused.failures, paused.retry_at, paused.began_at, paused.next_fill_at) == (
        2,
        RETRY_AT,
        PLACED_AT,
        PLACED_AT,
    )
    until = Instant(PLACED_AT + HOUR_MS)
    after = evolve(before, events.RoundPostponed("no", until, rescheduled=True, close_rejected=True), LATER)
    anew = after.progress
    assert (anew.failures, anew.retry_at, anew.began_at, anew.next_fill_at) == (0, None, None, until)
    assert (anew.rounds_filled, anew.close_rejections) == (0, 1)


def test_a_round_remembers_when_it_was_tried_first() -> None:
    again = evolve(order(began_at=PLACED_AT, retry_at=RETRY_AT), events.RoundBegan(), RETRY_AT)
    assert (again.progress.began_at, again.progress.retry_at) == (PLACED_AT, None)


@pytest.mark.parametrize(
    ("made", "work"),
    [
        (order(State.DEPOSITING), Work.RESOLVE),
        (order(), None),
        (order(State.ROUND_DUE), Work.FILL),
        (order(State.EXECUTING), Work.RESOLVE),
        (order(State.WITHDRAWING), None),
        (order(State.COMPLETED), None),
        (order(State.COMPLETED, sweep_due=True), Work.SWEEP),
        (order(State.CANCELLED, sweep_due=True, retry_at=RETRY_AT), None),
        (order(State.DEPOSIT_FAILED), None),
    ],
)
def test_what_an_order_is_owed(made: DcaOrder, work: Work | None) -> None:
    assert work_due(made) is work


@pytest.mark.parametrize(
    ("made", "due"),
    [
        (order(), PLACED_AT),
        (order(retry_at=RETRY_AT), RETRY_AT),
        (order(State.DEPOSITING), None),
        (order(State.ROUND_DUE), None),
        (order(State.EXECUTING), None),
        (order(State.WITHDRAWING), None),
        (order(State.COMPLETED, sweep_due=True, retry_at=RETRY_AT), RETRY_AT),
    ],
)
def test_when_time_concerns_an_order(made: DcaOrder, due: Instant | None) -> None:
    assert next_due(made) == due


@pytest.mark.parametrize("state", State)
def test_active_orders_stay_in_memory_where_they_are_counted(state: State) -> None:
    ended = state in (State.COMPLETED, State.CANCELLED, State.DEPOSIT_FAILED)
    assert is_dormant(order(state)) is ended
    if state in (State.COMPLETED, State.CANCELLED):
        assert not is_dormant(order(state, sweep_due=True))


@pytest.mark.parametrize(
    ("interval_s", "window_s"), [(60, 30), (61, 30), (100, 50), (3_600, 1_800), (14_400, 7_200), (31_536_000, 7_200)]
)
def test_the_retry_window_is_half_an_interval_from_30_s_to_2_h(interval_s: int, window_s: int) -> None:
    assert DcaPlan(2, interval_s, None, None).retry_window_s == window_s
