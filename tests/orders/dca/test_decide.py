"""What each command does to a recurring order."""

from typing import Any

import pytest

from countermand.orders.dca.model import events
from countermand.orders.dca.model.commands import (
    AbandonFill,
    BeginRound,
    Command,
    ConfirmCancel,
    EndPause,
    RequestCancel,
    ResolveAttempt,
    StartFill,
    StartSweep,
)
from countermand.orders.dca.model.decide import ACTIVE_MAX, BEGIN_MS_MAX, Decision, decide
from countermand.orders.dca.model.events import Event
from countermand.orders.dca.model.lifecycle import evolve
from countermand.orders.dca.model.order import DcaOrder, PriceBand, State
from countermand.orders.dca.model.refusals import DcaRefusal, DcaRefused
from countermand.values.identity import RequestId
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice
from countermand.values.structs import replace
from countermand.values.transactions import AttemptKind, SubmissionFault, SwapAmounts, TransactionOutcome
from countermand.values.withdrawal import Withdrawal
from tests.orders.dca.samples import (
    DEPOSITED,
    HOUR_MS,
    ID,
    MALLORY,
    PLACED_AT,
    REQUEST,
    SOL,
    TXID,
    WINDOW_MS,
    attempt,
    band,
    craft,
    order,
    place,
    plan,
    submission,
    usd,
)

LATER = Instant(PLACED_AT + 5)
LANDED, REJECTED, DEAD = TransactionOutcome.LANDED, TransactionOutcome.REJECTED, TransactionOutcome.DEAD


def decided(
    made: DcaOrder | None, command: Command, at: int = LATER, price: UsdPrice | None = None, active: int = 0
) -> Decision | DcaRefused:
    return decide(made, command, Moment(Instant(at), price), active=active)


def refusal(made: DcaOrder | None, command: Command, **more: Any) -> DcaRefusal:
    refused = decided(made, command, **more)
    assert isinstance(refused, DcaRefused), refused
    return refused.refusal


def event(made: DcaOrder | None, command: Command, **more: Any) -> Event:
    events_made = decided(made, command, **more)
    assert isinstance(events_made, tuple), events_made
    (only,) = events_made
    return only


# --- placing


def test_a_placed_order_has_its_plan_and_an_attempt_of_its_deposit() -> None:
    placed = event(None, place())
    assert isinstance(placed, events.OrderPlaced)
    assert placed.terms.plan == plan()
    assert (placed.attempt.number, placed.attempt.kind) == (1, AttemptKind.DEPOSIT)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"wallet": MALLORY}, DcaRefusal.DEPOSIT_UNLIKE_CRAFT),
        ({"input_mint": SOL}, DcaRefusal.DEPOSIT_UNLIKE_CRAFT),
        ({"amount": BaseUnits(999)}, DcaRefusal.DEPOSIT_UNLIKE_CRAFT),
        ({"plan": plan(begin_at=LATER)}, DcaRefusal.BEGIN_PAST),
        ({"plan": plan(begin_at=LATER + BEGIN_MS_MAX + 1)}, DcaRefusal.BEGIN_TOO_LATE),
        ({"round_cents": None}, DcaRefusal.PRICE_UNKNOWN),
        ({"round_cents": 979}, DcaRefusal.ROUND_TOO_SMALL),
        ({"plan": plan(rounds=1_001)}, DcaRefusal.ROUND_TOO_SMALL),
        ({"submission": submission(b"other")}, DcaRefusal.TRANSACTION_OTHER),
        ({"submission": submission(b"", fault=SubmissionFault.NOT_A_TRANSACTION)}, DcaRefusal.TRANSACTION_UNREADABLE),
        ({"submission": submission(b"deposit", fault=SubmissionFault.UNSIGNED)}, DcaRefusal.TRANSACTION_UNSIGNED),
        ({"flaw": "no"}, DcaRefusal.DEPOSIT_FLAWED),
    ],
)
def test_an_order_that_is_not_placed(more: dict[str, Any], expected: DcaRefusal) -> None:
    assert refusal(None, place(**more)) is expected


@pytest.mark.parametrize("begin_at", [LATER + 1, LATER + BEGIN_MS_MAX])
def test_the_first_and_the_last_instant_to_begin_at(begin_at: int) -> None:
    assert isinstance(event(None, place(plan=plan(begin_at=begin_at))), events.OrderPlaced)


def test_a_round_may_be_worth_twenty_cents_less_than_ten_dollars() -> None:
    assert isinstance(event(None, place(round_cents=980)), events.OrderPlaced)
    assert decided(None, place(round_cents=905)) == DcaRefused(DcaRefusal.ROUND_TOO_SMALL, detail="9.05")


def test_a_wallet_has_ten_active_orders_at_most() -> None:
    assert isinstance(event(None, place(), active=ACTIVE_MAX - 1), events.OrderPlaced)
    assert refusal(None, place(), active=ACTIVE_MAX) is DcaRefusal.TOO_MANY_ACTIVE


def test_a_repeated_create_changes_nothing_whatever_has_happened_since() -> None:
    made, again = order(of=plan(begin_at=PLACED_AT + 1)), place(plan=plan(begin_at=PLACED_AT + 1), round_cents=1)
    assert decided(made, again, active=ACTIVE_MAX) == ()
    assert decided(made, replace(again, plan=plan())) == DcaRefused(DcaRefusal.DEPOSIT_DUPLICATE, order_id=ID)
    assert decided(made, replace(again, wallet=MALLORY)) == DcaRefused(DcaRefusal.DEPOSIT_DUPLICATE)
    assert refusal(order(State.DEPOSIT_FAILED), place()) is DcaRefusal.DEPOSIT_FAILED_BEFORE
    unsigned = submission(b"deposit", fault=SubmissionFault.UNSIGNED)
    assert refusal(order(), place(submission=unsigned)) is DcaRefusal.TRANSACTION_UNSIGNED


def test_what_becomes_of_a_deposit() -> None:
    made = order(State.DEPOSITING)
    assert event(made, ResolveAttempt(ID, 1, LANDED, TXID, None)) == events.DepositLanded(TXID)
    assert event(made, ResolveAttempt(ID, 1, REJECTED, TXID, "no")) == events.DepositFailed(TXID, "no")
    assert refusal(made, ResolveAttempt(ID, 2, LANDED, TXID, None)) is DcaRefusal.NOTHING_TO_DO


# --- rounds


def test_a_round_begins_when_it_is_due() -> None:
    made = order(next_fill_at=LATER)
    assert refusal(made, BeginRound(ID), at=LATER - 1) is DcaRefusal.NOTHING_TO_DO
    assert event(made, BeginRound(ID), at=LATER) == events.RoundBegan()
    for state in set(State) - {State.ACTIVE}:
        assert refusal(order(state), BeginRound(ID)) is DcaRefusal.NOTHING_TO_DO


@pytest.mark.parametrize(
    ("limits", "price", "begins"),
    [
        (band(), 100, True),
        (band(), 200, True),
        (band(), 99, False),
        (band(), 201, False),
        (band(), None, False),
        (band(least=None), 1, True),
        (band(least=None), 201, False),
        (band(most=None), 1_000, True),
        (band(most=None), 99, False),
    ],
)
def test_a_round_begins_only_at_a_price_within_its_band(limits: PriceBand, price: int | None, begins: bool) -> None:
    made = order(of=plan(band=limits))
    happened = event(made, BeginRound(ID), price=None if price is None else usd(price))
    if begins:
        assert happened == events.RoundBegan()
        return
    assert isinstance(happened, events.RoundPostponed)
    assert (happened.rescheduled, happened.until, happened.signature) == (True, PLACED_AT + HOUR_MS, None)


@pytest.mark.parametrize(
    ("late_ms", "intervals"), [(0, 1), (1, 1), (HOUR_MS - 1, 1), (HOUR_MS, 2), (50 * HOUR_MS + 1, 51)]
)
def test_what_was_missed_is_not_made_up_for(late_ms: int, intervals: int) -> None:
    happened = event(order(of=plan(band=band())), BeginRound(ID), at=PLACED_AT + late_ms, price=usd(1))
    assert isinstance(happened, events.RoundPostponed)
    assert happened.until == PLACED_AT + intervals * HOUR_MS


def test_a_round_is_tried_at_least_once_however_late_it_is() -> None:
    assert event(order(), BeginRound(ID), at=PLACED_AT + 9 * HOUR_MS) == events.RoundBegan()


def test_a_swap_that_fails_is_tried_again_after_1_2_4_to_60_seconds() -> None:
    made = order(State.ROUND_DUE)
    for seconds in (1, 2, 4, 8, 16, 32, 60, 60):
        failed = event(made, AbandonFill(ID, "too little", made.version))
        assert failed == events.RoundPostponed("too little", Instant(LATER + seconds * 1_000), rescheduled=False)
        made = replace(evolve(made, failed, LATER), state=State.ROUND_DUE)


def test_a_round_whose_window_is_over_goes_to_the_next_interval() -> None:
    made = order(State.ROUND_DUE)
    last = AbandonFill(ID, "too little", made.version)
    in_time = event(made, last, at=PLACED_AT + WINDOW_MS - 1_000)
    too_late = event(made, last, at=PLACED_AT + WINDOW_MS - 999)
    assert in_time == events.RoundPostponed("too little", Instant(PLACED_AT + WINDOW_MS), rescheduled=False)
    assert too_late == events.RoundPostponed("too little", Instant(PLACED_AT + HOUR_MS), rescheduled=True)


def test_a_pause_that_ends_after_the_window_ends_the_round() -> None:
    made = order(began_at=PLACED_AT, failures=1, retry_at=LATER)
    assert event(made, BeginRound(ID), at=PLACED_AT + WINDOW_MS) == events.RoundBegan()
    happened = event(made, BeginRound(ID), at=PLACED_AT + WINDOW_MS + 1)
    assert isinstance(happened, events.RoundPostponed)
    assert (happened.rescheduled, happened.until) == (True, PLACED_AT + HOUR_MS)


def test_a_fill_starts_only_from_the_order_that_it_was_made_for() -> None:
    made = order(State.ROUND_DUE)
    started = event(made, StartFill(ID, craft(), made.version))
    assert isinstance(started, events.FillStarted)
    assert (started.attempt.number, started.attempt.kind) == (2, AttemptKind.FILL)
    assert refusal(made, StartFill(ID, craft(), made.version - 1)) is DcaRefusal.CRAFT_STALE
    assert refusal(order(), StartFill(ID, craft(), made.version)) is DcaRefusal.CRAFT_STALE
    assert refusal(order(State.WITHDRAWING), StartFill(ID, craft(), made.version)) is DcaRefusal.CRAFT_STALE
    assert refusal(order(), AbandonFill(ID, "no", made.version)) is DcaRefusal.CRAFT_STALE


def test_a_fill_that_landed_tells_what_it_moved() -> None:
    swap = SwapAmounts(BaseUnits(333), BaseUnits(5), NOTHING)
    landed = event(order(State.EXECUTING), ResolveAttempt(ID, 2, LANDED, TXID, None, swap=swap))
    assert landed == events.FillLanded(TXID, BaseUnits(333), BaseUnits(5), NOTHING, closed=False)


def test_the_last_fill_returns_the_rest_of_the_funds_first_and_the_others_as_dust() -> None:
    closing = attempt(AttemptKind.FILL, made=craft(closes=True))
    made = order(State.EXECUTING, rounds_filled=2, posted=BaseUnits(666), attempt=closing)
    swap = SwapAmounts(BaseUnits(330), BaseUnits(5), BaseUnits(7))
    landed = event(made, ResolveAttempt(ID, 2, LANDED, TXID, None, swap=swap))
    assert landed == events.FillLanded(
        TXID, BaseUnits(330), BaseUnits(5), BaseUnits(3), closed=True, returned=BaseUnits(4)
    )
    assert evolve(made, landed, LATER).state is State.COMPLETED


@pytest.mark.parametrize(
    ("outcome", "at_close", "reason", "close_rejected"),
    [
        (REJECTED, False, "no", False),
        (REJECTED, True, "no", True),
        (DEAD, False, "the transaction did not land in time", False),
    ],
)
def test_a_fill_that_failed_is_tried_again(
    outcome: TransactionOutcome, at_close: bool, reason: str, close_rejected: bool
) -> None:
    error = "no" if outcome is REJECTED else None
    failed = event(order(State.EXECUTING), ResolveAttempt(ID, 2, outcome, TXID, error, at_close))
    until = Instant(LATER + 1_000)
    assert failed == events.RoundPostponed(reason, until, False, TXID, close_rejected)


# --- the two steps of a cancel


@pytest.mark.parametrize("state", State)
def test_a_cancel_works_while_no_fill_is_committed(state: State) -> None:
    made = order(state)
    command = RequestCancel(ID, made.terms.wallet, RequestId("new"), craft(), made.version)
    if state in (State.ACTIVE, State.ROUND_DUE, State.WITHDRAWING):
        request_id = REQUEST if state is State.WITHDRAWING else RequestId("new")
        assert event(made, command) == events.CancelRequested(request_id, craft())
        return
    assert decided(made, command) == DcaRefused(DcaRefusal.STATE_FORBIDS_CANCEL, state=state)


def test_who_may_not_cancel_is_told_that_there_is_no_order() -> None:
    assert refusal(order(), RequestCancel(ID, MALLORY, REQUEST, None, 0)) is DcaRefusal.ORDER_UNKNOWN
    assert refusal(None, RequestCancel(ID, MALLORY, REQUEST, None, 0)) is DcaRefusal.ORDER_UNKNOWN
    assert refusal(order(), confirming(wallet=MALLORY)) is DcaRefusal.ORDER_UNKNOWN


def test_a_craft_of_an_older_order_is_not_kept() -> None:
    made = order()
    command = RequestCancel(ID, made.terms.wallet, REQUEST, craft(), made.version - 1)
    assert refusal(made, command) is DcaRefusal.CRAFT_STALE
    assert event(made, replace(command, craft=None)) == events.CancelRequested(REQUEST, None)


def test_a_cosigned_withdrawal_is_the_answer_to_a_repeated_cancel() -> None:
    made = order(State.WITHDRAWING, attempt=attempt(AttemptKind.WITHDRAWAL))
    assert decided(made, RequestCancel(ID, made.terms.wallet, REQUEST, craft(), made.version)) == ()


def confirming(**more: Any) -> ConfirmCancel:
    command = ConfirmCancel(ID, order().terms.wallet, REQUEST, submission(), block_height=150)
    return replace(command, **more)


def test_a_confirm_starts_the_withdrawal_once() -> None:
    started = event(order(State.WITHDRAWING), confirming())
    assert isinstance(started, events.WithdrawalStarted)
    assert decided(order(State.WITHDRAWING, attempt=attempt(AttemptKind.WITHDRAWAL)), confirming()) == ()
    assert decided(order(State.CANCELLED), confirming(submission=submission(b"any"))) == ()


@pytest.mark.parametrize("state", [State.DEPOSITING, State.ACTIVE, State.ROUND_DUE, State.EXECUTING, State.COMPLETED])
def test_a_confirm_of_what_was_not_cancelled(state: State) -> None:
    assert refusal(order(state), confirming()) is DcaRefusal.NOT_CANCELLED


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"request_id": RequestId("other")}, DcaRefusal.WITHDRAWAL_UNKNOWN),
        ({"submission": submission(b"other")}, DcaRefusal.TRANSACTION_OTHER),
        ({"submission": submission(fault=SubmissionFault.UNSIGNED)}, DcaRefusal.TRANSACTION_UNSIGNED),
        ({"submission": submission(fault=SubmissionFault.WRONG_SIGNATURE)}, DcaRefusal.TRANSACTION_WRONG_SIGNATURE),
        ({"submission": submission(fault=SubmissionFault.NOT_CANONICAL)}, DcaRefusal.TRANSACTION_NOT_CANONICAL),
        ({"block_height": 151}, DcaRefusal.WITHDRAWAL_EXPIRED),
        ({"flaw": "no lamports"}, DcaRefusal.WITHDRAWAL_UNPAYABLE),
    ],
)
def test_a_confirm_that_is_refused(more: dict[str, Any], expected: DcaRefusal) -> None:
    assert refusal(order(State.WITHDRAWING), confirming(**more)) is expected


def test_a_withdrawal_that_failed_says_so_from_then_on() -> None:
    made = order(State.WITHDRAWING, attempts=2, attempt=attempt(AttemptKind.WITHDRAWAL))
    rejected = event(made, ResolveAttempt(ID, 2, REJECTED, TXID, "no", at_close=True))
    assert rejected == events.WithdrawalFailed(TXID, "no", close_rejected=True)
    assert refusal(evolve(made, rejected, LATER), confirming()) is DcaRefusal.WITHDRAWAL_REJECTED
    dead = event(made, ResolveAttempt(ID, 2, DEAD, TXID, None))
    assert refusal(evolve(made, dead, LATER), confirming()) is DcaRefusal.WITHDRAWAL_EXPIRED


def test_a_newer_cancel_replaces_the_older_withdrawal() -> None:
    made = order(State.WITHDRAWING)
    again = event(made, RequestCancel(ID, made.terms.wallet, REQUEST, craft(b"newer"), made.version))
    after = evolve(made, again, LATER)
    assert refusal(after, confirming()) is DcaRefusal.WITHDRAWAL_SUPERSEDED
    assert isinstance(event(after, confirming(submission=submission(b"newer"))), events.WithdrawalStarted)


def test_a_withdrawal_that_landed_cancels_the_order() -> None:
    made = order(State.WITHDRAWING, attempt=attempt(AttemptKind.WITHDRAWAL, made=craft(closes=True)))
    landed = event(made, ResolveAttempt(ID, 2, LANDED, TXID, None))
    assert landed == events.WithdrawalLanded(TXID, DEPOSITED, NOTHING, closed=True)
    assert evolve(made, landed, LATER).progress.withdrawal == Withdrawal(REQUEST, None, signature=TXID)


# --- sweeps


def test_an_account_that_dust_left_open_is_swept() -> None:
    made = order(State.COMPLETED, sweep_due=True)
    assert isinstance(event(made, StartSweep(ID, craft(), made.version)), events.SweepStarted)
    assert event(made, StartSweep(ID, None, made.version)) == events.SweepDone(None, NOTHING)
    assert refusal(order(State.COMPLETED), StartSweep(ID, None, made.version)) is DcaRefusal.CRAFT_STALE
    failing = order(State.COMPLETED, sweep_due=True, attempts=2, attempt=attempt(AttemptKind.SWEEP))
    failed = event(failing, ResolveAttempt(ID, 2, REJECTED, TXID, "no"))
    assert failed == events.SweepFailed(Instant(LATER + 1_000))
    paused = evolve(failing, failed, LATER)
    assert refusal(paused, EndPause(ID), at=LATER + 999) is DcaRefusal.NOTHING_TO_DO
    assert event(paused, EndPause(ID), at=LATER + 1_000) == events.PauseEnded()
