"""Every pair of state and event: what the table allows happens, what it does not raises and changes nothing."""

from typing import get_args

import pytest

from countermand.dialects.trigger_v2.states import DISPLAY, RAW, DisplayState, RawState, display_state
from countermand.kernel.journal import encode
from countermand.orders.trigger.bodies import decode_group
from countermand.orders.trigger.model import events
from countermand.orders.trigger.model.condition import Direction
from countermand.orders.trigger.model.events import Event
from countermand.orders.trigger.model.lifecycle import (
    ACTIVE,
    TRANSITIONS,
    evolve,
    is_dormant,
    next_due,
    work_due,
)
from countermand.orders.trigger.model.order import OrderGroup, State
from countermand.orders.vaults.model.work import Work
from countermand.values.holding import Holding, Overdrawn
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING, U64_MAX, BaseUnits, TotalUnits
from countermand.values.structs import replace
from countermand.values.transactions import AttemptKind, digest_of
from countermand.values.transitions import IllegalTransition, outcomes
from countermand.values.withdrawal import FORMER_CRAFTS_MAX
from tests.orders.trigger.samples import (
    DEPOSITED,
    EXPIRES_AT,
    PLACED_AT,
    REQUEST,
    SOL,
    TXID,
    attempt,
    craft,
    leg,
    order,
    usd,
    withdrawing,
)

LATER = Instant(PLACED_AT + 5)
RETRY_AT = Instant(PLACED_AT + 1_000)

EVENTS: dict[type[Event], Event] = {
    events.OrderPlaced: events.OrderPlaced(order().terms, (leg(),), EXPIRES_AT, attempt(AttemptKind.DEPOSIT, 1)),
    events.DepositLanded: events.DepositLanded(TXID),
    events.DepositFailed: events.DepositFailed(TXID, None),
    events.OrderAmended: events.OrderAmended((leg(dollars=210),), EXPIRES_AT),
    events.OrderTriggered: events.OrderTriggered(0, usd(200)),
    events.OrderExpired: events.OrderExpired(),
    events.FillStarted: events.FillStarted(attempt(AttemptKind.FILL)),
    events.FillLanded: events.FillLanded(TXID, BaseUnits(1_000), BaseUnits(5), NOTHING, closed=True),
    events.OrderResumed: events.OrderResumed(),
    events.FillFailed: events.FillFailed("no", RETRY_AT, None, close_rejected=False),
    events.PauseEnded: events.PauseEnded(),
    events.CancelRequested: events.CancelRequested(REQUEST, craft()),
    events.WithdrawalStarted: events.WithdrawalStarted(attempt(AttemptKind.WITHDRAWAL)),
    events.WithdrawalLanded: events.WithdrawalLanded(TXID, BaseUnits(1_000), NOTHING, closed=True),
    events.WithdrawalFailed: events.WithdrawalFailed(TXID, "no", close_rejected=True),
    events.SweepStarted: events.SweepStarted(attempt(AttemptKind.SWEEP)),
    events.SweepFailed: events.SweepFailed(RETRY_AT),
    events.SweepDone: events.SweepDone(TXID, NOTHING),
    events.WatermarkMoved: events.WatermarkMoved(SOL, Direction.BELOW, usd(300)),
}

ALLOWED = {
    ("depositing", "DepositLanded"): "open",
    ("depositing", "DepositFailed"): "deposit_failed",
    ("open", "OrderAmended"): "open",
    ("open", "PauseEnded"): "open",
    ("open", "OrderTriggered"): "triggered",
    ("open", "OrderExpired"): "expired",
    ("open", "CancelRequested"): "withdrawing",
    ("triggered", "FillStarted"): "executing",
    ("triggered", "FillFailed"): "open",
    ("triggered", "OrderExpired"): "expired",
    ("triggered", "CancelRequested"): "withdrawing",
    ("executing", "FillLanded"): "filled",
    ("executing", "FillFailed"): "open",
    ("partly_filled", "OrderResumed"): "open",
    ("partly_filled", "CancelRequested"): "withdrawing",
    ("expired", "CancelRequested"): "withdrawing",
    ("withdrawing", "CancelRequested"): "withdrawing",
    ("withdrawing", "WithdrawalStarted"): "withdrawing",
    ("withdrawing", "WithdrawalFailed"): "withdrawing",
    ("withdrawing", "WithdrawalLanded"): "cancelled",
    **{
        (state, event): state
        for state in ("filled", "cancelled")
        for event in ("SweepStarted", "SweepFailed", "SweepDone", "PauseEnded")
    },
}


def test_the_samples_cover_every_event() -> None:
    assert set(EVENTS) == set(get_args(Event))


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("state", State)
def test_every_pair_of_state_and_event(state: State, event: Event) -> None:
    group = withdrawing() if state is State.WITHDRAWING else order(state)
    expected = ALLOWED.get((state.value, type(event).__name__))
    if expected is None:
        with pytest.raises(IllegalTransition):
            evolve(group, event, LATER)
        return
    after = evolve(group, event, LATER)
    assert after.state.value == expected
    assert after.version == group.version + 1
    assert after.updated_at == LATER
    assert after.terms is group.terms


def test_a_fill_takes_from_what_remains_and_adds_to_what_was_received() -> None:
    after = evolve(order(State.EXECUTING), EVENTS[events.FillLanded], LATER)
    progress = after.progress
    assert (after.remaining, progress.received, progress.attempt) == (NOTHING, TotalUnits(5), None)


def test_what_all_fills_gave_may_be_more_than_any_account_can_hold() -> None:
    """The user spends what a part gave before the next part comes."""
    before = order(State.EXECUTING, received=TotalUnits(U64_MAX - 1))
    after = evolve(before, EVENTS[events.FillLanded], LATER)
    assert after.progress.received == TotalUnits(U64_MAX + 4)
    assert decode_group(encode(after)) == after


def test_a_fill_that_leaves_something_leaves_the_order_to_the_next_turn() -> None:
    part = events.FillLanded(TXID, BaseUnits(400), BaseUnits(5), NOTHING, closed=False)
    after = evolve(order(State.EXECUTING), part, LATER)
    assert (after.state, after.remaining, after.progress.sweep_due) == (State.PARTLY_FILLED, BaseUnits(600), False)
    rest = evolve(evolve(after, EVENTS[events.CancelRequested], LATER), EVENTS[events.WithdrawalStarted], LATER)
    withdrawn = events.WithdrawalLanded(TXID, BaseUnits(600), NOTHING, closed=True)
    assert evolve(rest, withdrawn, LATER).funds == Holding(DEPOSITED, posted=BaseUnits(400), voided=BaseUnits(600))


def test_a_last_fill_gives_back_a_rest_that_no_swap_is_worth() -> None:
    last = events.FillLanded(TXID, BaseUnits(999), BaseUnits(5), NOTHING, closed=True, returned=BaseUnits(1))
    after = evolve(order(State.EXECUTING), last, LATER)
    assert (after.state, after.progress.sweep_due) == (State.FILLED, False)
    assert after.funds == Holding(DEPOSITED, posted=BaseUnits(999), voided=BaseUnits(1))


def test_a_withdrawal_takes_what_remains() -> None:
    after = evolve(withdrawing(), EVENTS[events.WithdrawalLanded], LATER)
    assert after.remaining == NOTHING
    withdrawal = after.progress.withdrawal
    assert withdrawal is not None
    assert (withdrawal.signature, withdrawal.craft) == (TXID, None)


def test_a_newer_craft_supersedes_the_older_and_remembers_a_few() -> None:
    group = order(State.WITHDRAWING)
    for n in range(100):
        group = evolve(group, events.CancelRequested(REQUEST, craft(b"%d" % n)), LATER)
    withdrawal = group.progress.withdrawal
    assert withdrawal is not None
    assert withdrawal.craft is not None
    assert withdrawal.craft.message == b"99"
    former = [f.digest for f in withdrawal.former]
    assert former == [digest_of(b"%d" % n) for n in range(99 - FORMER_CRAFTS_MAX, 99)]


def test_a_cancelled_order_leaves_nothing_behind() -> None:
    less = events.WithdrawalLanded(TXID, BaseUnits(999), NOTHING, closed=True)
    with pytest.raises(AssertionError, match="1 units of its deposit are left"):
        evolve(withdrawing(), less, LATER)
    rest = Holding(BaseUnits(300), posted=BaseUnits(100))
    with pytest.raises(AssertionError, match="some of its proceeds are left"):
        evolve(withdrawing(proceeds=rest), EVENTS[events.WithdrawalLanded], LATER)


def test_no_order_withdraws_twice() -> None:
    with pytest.raises(Overdrawn):
        evolve(withdrawing(voided=DEPOSITED), EVENTS[events.WithdrawalLanded], LATER)


@pytest.mark.parametrize(
    ("group", "work"),
    [
        (order(State.DEPOSITING), Work.RESOLVE),
        (order(State.OPEN), None),
        (order(State.TRIGGERED), Work.FILL),
        (order(State.EXECUTING), Work.RESOLVE),
        (order(State.EXPIRED), None),
        (order(State.WITHDRAWING), None),
        (withdrawing(), Work.RESOLVE),
        (order(State.FILLED), None),
        (order(State.FILLED, sweep_due=True), Work.SWEEP),
        (order(State.CANCELLED, sweep_due=True, retry_at=RETRY_AT), None),
        (order(State.CANCELLED, sweep_due=True, attempt=attempt(AttemptKind.SWEEP)), Work.RESOLVE),
    ],
)
def test_what_the_outbox_owes(group: OrderGroup, work: Work | None) -> None:
    assert work_due(group) is work


@pytest.mark.parametrize(
    ("group", "due"),
    [
        (order(State.DEPOSITING), None),
        (order(State.OPEN), EXPIRES_AT),
        (order(State.OPEN, retry_at=RETRY_AT), RETRY_AT),
        (order(State.TRIGGERED), EXPIRES_AT),
        (order(State.EXECUTING), None),
        (order(State.EXPIRED), None),
        (order(State.CANCELLED, sweep_due=True, retry_at=RETRY_AT), RETRY_AT),
    ],
)
def test_when_time_concerns_an_order(group: OrderGroup, due: Instant | None) -> None:
    assert next_due(group) == due


def test_what_may_leave_memory() -> None:
    dormant = {state for state in State if is_dormant(order(state))}
    assert dormant == {State.EXPIRED, State.WITHDRAWING, State.FILLED, State.CANCELLED, State.DEPOSIT_FAILED}
    assert not is_dormant(withdrawing())
    assert not is_dormant(order(State.FILLED, sweep_due=True))


def test_both_projections_are_complete() -> None:
    assert set(RAW) == set(State)
    assert set(DISPLAY) == set(RawState)
    assert len(RawState) == 19
    assert len(DisplayState) == 8
    assert set(DISPLAY.values()) == set(DisplayState)
    active = {"pending", "open", "executing", "pending_withdraw"}
    assert all((display_state(state).value in active) is (state in ACTIVE) for state in State)


def test_every_state_of_the_table_is_reachable() -> None:
    reached = {State.DEPOSITING}
    for _ in State:
        reached |= {after for state in reached for leads in TRANSITIONS[state].values() for after in outcomes(leads)}
    assert reached == set(State)


def test_failures_in_a_row_are_counted_one_by_one() -> None:
    """B19: the pauses grow with them."""
    group, counted = order(State.TRIGGERED), []
    for _ in range(4):
        group = evolve(replace(group, state=State.TRIGGERED), EVENTS[events.FillFailed], LATER)
        counted.append(group.progress.failed_fills)
    assert counted == [1, 2, 3, 4]
    amended = evolve(group, EVENTS[events.OrderAmended], LATER)
    assert amended.progress.failed_fills == 0


def test_failed_sweeps_are_counted_one_by_one_from_the_end_of_the_order() -> None:
    filled = evolve(order(State.EXECUTING, failed_fills=5), EVENTS[events.FillLanded], LATER)
    cancelled = evolve(withdrawing(failed_fills=5), EVENTS[events.WithdrawalLanded], LATER)
    assert (filled.progress.failed_fills, cancelled.progress.failed_fills) == (0, 0)
    for ended in (filled, cancelled):
        swept, counted = ended, []
        for _ in range(3):
            swept = evolve(swept, EVENTS[events.SweepFailed], LATER)
            counted.append(swept.progress.failed_fills)
        assert counted == [1, 2, 3]


@pytest.mark.parametrize("rejected", [False, True])
def test_rejected_closes_are_counted_alone(rejected: bool) -> None:
    fill = events.FillFailed("no", RETRY_AT, None, close_rejected=rejected)
    withdrawal = events.WithdrawalFailed(TXID, "no", close_rejected=rejected)
    assert evolve(order(State.EXECUTING), fill, LATER).progress.close_rejections == rejected
    assert evolve(withdrawing(), withdrawal, LATER).progress.close_rejections == rejected


def test_attempts_are_numbered_one_by_one() -> None:
    group = order(State.TRIGGERED, attempts=7)
    assert evolve(group, EVENTS[events.FillStarted], LATER).progress.attempts == 8
