"""The rules that decide races, one by one, over a shard whose clock and prices stand until a test moves them."""

import pytest

from countermand.kernel.clock import ClockSetting
from countermand.orders.trigger.journal import BODIES
from countermand.orders.trigger.model.commands import (
    AbandonFill,
    Amendment,
    AmendOrder,
    ConfirmCancel,
    LegChange,
    RequestCancel,
    ResolveAttempt,
    ResumeOrder,
    StartFill,
)
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.decide import OrderCommand
from countermand.orders.trigger.model.order import NOWHERE, Family, Leg, OrderGroup, Role, State
from countermand.orders.trigger.model.refusals import TriggerRefusal, TriggerRefused
from countermand.orders.trigger.model.trailing import Trail
from countermand.values.identity import OrderId, RequestId, Signature
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING, BaseUnits, Bps
from countermand.values.transactions import SwapAmounts, TransactionOutcome
from tests.orders.trigger.samples import (
    ALICE,
    DEPOSITED,
    EXPIRES_AT,
    PLACED_AT,
    REQUEST,
    SOL,
    craft,
    deposit,
    submission,
    usd,
)
from tests.orders.trigger.stubs import Workbench, cancelling, under_virtual_time, workbench

ID = OrderId("order")
LANDED, REJECTED, DEAD = TransactionOutcome.LANDED, TransactionOutcome.REJECTED, TransactionOutcome.DEAD
PAIR = (
    Leg(Role.TAKE_PROFIT, Condition(Direction.ABOVE, usd(200)), None),
    Leg(Role.STOP_LOSS, Condition(Direction.BELOW, usd(100)), None),
)
STOP = Leg(Role.TRIGGER, Condition(Direction.BELOW, NOWHERE), None, Trail(Bps(1_000)))


def now(it: Workbench, at: int) -> None:
    it.clock.setting = ClockSetting(frozen_at=Instant(at))


async def price(it: Workbench, dollars: int, *, at_once: bool = True) -> None:
    await it.prices.set({SOL: usd(dollars)}, at_once=at_once)


async def sees(it: Workbench, order_id: str = "order") -> OrderGroup:
    group = await it.shard.committed(OrderId(order_id))
    assert group is not None
    return group


async def state_of(it: Workbench, order_id: str = "order") -> State:
    return (await sees(it, order_id)).state


async def asks(it: Workbench, command: OrderCommand) -> TriggerRefusal | None:
    """Why it was refused, or None."""
    answer = await it.shard.submit(command)
    return answer.refusal if isinstance(answer, TriggerRefused) else None


async def starts_a_fill(it: Workbench, order_id: str = "order") -> TriggerRefusal | None:
    group = await sees(it, order_id)
    return await asks(it, StartFill(group.id, craft(b"fill"), group.version))


async def opens_a_pair(it: Workbench) -> None:
    crafted = deposit(order_id=ID, request_id=RequestId("deposit"), family=Family.OCO)
    await it.opens(legs=PAIR, family=Family.OCO, deposit=crafted)


async def ends_its_attempt(it: Workbench, outcome: TransactionOutcome, part: BaseUnits = DEPOSITED) -> None:
    group = await sees(it)
    assert group.progress.attempt is not None
    swap = SwapAmounts(part, BaseUnits(300), NOTHING)
    resolve = ResolveAttempt(ID, group.progress.attempt.number, outcome, Signature("tx"), None, swap=swap)
    assert await asks(it, resolve) is None


# --- time


@under_virtual_time
async def test_at_the_same_instant_what_time_demands_comes_first_in_the_order_of_due_and_id() -> None:
    async with workbench() as it:
        for name, due in (("b", 200), ("a", 200), ("c", 100)):
            await it.opens(name, expires_at=Instant(EXPIRES_AT + due))
        await it.opens("cancelled")
        now(it, EXPIRES_AT + 300)
        await it.shard.run_due()
        rows = it.store.database.shard(0).journal.values()
        expired = [BODIES.read(row).events[0][0] for row in rows if row.kind == "expire_order"]
        assert expired == ["cancelled", "c", "a", "b"]


@under_virtual_time
async def test_at_the_instant_of_its_expiry_no_attempt_starts() -> None:
    async with workbench() as it:
        await it.opens()
        await price(it, 250)
        now(it, EXPIRES_AT)
        assert await starts_a_fill(it) is TriggerRefusal.CRAFT_STALE
        assert await state_of(it) is State.EXPIRED


@under_virtual_time
async def test_a_millisecond_before_it_does() -> None:
    async with workbench() as it:
        await it.opens()
        await price(it, 250)
        now(it, EXPIRES_AT - 1)
        assert await starts_a_fill(it) is None


@under_virtual_time
@pytest.mark.parametrize(
    ("outcome", "ends"), [(LANDED, State.FILLED), (REJECTED, State.EXPIRED), (DEAD, State.EXPIRED)]
)
async def test_an_attempt_in_flight_at_the_expiry_finishes(outcome: TransactionOutcome, ends: State) -> None:
    async with workbench() as it:
        await it.opens()
        await price(it, 250)
        await starts_a_fill(it)
        now(it, EXPIRES_AT + 1)
        await it.shard.run_due()
        assert await state_of(it) is State.EXECUTING, "the timer only waits for it"
        await ends_its_attempt(it, outcome)
        assert await state_of(it) is ends


@under_virtual_time
async def test_an_order_that_expires_while_its_deposit_is_under_way_is_expired_when_it_lands() -> None:
    async with workbench() as it:
        await it.place()
        now(it, EXPIRES_AT)
        await it.shard.run_due()
        assert await state_of(it) is State.DEPOSITING
        await ends_its_attempt(it, LANDED)
        assert await state_of(it) is State.EXPIRED


@under_virtual_time
async def test_a_deposit_that_lands_with_the_trigger_through_the_market_triggers_in_the_same_turn() -> None:
    async with workbench() as it:
        await price(it, 250)
        await it.place()
        await ends_its_attempt(it, LANDED)
        assert await state_of(it) is State.TRIGGERED
        assert it.journal()[-1] == "resolve_attempt"


# --- cancels


@under_virtual_time
async def test_a_crossed_order_without_an_attempt_can_still_be_cancelled() -> None:
    async with workbench() as it:
        await it.opens()
        await price(it, 250)
        made_from = (await sees(it)).version
        assert await asks(it, cancelling()) is None
        assert await asks(it, StartFill(ID, craft(b"fill"), made_from)) is TriggerRefusal.CRAFT_STALE
        assert await state_of(it) is State.WITHDRAWING


@under_virtual_time
async def test_from_the_committed_attempt_on_it_cannot() -> None:
    async with workbench() as it:
        await it.opens()
        await price(it, 250)
        await starts_a_fill(it)
        assert await asks(it, cancelling()) is TriggerRefusal.FILL_UNDER_WAY
        await ends_its_attempt(it, LANDED)
        assert await asks(it, cancelling()) is TriggerRefusal.STATE_FORBIDS_CANCEL


@under_virtual_time
@pytest.mark.parametrize("outcome", [REJECTED, DEAD])
async def test_no_funded_order_rests_in_failed_a_failed_withdrawal_stays_mid_cancel(
    outcome: TransactionOutcome,
) -> None:
    async with workbench() as it:
        await it.opens()
        for message in (b"first", b"second"):
            made_from = (await sees(it)).version
            assert await asks(it, RequestCancel(ID, ALICE, REQUEST, craft(message), made_from)) is None
            assert await asks(it, ConfirmCancel(ID, ALICE, REQUEST, submission(message), 100)) is None
            await ends_its_attempt(it, outcome if message == b"first" else LANDED)
            expected = State.WITHDRAWING if message == b"first" else State.CANCELLED
            assert await state_of(it) is expected


@under_virtual_time
@pytest.mark.parametrize("outcome", [REJECTED, DEAD])
async def test_only_a_deposit_that_failed_is_an_end_without_a_cancel_and_takes_nothing(
    outcome: TransactionOutcome,
) -> None:
    async with workbench() as it:
        await it.place()
        await ends_its_attempt(it, outcome)
        group = await sees(it)
        assert group.state is State.DEPOSIT_FAILED
        assert (group.progress.posted, group.progress.voided) == (NOTHING, NOTHING)
        assert await asks(it, cancelling()) is TriggerRefusal.STATE_FORBIDS_CANCEL


@under_virtual_time
async def test_a_create_is_committed_before_its_deposit_is_signed() -> None:
    """With the user's signature: a crash in between goes on without the user."""
    async with workbench(acting=True) as it:

        async def is_stored(what: str, order_id: OrderId) -> None:
            assert what == "fate" or order_id in it.stored()

        it.custody.before = is_stored
        await it.place()
        await it.shard.changed(ID)
        assert it.custody.times("send") == 1
        group = await sees(it)
        assert group.state is State.OPEN


# --- fills that fail


@under_virtual_time
async def test_a_failed_swap_puts_the_order_back_to_open_and_a_timer_judges_it_by_the_price_of_then() -> None:
    async with workbench() as it:
        await it.opens()
        await price(it, 250)
        await starts_a_fill(it)
        await ends_its_attempt(it, REJECTED)
        assert await state_of(it) is State.OPEN
        now(it, PLACED_AT + 999)
        await it.shard.run_due()
        assert await state_of(it) is State.OPEN
        now(it, PLACED_AT + 1_000)
        await it.shard.run_due()
        assert await state_of(it) is State.TRIGGERED


@under_virtual_time
@pytest.mark.parametrize(("at_once", "follows"), [(True, State.TRIGGERED), (False, State.OPEN)])
async def test_within_the_pause_only_a_price_of_the_sandbox_starts_a_fill(at_once: bool, follows: State) -> None:
    async with workbench() as it:
        await it.opens()
        await price(it, 250)
        group = await sees(it)
        await asks(it, AbandonFill(ID, "no quote", group.version))
        await price(it, 251, at_once=at_once)
        assert await state_of(it) is follows


# --- two legs


@under_virtual_time
async def test_one_price_triggers_one_leg_of_an_oco() -> None:
    async with workbench() as it:
        await opens_a_pair(it)
        await price(it, 250)
        await price(it, 90)
        group = await sees(it)
        assert (group.state, group.progress.triggered_leg) == (State.TRIGGERED, 0)


@under_virtual_time
async def test_after_a_partial_take_profit_the_stop_loss_covers_the_same_remainder() -> None:
    async with workbench() as it:
        await opens_a_pair(it)
        await price(it, 250)
        await starts_a_fill(it)
        await price(it, 90)
        await ends_its_attempt(it, LANDED, BaseUnits(400))
        assert await asks(it, ResumeOrder(ID)) is None
        group = await sees(it)
        assert (group.progress.triggered_leg, group.sale().amount) == (1, BaseUnits(600))


# --- amendments


@under_virtual_time
@pytest.mark.parametrize("amended_first", [True, False])
async def test_an_amendment_and_a_crossing_come_in_the_order_of_the_shard(amended_first: bool) -> None:
    async with workbench() as it:
        await it.opens()
        away = AmendOrder(ID, ALICE, Amendment(Family.SINGLE, (LegChange(price=usd(300)),), None))
        if amended_first:
            assert await asks(it, away) is None
            await price(it, 250)
            assert await state_of(it) is State.OPEN
        else:
            await price(it, 250)
            assert await asks(it, away) is TriggerRefusal.FILL_UNDER_WAY


@under_virtual_time
async def test_an_amendment_through_the_market_triggers_in_the_same_turn() -> None:
    async with workbench() as it:
        await it.opens()
        await price(it, 150)
        amend = AmendOrder(ID, ALICE, Amendment(Family.SINGLE, (LegChange(price=usd(140)),), None))
        assert await asks(it, amend) is None
        assert (await state_of(it), it.journal()[-1]) == (State.TRIGGERED, "amend_order")


@under_virtual_time
async def test_a_trailing_order_refuses_an_amendment_that_would_trigger() -> None:
    async with workbench() as it:
        await price(it, 200)
        await it.opens(legs=(STOP,))
        await price(it, 185)
        nearer = AmendOrder(ID, ALICE, Amendment(Family.SINGLE, (LegChange(distance=Bps(500)),), None))
        assert await asks(it, nearer) is TriggerRefusal.TRAILING_TRIGGERS


# --- trailing


@under_virtual_time
async def test_a_new_extremum_is_one_event_for_all_that_trail() -> None:
    async with workbench() as it:
        await price(it, 200)
        for number in range(5):
            await it.opens(f"{number}", legs=(STOP,))
        before = len(it.journal())
        await price(it, 210)
        assert it.journal()[before:] == ["move_watermarks"]
        (row,) = list(it.store.database.shard(0).journal.values())[before:]
        assert len(BODIES.read(row).events) == 1
        groups = [it.shard.as_committed(await sees(it, f"{number}")) for number in range(5)]
        assert {group.legs[0].condition.price for group in groups} == {usd(189)}


@under_virtual_time
async def test_a_tick_that_crosses_nothing_and_moves_no_extremum_is_no_command() -> None:
    async with workbench() as it:
        await price(it, 200)
        await it.opens("trails", legs=(STOP,))
        await opens_a_pair(it)
        await price(it, 190)
        before = len(it.journal())
        for dollars in (199, 181, 195):
            await price(it, dollars)
        assert len(it.journal()) == before
