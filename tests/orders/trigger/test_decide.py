"""What commands do, by state and by what is wrong with them."""

from typing import Any

import pytest

from countermand.orders.trigger.model import commands, events
from countermand.orders.trigger.model.commands import (
    Amendment,
    AmendOrder,
    ConfirmCancel,
    LegChange,
    RequestCancel,
    ResolveAttempt,
)
from countermand.orders.trigger.model.condition import Direction
from countermand.orders.trigger.model.decide import OrderCommand, decide
from countermand.orders.trigger.model.lifecycle import evolve
from countermand.orders.trigger.model.order import Family, OrderGroup, State
from countermand.orders.trigger.model.refusals import TriggerRefusal, TriggerRefused
from countermand.values.identity import RequestId, Signature
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import NOTHING, BaseUnits, Bps
from countermand.values.structs import replace
from countermand.values.transactions import AttemptKind, SubmissionFault, SwapAmounts, TransactionOutcome, digest_of
from countermand.values.withdrawal import SupersededTransaction, Withdrawal
from tests.orders.trigger.samples import (
    ALICE,
    DEPOSITED,
    EXPIRES_AT,
    ID,
    MALLORY,
    PLACED_AT,
    REQUEST,
    SOL,
    TXID,
    USDC,
    attempt,
    craft,
    deposit,
    leg,
    order,
    place,
    progressed,
    submission,
    usd,
    withdrawing,
)

NOW = Moment(Instant(PLACED_AT + 10), usd(150))
CROSSED = Moment(Instant(PLACED_AT + 10), usd(200))
LATE = Moment(EXPIRES_AT, usd(200))


def names(decision: object) -> list[str]:
    assert isinstance(decision, tuple), decision
    return [type(event).__name__ for event in decision]


def refusal(decision: object) -> TriggerRefusal:
    assert isinstance(decision, TriggerRefused), decision
    return decision.refusal


# --- placing


def test_an_order_is_placed_with_its_deposit_as_the_first_attempt() -> None:
    decision = decide(None, place(), NOW)
    assert isinstance(decision, tuple)
    (placed,) = decision
    assert isinstance(placed, events.OrderPlaced)
    assert (placed.attempt.number, placed.attempt.kind, placed.attempt.user_signature) == (1, AttemptKind.DEPOSIT, TXID)
    assert placed.attempt.craft.message == b"deposit"


@pytest.mark.parametrize(
    ("wrong", "why", "detail"),
    [
        ({"wallet": MALLORY}, TriggerRefusal.DEPOSIT_UNLIKE_CRAFT, "wallet"),
        ({"input_mint": USDC}, TriggerRefusal.DEPOSIT_UNLIKE_CRAFT, "input_mint"),
        ({"output_mint": SOL}, TriggerRefusal.DEPOSIT_UNLIKE_CRAFT, "output_mint"),
        ({"amount": BaseUnits(999)}, TriggerRefusal.DEPOSIT_UNLIKE_CRAFT, "amount"),
        ({"family": Family.OCO}, TriggerRefusal.DEPOSIT_UNLIKE_CRAFT, "family"),
        ({"expires_at": NOW.at}, TriggerRefusal.EXPIRY_PAST, ""),
        (
            {"submission": submission(b"", fault=SubmissionFault.NOT_A_TRANSACTION)},
            TriggerRefusal.TRANSACTION_UNREADABLE,
            "",
        ),
        (
            {"submission": submission(b"deposit", fault=SubmissionFault.NOT_CANONICAL)},
            TriggerRefusal.TRANSACTION_NOT_CANONICAL,
            "",
        ),
        ({"submission": submission(b"other")}, TriggerRefusal.TRANSACTION_OTHER, "accounts"),
        (
            {"submission": submission(b"deposit", fault=SubmissionFault.UNSIGNED)},
            TriggerRefusal.TRANSACTION_UNSIGNED,
            "",
        ),
        (
            {"submission": submission(b"deposit", fault=SubmissionFault.WRONG_SIGNATURE)},
            TriggerRefusal.TRANSACTION_WRONG_SIGNATURE,
            "",
        ),
        ({"flaw": "insufficient funds"}, TriggerRefusal.DEPOSIT_FLAWED, "insufficient funds"),
    ],
)
def test_what_makes_an_order_refused(wrong: dict[str, object], why: TriggerRefusal, detail: str) -> None:
    assert decide(None, place(**wrong), NOW) == TriggerRefused(why, detail=detail)


def test_the_earlier_of_two_faults_is_told() -> None:
    both = place(amount=BaseUnits(1), expires_at=NOW.at, flaw="poor")
    assert refusal(decide(None, both, NOW)) is TriggerRefusal.DEPOSIT_UNLIKE_CRAFT


@pytest.mark.parametrize("state", [state for state in State if state is not State.DEPOSIT_FAILED])
def test_placing_again_is_the_same_order(state: State) -> None:
    assert decide(order(state), place(), NOW) == ()


def test_placing_again_with_other_fields_is_a_duplicate_deposit() -> None:
    others: tuple[dict[str, Any], ...] = (
        {"wallet": MALLORY},
        {"family": Family.OCO},
        {"input_mint": USDC},
        {"output_mint": SOL},
        {"trigger_mint": USDC},
        {"amount": BaseUnits(1)},
        {"legs": (leg(dollars=201),)},
        {"expires_at": Instant(EXPIRES_AT + 1)},
        {"submission": submission(b"another message")},
    )
    for other in others:
        assert refusal(decide(order(), place(**other), NOW)) is TriggerRefusal.DEPOSIT_DUPLICATE, other


def test_placing_again_repeats_what_was_asked_for_first_however_the_order_was_amended_since() -> None:
    group = order()
    for dollars in (201, 202):
        group = evolve(group, events.OrderAmended((leg(dollars=dollars),), Instant(EXPIRES_AT + dollars)), PLACED_AT)
    as_it_is = place(legs=group.legs, expires_at=group.expires_at)
    assert decide(group, place(), NOW) == ()
    assert refusal(decide(group, as_it_is, NOW)) is TriggerRefusal.DEPOSIT_DUPLICATE


def test_a_deposit_that_failed_stays_failed() -> None:
    assert refusal(decide(order(State.DEPOSIT_FAILED), place(), NOW)) is TriggerRefusal.DEPOSIT_FAILED_BEFORE


def test_an_unknown_transaction_of_another_wallet_is_refused() -> None:
    assert refusal(decide(None, place(deposit=deposit(wallet=MALLORY)), NOW)) is TriggerRefusal.DEPOSIT_UNLIKE_CRAFT


# --- the deposit's outcome


def resolve(
    outcome: TransactionOutcome, number: int = 1, error: str | None = None, *, at_close: bool = False
) -> ResolveAttempt:
    swap = SwapAmounts(DEPOSITED, BaseUnits(5), NOTHING) if outcome is TransactionOutcome.LANDED else None
    return ResolveAttempt(ID, number, outcome, TXID, error, at_close, swap=swap)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (NOW, ["DepositLanded"]),
        (CROSSED, ["DepositLanded", "OrderTriggered"]),
        (LATE, ["DepositLanded", "OrderExpired"]),
        (Moment(NOW.at, None), ["DepositLanded"]),
    ],
)
def test_a_landed_deposit_is_judged_at_once(moment: Moment, expected: list[str]) -> None:
    assert names(decide(order(State.DEPOSITING), resolve(TransactionOutcome.LANDED), moment)) == expected


@pytest.mark.parametrize("outcome", [TransactionOutcome.REJECTED, TransactionOutcome.DEAD])
def test_a_deposit_that_cannot_land_ends_the_order(outcome: TransactionOutcome) -> None:
    assert names(decide(order(State.DEPOSITING), resolve(outcome), NOW)) == ["DepositFailed"]


def test_an_outcome_is_learnt_once() -> None:
    assert refusal(decide(order(State.OPEN), resolve(TransactionOutcome.LANDED), NOW)) is TriggerRefusal.NOTHING_TO_DO
    assert (
        refusal(decide(order(State.EXECUTING), resolve(TransactionOutcome.LANDED, number=1), NOW))
        is TriggerRefusal.NOTHING_TO_DO
    )


# --- triggering and filling


def observe(dollars: int, *, at_once: bool = False) -> commands.TriggerOrders:
    return commands.TriggerOrders(SOL, usd(dollars), at_once, (ID,))


@pytest.mark.parametrize(
    ("direction", "dollars", "triggers"),
    [
        (Direction.ABOVE, 199, False),
        (Direction.ABOVE, 200, True),
        (Direction.ABOVE, 201, True),
        (Direction.BELOW, 201, False),
        (Direction.BELOW, 200, True),
        (Direction.BELOW, 199, True),
    ],
)
def test_a_price_at_or_beyond_the_trigger_triggers(direction: Direction, dollars: int, triggers: bool) -> None:
    group = order(legs=(leg(direction),))
    decision = decide(group, observe(dollars), Moment(NOW.at, usd(dollars)))
    assert (names(decision) if triggers else refusal(decision)) == (
        ["OrderTriggered"] if triggers else TriggerRefusal.NOTHING_TO_DO
    )


@pytest.mark.parametrize("state", [state for state in State if state is not State.OPEN])
def test_a_price_triggers_only_what_is_open(state: State) -> None:
    assert refusal(decide(order(state), observe(300), CROSSED)) is TriggerRefusal.NOTHING_TO_DO


def test_no_price_triggers_at_the_very_instant_of_expiry() -> None:
    assert refusal(decide(order(), observe(300), LATE)) is TriggerRefusal.NOTHING_TO_DO


def test_a_pause_holds_back_a_price_but_not_a_decree() -> None:
    paused = order(retry_at=Instant(PLACED_AT + 99))
    assert refusal(decide(paused, observe(300), CROSSED)) is TriggerRefusal.NOTHING_TO_DO
    assert names(decide(paused, observe(300, at_once=True), CROSSED)) == ["OrderTriggered"]


def test_a_pause_ends_with_a_look_at_the_price() -> None:
    paused = order(retry_at=NOW.at)
    assert names(decide(paused, commands.EndPause(ID), NOW)) == ["PauseEnded"]
    assert names(decide(paused, commands.EndPause(ID), CROSSED)) == ["PauseEnded", "OrderTriggered"]
    early = Moment(Instant(NOW.at - 1), usd(200))
    assert refusal(decide(paused, commands.EndPause(ID), early)) is TriggerRefusal.NOTHING_TO_DO


def test_a_fill_starts_from_what_it_was_made_from() -> None:
    ready = order(State.TRIGGERED)
    assert names(decide(ready, commands.StartFill(ID, craft(), ready.version), NOW)) == ["FillStarted"]
    assert refusal(decide(ready, commands.StartFill(ID, craft(), ready.version - 1), NOW)) is TriggerRefusal.CRAFT_STALE


@pytest.mark.parametrize("state", [state for state in State if state is not State.TRIGGERED])
def test_a_fill_starts_in_no_other_state(state: State) -> None:
    group = order(state)
    assert refusal(decide(group, commands.StartFill(ID, craft(), group.version), NOW)) is TriggerRefusal.CRAFT_STALE
    assert refusal(decide(group, commands.AbandonFill(ID, "no", group.version), NOW)) is TriggerRefusal.CRAFT_STALE


@pytest.mark.parametrize(
    ("failures", "pause_ms"), [(0, 1_000), (1, 2_000), (2, 4_000), (5, 32_000), (6, 60_000), (50, 60_000)]
)
def test_failed_swaps_stretch_the_pause(failures: int, pause_ms: int) -> None:
    ready = order(State.TRIGGERED, failed_fills=failures)
    decision = decide(ready, commands.AbandonFill(ID, "too dear", ready.version), NOW)
    assert decision == (events.FillFailed("too dear", Instant(NOW.at + pause_ms), None, close_rejected=False),)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (NOW, ["OrderResumed"]),
        (CROSSED, ["OrderResumed", "OrderTriggered"]),
        (LATE, ["OrderResumed", "OrderExpired"]),
    ],
)
def test_what_a_fill_leaves_is_judged_by_the_next_turn(moment: Moment, expected: list[str]) -> None:
    landed = resolve(TransactionOutcome.LANDED, 2)
    part = replace(landed, swap=SwapAmounts(BaseUnits(400), BaseUnits(5), NOTHING))
    assert names(decide(order(State.EXECUTING), part, moment)) == ["FillLanded"]
    assert names(decide(order(State.PARTLY_FILLED), commands.ResumeOrder(ID), moment)) == expected


@pytest.mark.parametrize("state", [state for state in State if state is not State.PARTLY_FILLED])
def test_nothing_else_is_resumed(state: State) -> None:
    assert refusal(decide(order(state), commands.ResumeOrder(ID), NOW)) is TriggerRefusal.NOTHING_TO_DO


@pytest.mark.parametrize(
    ("used", "came_back", "returned", "dust", "closes"),
    [(999, 1, 1, 0, True), (999, 8, 1, 7, True), (1_000, 7, 0, 7, True), (999, 1, 1, 0, False)],
)
def test_of_what_a_last_fill_gives_back_the_own_rest_comes_first(
    used: int, came_back: int, returned: int, dust: int, closes: bool
) -> None:
    filling = order(State.EXECUTING)
    last = replace(craft(), closes=closes, returns=BaseUnits(1))
    filling = progressed(filling, attempt=replace(attempt(AttemptKind.FILL), craft=last))
    swap = SwapAmounts(BaseUnits(used), BaseUnits(5), BaseUnits(came_back))
    decision = decide(filling, replace(resolve(TransactionOutcome.LANDED, 2), swap=swap), NOW)
    assert not isinstance(decision, TriggerRefused)
    (landed,) = decision
    assert isinstance(landed, events.FillLanded)
    assert (landed.returned, landed.dust, landed.closed) == (BaseUnits(returned), BaseUnits(dust), closes)


def test_a_fill_that_shows_no_amounts_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="does not show what it moved"):
        decide(order(State.EXECUTING), replace(resolve(TransactionOutcome.LANDED, 2), swap=None), NOW)


@pytest.mark.parametrize(
    ("outcome", "moment", "expected"),
    [
        (TransactionOutcome.LANDED, NOW, ["FillLanded"]),
        (TransactionOutcome.LANDED, LATE, ["FillLanded"]),
        (TransactionOutcome.REJECTED, NOW, ["FillFailed"]),
        (TransactionOutcome.DEAD, NOW, ["FillFailed"]),
        (TransactionOutcome.REJECTED, LATE, ["FillFailed", "OrderExpired"]),
    ],
)
def test_a_fill_in_flight_finishes(outcome: TransactionOutcome, moment: Moment, expected: list[str]) -> None:
    assert names(decide(order(State.EXECUTING), resolve(outcome, 2), moment)) == expected


def test_only_a_rejected_close_counts_as_one() -> None:
    for outcome, at_close, counted in [
        (TransactionOutcome.REJECTED, True, True),
        (TransactionOutcome.REJECTED, False, False),
        (TransactionOutcome.DEAD, True, False),
    ]:
        decision = decide(order(State.EXECUTING), resolve(outcome, 2, at_close=at_close), NOW)
        assert isinstance(decision, tuple)
        (failed,) = decision
        assert isinstance(failed, events.FillFailed)
        assert failed.close_rejected is counted


# --- expiry


@pytest.mark.parametrize("state", State)
def test_time_ends_only_what_is_not_in_flight(state: State) -> None:
    decision = decide(order(state), commands.ExpireOrder(ID), LATE)
    if state in (State.OPEN, State.TRIGGERED):
        assert names(decision) == ["OrderExpired"]
    else:
        assert refusal(decision) is TriggerRefusal.NOTHING_TO_DO


def test_nothing_expires_early() -> None:
    early = Moment(Instant(EXPIRES_AT - 1))
    assert refusal(decide(order(), commands.ExpireOrder(ID), early)) is TriggerRefusal.NOTHING_TO_DO


# --- amending


def amend(family: Family = Family.SINGLE, expires_at: Instant | None = None, **change: Any) -> AmendOrder:
    return AmendOrder(ID, ALICE, Amendment(family, (LegChange(**change),), expires_at))


def test_an_amendment_changes_what_it_names() -> None:
    decision = decide(order(), amend(price=usd(210)), NOW)
    assert isinstance(decision, tuple)
    (amended,) = decision
    assert isinstance(amended, events.OrderAmended)
    assert amended.legs == (leg(dollars=210),)
    assert amended.expires_at == EXPIRES_AT
    slipped = decide(order(), amend(slippage=Bps(150)), NOW)
    assert isinstance(slipped, tuple)
    assert isinstance(slipped[0], events.OrderAmended)
    assert slipped[0].legs == (replace(leg(), slippage=Bps(150)),)


def test_an_amendment_through_the_market_triggers_in_the_same_turn() -> None:
    assert names(decide(order(), amend(price=usd(150)), NOW)) == ["OrderAmended", "OrderTriggered"]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (State.DEPOSITING, TriggerRefusal.STATE_FORBIDS_AMENDMENT),
        (State.TRIGGERED, TriggerRefusal.FILL_UNDER_WAY),
        (State.EXECUTING, TriggerRefusal.FILL_UNDER_WAY),
        (State.EXPIRED, TriggerRefusal.STATE_FORBIDS_AMENDMENT),
        (State.WITHDRAWING, TriggerRefusal.STATE_FORBIDS_AMENDMENT),
        (State.FILLED, TriggerRefusal.STATE_FORBIDS_AMENDMENT),
        (State.CANCELLED, TriggerRefusal.STATE_FORBIDS_AMENDMENT),
        (State.DEPOSIT_FAILED, TriggerRefusal.STATE_FORBIDS_AMENDMENT),
    ],
)
def test_only_an_open_order_is_amended(state: State, why: TriggerRefusal) -> None:
    assert decide(order(state), amend(price=usd(210)), NOW) == TriggerRefused(why, state=state)


def test_an_amendment_is_refused_in_order_of_precedence() -> None:
    foreign = replace(amend(price=usd(1)), wallet=MALLORY)
    assert refusal(decide(None, foreign, NOW)) is TriggerRefusal.ORDER_UNKNOWN
    assert refusal(decide(order(State.FILLED), foreign, NOW)) is TriggerRefusal.ORDER_FOREIGN
    assert refusal(decide(order(), amend(Family.OCO), NOW)) is TriggerRefusal.AMENDMENT_UNLIKE_ORDER
    assert refusal(decide(order(), amend(expires_at=NOW.at), NOW)) is TriggerRefusal.EXPIRY_PAST


# --- cancelling


def cancel(group: OrderGroup | None = None, request_id: str = "cancellation", made: bool = True) -> RequestCancel:
    version = 7 if group is None else group.version
    return RequestCancel(ID, ALICE, RequestId(request_id), craft(b"new") if made else None, version)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (State.DEPOSITING, TriggerRefusal.STATE_FORBIDS_CANCEL),
        (State.OPEN, None),
        (State.TRIGGERED, None),
        (State.EXECUTING, TriggerRefusal.FILL_UNDER_WAY),
        (State.EXPIRED, None),
        (State.WITHDRAWING, None),
        (State.FILLED, TriggerRefusal.STATE_FORBIDS_CANCEL),
        (State.CANCELLED, TriggerRefusal.STATE_FORBIDS_CANCEL),
        (State.DEPOSIT_FAILED, TriggerRefusal.STATE_FORBIDS_CANCEL),
    ],
)
def test_which_states_can_be_cancelled(state: State, why: TriggerRefusal | None) -> None:
    decision = decide(order(state), cancel(), NOW)
    if why is None:
        assert decision == (events.CancelRequested(REQUEST, craft(b"new")),)
    else:
        assert decision == TriggerRefused(why, state=state)


def test_a_cancel_wins_over_a_crossing_that_nothing_is_committed_for() -> None:
    assert names(decide(order(State.TRIGGERED), cancel(), CROSSED)) == ["CancelRequested"]


def test_a_repeated_cancel_keeps_its_request_id() -> None:
    decision = decide(order(State.WITHDRAWING), cancel(request_id="another"), NOW)
    assert decision == (events.CancelRequested(REQUEST, craft(b"new")),)


def test_a_cancel_beside_a_co_signed_withdrawal_changes_nothing() -> None:
    assert decide(withdrawing(), cancel(), NOW) == ()


def test_a_stale_craft_is_made_again_but_none_is_good_enough() -> None:
    stale = replace(cancel(), made_from=6)
    assert refusal(decide(order(), stale, NOW)) is TriggerRefusal.CRAFT_STALE
    assert names(decide(order(), replace(stale, craft=None), NOW)) == ["CancelRequested"]


def test_no_wallet_cancels_for_another() -> None:
    assert refusal(decide(order(State.FILLED), replace(cancel(), wallet=MALLORY), NOW)) is TriggerRefusal.ORDER_FOREIGN
    assert refusal(decide(None, cancel(), NOW)) is TriggerRefusal.ORDER_UNKNOWN


# --- confirming


def confirm(
    message: bytes = b"craft", request_id: str = "cancellation", height: int = 150, **more: object
) -> ConfirmCancel:
    return ConfirmCancel(ID, ALICE, RequestId(request_id), submission(message, **more), height)


def test_a_confirmed_withdrawal_becomes_the_attempt() -> None:
    decision = decide(order(State.WITHDRAWING), confirm(), NOW)
    assert isinstance(decision, tuple)
    (started,) = decision
    assert isinstance(started, events.WithdrawalStarted)
    assert (started.attempt.number, started.attempt.kind, started.attempt.craft) == (2, AttemptKind.WITHDRAWAL, craft())


def test_landed_wins_before_any_bytes_are_looked_at() -> None:
    garbage = confirm(b"", fault=SubmissionFault.NOT_A_TRANSACTION)
    assert decide(order(State.CANCELLED), garbage, NOW) == ()


def test_the_first_signature_is_the_only_one() -> None:
    assert decide(withdrawing(), confirm(user_signature=Signature("second")), NOW) == ()


FORMER = Withdrawal(
    REQUEST,
    craft(),
    (
        SupersededTransaction(digest_of(b"superseded"), 150),
        SupersededTransaction(digest_of(b"dead"), 999, dead=True),
        SupersededTransaction(digest_of(b"rejected"), 999, rejection="dust"),
    ),
)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (confirm(request_id="unknown"), TriggerRefusal.WITHDRAWAL_UNKNOWN),
        (confirm(b"", fault=SubmissionFault.NOT_A_TRANSACTION), TriggerRefusal.TRANSACTION_UNREADABLE),
        (confirm(fault=SubmissionFault.NOT_CANONICAL), TriggerRefusal.TRANSACTION_NOT_CANONICAL),
        (confirm(b"rejected"), TriggerRefusal.WITHDRAWAL_REJECTED),
        (confirm(b"dead"), TriggerRefusal.WITHDRAWAL_EXPIRED),
        (confirm(b"superseded"), TriggerRefusal.WITHDRAWAL_SUPERSEDED),
        (confirm(b"superseded", height=151), TriggerRefusal.WITHDRAWAL_EXPIRED),
        (confirm(b"tampered"), TriggerRefusal.TRANSACTION_OTHER),
        (confirm(fault=SubmissionFault.UNSIGNED), TriggerRefusal.TRANSACTION_UNSIGNED),
        (confirm(fault=SubmissionFault.WRONG_SIGNATURE), TriggerRefusal.TRANSACTION_WRONG_SIGNATURE),
        (confirm(height=151), TriggerRefusal.WITHDRAWAL_EXPIRED),
    ],
)
def test_what_a_confirm_is_refused_for(command: ConfirmCancel, why: TriggerRefusal) -> None:
    assert refusal(decide(order(State.WITHDRAWING, withdrawal=FORMER), command, NOW)) is why


@pytest.mark.parametrize("state", [State.OPEN, State.EXECUTING, State.FILLED, State.EXPIRED])
def test_there_is_nothing_to_confirm_without_a_cancel(state: State) -> None:
    assert refusal(decide(order(state), confirm(), NOW)) is TriggerRefusal.WITHDRAWAL_UNKNOWN


def test_nothing_is_co_signed_while_there_is_no_craft() -> None:
    group = order(State.WITHDRAWING, withdrawal=Withdrawal(REQUEST, None))
    assert refusal(decide(group, confirm(), NOW)) is TriggerRefusal.WITHDRAWAL_UNKNOWN


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (TransactionOutcome.LANDED, events.WithdrawalLanded(TXID, BaseUnits(1_000), NOTHING, closed=True)),
        (TransactionOutcome.REJECTED, events.WithdrawalFailed(TXID, "dust", close_rejected=True)),
        (TransactionOutcome.DEAD, events.WithdrawalFailed(TXID, None, close_rejected=False)),
    ],
)
def test_the_outcome_of_a_withdrawal(outcome: TransactionOutcome, expected: events.Event) -> None:
    error = "dust" if outcome is TransactionOutcome.REJECTED else None
    assert decide(withdrawing(), resolve(outcome, 2, error, at_close=True), NOW) == (expected,)


# --- sweeping


def test_a_sweep_closes_what_dust_kept_open() -> None:
    group = order(State.FILLED, sweep_due=True)
    assert names(decide(group, commands.StartSweep(ID, craft(), group.version), NOW)) == ["SweepStarted"]
    assert names(decide(group, commands.StartSweep(ID, None, group.version), NOW)) == ["SweepDone"]
    clean = order(State.FILLED)
    assert refusal(decide(clean, commands.StartSweep(ID, craft(), clean.version), NOW)) is TriggerRefusal.CRAFT_STALE


def test_a_failed_sweep_is_tried_again() -> None:
    group = order(State.FILLED, sweep_due=True, attempts=2, attempt=attempt(AttemptKind.SWEEP))
    assert names(decide(group, resolve(TransactionOutcome.REJECTED, 2), NOW)) == ["SweepFailed"]
    assert names(decide(group, resolve(TransactionOutcome.LANDED, 2), NOW)) == ["SweepDone"]


ABOUT_ONE_ORDER: list[OrderCommand] = [
    amend(price=usd(1)),
    cancel(),
    confirm(),
    commands.ExpireOrder(ID),
    commands.EndPause(ID),
    commands.StartFill(ID, craft(), 7),
    commands.AbandonFill(ID, "no", 7),
    commands.StartSweep(ID, None, 7),
    resolve(TransactionOutcome.LANDED),
]


@pytest.mark.parametrize("command", ABOUT_ONE_ORDER, ids=lambda command: type(command).__name__)
def test_nothing_happens_to_an_order_that_is_not_there(command: OrderCommand) -> None:
    assert refusal(decide(None, command, NOW)) is TriggerRefusal.ORDER_UNKNOWN
