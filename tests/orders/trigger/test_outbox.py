"""The outbox: what it sends and when, and that nothing owed is ever forgotten."""

import asyncio
from contextlib import suppress
from itertools import pairwise

import pytest

from countermand.kernel.outbox import FILL_WORKERS
from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.orders.trigger.model.commands import ConfirmCancel, RequestCancel, ResolveAttempt
from countermand.orders.trigger.model.order import State
from countermand.orders.vaults.shard import Decided
from countermand.values.identity import OrderId, Signature
from countermand.values.transactions import TransactionOutcome
from countermand_simulator.memory_store import AFTER_COMMIT, BEFORE_COMMIT, MemoryDatabase
from tests.orders.trigger.samples import ALICE, REQUEST, SOL, craft, submission, usd
from tests.orders.trigger.stubs import (
    CONFIRM_TIMEOUT_MS,
    StubCustody,
    Trouble,
    Workbench,
    placing,
    quiet,
    under_virtual_time,
    workbench,
)

ORDER = OrderId("order")


async def until(it: Workbench, state: State, order_id: OrderId = ORDER) -> None:
    """Also over commits whose answers are lost meanwhile."""
    async with asyncio.timeout(60):
        while True:
            with suppress(CommitUnknown):
                group = await it.shard.committed(order_id)
                if group is not None and group.state is state:
                    return
            await it.shard.changed(order_id)


async def idle(it: Workbench) -> None:
    async with asyncio.timeout(60):
        while not it.outbox.is_idle():
            await asyncio.sleep(0.001)


# --- only what is committed, and never without asking


@under_virtual_time
async def test_nothing_is_sent_before_its_attempt_is_committed() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble, acting=True) as it:
        await it.shard.barrier()
        trouble.hold(BEFORE_COMMIT)
        placing_it = asyncio.create_task(it.place())
        await asyncio.sleep(5)
        assert it.custody.asked == []
        trouble.release(BEFORE_COMMIT)
        await placing_it
        await until(it, State.OPEN)
        assert it.custody.asked[0] == ("send", ORDER, 1)


@under_virtual_time
async def test_nothing_is_sent_of_a_commit_that_was_lost_and_never_arrived() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble, acting=True) as it:
        await it.shard.barrier()
        trouble.raises[BEFORE_COMMIT] = [CommitUnknown("lost")]
        with pytest.raises(CommitUnknown):
            await it.place()
        await asyncio.sleep(5)
        assert it.custody.asked == []
        assert it.outbox.is_idle()


@under_virtual_time
async def test_after_a_restart_it_asks_before_it_sends() -> None:
    database = MemoryDatabase()
    async with workbench(database) as it:
        await it.place()
    async with workbench(database, acting=True) as it:
        await until(it, State.OPEN)
        assert [what for what, _, _ in it.custody.asked[:2]] == ["fate", "send"]


@under_virtual_time
async def test_what_landed_before_the_restart_is_not_sent_again() -> None:
    database = MemoryDatabase()
    async with workbench(database) as it:
        await it.place()
    landed = StubCustody(fates={(ORDER, 1): TransactionOutcome.LANDED})
    async with workbench(database, custody=landed, acting=True) as it:
        await until(it, State.OPEN)
        await asyncio.sleep(5)
        assert landed.times("send") == 0


@under_virtual_time
async def test_a_commit_whose_answer_was_lost_is_found_and_asked_about() -> None:
    """Whether its transaction was sent cannot be known here: it may have been, by the writer that wrote it."""
    trouble = Trouble()
    async with workbench(trouble=trouble, acting=True) as it:
        await it.shard.barrier()
        trouble.raises[AFTER_COMMIT] = [CommitUnknown("lost")]
        with pytest.raises(CommitUnknown):
            await it.place()
        await until(it, State.OPEN)
        assert [what for what, _, _ in it.custody.asked[:2]] == ["fate", "send"]


# --- again and again


@under_virtual_time
async def test_it_sends_again_no_sooner_than_twice_the_confirm_timeout() -> None:
    sent: list[float] = []

    async def note(what: str, _order: OrderId) -> None:
        if what == "send":
            sent.append(asyncio.get_running_loop().time())

    async with workbench(custody=StubCustody(lands=False, before=note), acting=True) as it:
        await it.place()
        await asyncio.sleep(10)
    pauses = [later - earlier for earlier, later in pairwise(sent)]
    assert len(pauses) >= 5
    assert all(2 * CONFIRM_TIMEOUT_MS <= 1_000 * pause <= 4 * CONFIRM_TIMEOUT_MS for pause in pauses), pauses


@under_virtual_time
async def test_a_repeated_request_has_it_sent_at_once() -> None:
    async with workbench(custody=StubCustody(lands=False), acting=True) as it:
        await it.place()
        await quiet()
        assert it.custody.times("send") == 1
        it.custody.lands = True
        before = asyncio.get_running_loop().time()
        it.outbox.send_now(ORDER)
        await until(it, State.OPEN)
        assert it.custody.times("send") == 2
        assert asyncio.get_running_loop().time() - before < 0.1


@under_virtual_time
async def test_asking_again_for_what_is_done_does_nothing() -> None:
    async with workbench(acting=True) as it:
        await it.place()
        await until(it, State.OPEN)
        sent = it.custody.times("send")
        it.outbox.send_now(ORDER)
        it.outbox.send_now(OrderId("unknown"))
        await asyncio.sleep(5)
        assert it.custody.times("send") == sent


@under_virtual_time
@pytest.mark.parametrize("what", ["fate", "send"])
async def test_a_chain_that_does_not_answer_is_asked_again(what: str) -> None:
    silent = StubCustody(trouble={what: [Unavailable("the chain is away")] * 10})
    async with workbench(custody=silent, acting=True) as it:
        await it.place()
        await until(it, State.OPEN)
        await idle(it)


@under_virtual_time
async def test_what_could_not_be_sent_is_sent_soon() -> None:
    """It waited for as long as after a send that succeeded: a blockhash may not live longer."""
    away = StubCustody(trouble={"send": [Unavailable("the chain is away")] * 3})
    async with workbench(custody=away, acting=True) as it:
        before = asyncio.get_running_loop().time()
        await it.place()
        await until(it, State.OPEN)
        assert asyncio.get_running_loop().time() - before < CONFIRM_TIMEOUT_MS / 1000
        assert [what for what, _, _ in away.asked][:4] == ["send", "fate", "send", "fate"]


@under_virtual_time
async def test_a_bug_in_one_effect_stops_neither_the_others_nor_its_own_repetition() -> None:
    buggy = StubCustody(trouble={"send": [ZeroDivisionError()]})
    async with workbench(custody=buggy, acting=True) as it:
        await asyncio.gather(it.place("order"), it.place("other"))
        await until(it, State.OPEN, OrderId("order"))
        await until(it, State.OPEN, OrderId("other"))
        await idle(it)


# --- nothing owed is forgotten


@under_virtual_time
async def test_an_order_that_moves_on_while_it_is_worked_on_is_taken_up_again() -> None:
    """Another worker learns the fate of the fill in flight, and a new one begins, while one still asks about it."""
    gate = asyncio.Event()

    async def hold(what: str, _order: OrderId) -> None:
        if what == "fate":
            await gate.wait()

    custody = StubCustody()
    async with workbench(custody=custody, acting=True) as it:
        await it.place()
        await until(it, State.OPEN)
        custody.lands = False
        await it.prices.set({SOL: usd(300)}, at_once=True)
        await until(it, State.EXECUTING)
        custody.before = hold
        await asyncio.sleep(1)  # A worker waits for the fate of attempt 2.
        rejected = ResolveAttempt(ORDER, 2, TransactionOutcome.REJECTED, Signature("fill"), "slippage")
        assert isinstance(await it.shard.submit(rejected), Decided)
        await it.prices.set({SOL: usd(301)}, at_once=True)
        await quiet()
        custody.lands, custody.before = True, None
        gate.set()
        await until(it, State.FILLED)
        await idle(it)
        assert [number for what, _, number in custody.asked if what == "send"][-1] == 3


@under_virtual_time
async def test_a_lost_commit_in_the_middle_of_a_fill_is_no_end_to_it() -> None:
    for point in (BEFORE_COMMIT, AFTER_COMMIT):
        for nth in range(3):  # Of the crossing, of the attempt, of its landing.
            trouble = Trouble()
            async with workbench(trouble=trouble, acting=True) as it:
                await it.opens()
                await idle(it)
                commits = len(it.store.batches)

                async def lose(
                    what: str, _order: OrderId, trouble: Trouble = trouble, nth: int = nth, point: str = point
                ) -> None:
                    if what == ("build_fill", "build_fill", "send")[nth]:
                        trouble.raises.setdefault(point, [CommitUnknown("lost")])

                it.custody.before = lose
                await it.prices.set({SOL: usd(300)}, at_once=True)
                await until(it, State.FILLED)
                await idle(it)
                assert len(it.store.batches) > commits
                kinds = it.journal()
                assert kinds.count("start_fill") == kinds.count("resolve_attempt") - 1 == 1, kinds


@under_virtual_time
async def test_every_crossed_order_is_filled_once() -> None:
    async with workbench(acting=True) as it:
        for n in range(50):
            await it.opens(f"order {n:02}")
        await it.prices.set({SOL: usd(300)}, at_once=True)
        await idle(it)
        filled = [await it.shard.committed(OrderId(f"order {n:02}")) for n in range(50)]
        assert {group.state for group in filled if group is not None} == {State.FILLED}
        sent = [(order_id, number) for what, order_id, number in it.custody.asked if what == "send" and number > 1]
        assert len(sent) == len(set(sent)) == 50


@under_virtual_time
async def test_a_restart_builds_the_queue_again_from_rows() -> None:
    database = MemoryDatabase()
    async with workbench(database) as it:
        for n in range(20):
            await it.opens(f"order {n:02}")
        await it.prices.set({SOL: usd(300)}, at_once=True)
    async with workbench(database, acting=True) as it:
        await it.shard.barrier()
        assert len(it.outbox.owed()) == 20
        await idle(it)
        assert it.journal().count("start_fill") == 20


# --- cancels go first

CROWD = 10_000


@under_virtual_time
async def test_ten_thousand_crossed_orders_keep_no_cancel_waiting() -> None:
    async with workbench(acting=True) as it:
        names = [f"order {n:05}" for n in range(CROWD)]
        await asyncio.gather(*(it.shard.submit(placing(name)) for name in names))
        await idle(it)
        await it.prices.set({SOL: usd(300)}, at_once=True)
        started = it.custody.times("build_fill")
        last = OrderId(names[-1])
        group = await it.shard.peek(last)
        assert group is not None
        cancelled = await it.shard.submit(RequestCancel(last, ALICE, REQUEST, craft(), group.version))
        assert isinstance(cancelled, Decided)
        assert cancelled.order.state is State.WITHDRAWING, "crossed, but without an attempt"
        assert it.custody.times("build_fill") - started <= 10 * FILL_WORKERS
        confirmed = await it.shard.submit(ConfirmCancel(last, ALICE, REQUEST, submission(), 0))
        assert isinstance(confirmed, Decided)
        await until(it, State.CANCELLED, last)
        assert it.custody.times("build_fill") - started <= 40 * FILL_WORKERS, "a withdrawal does not queue behind fills"
        assert not it.outbox.is_idle()


@under_virtual_time
async def test_fills_that_hang_keep_no_withdrawal_and_no_deposit_waiting() -> None:
    async def hang(what: str, _order: OrderId) -> None:
        if what == "build_fill":
            await asyncio.Event().wait()

    async with workbench(custody=StubCustody(before=hang), acting=True) as it:
        for n in range(2 * FILL_WORKERS):
            await it.opens(f"order {n}")
        await it.opens()
        await it.prices.set({SOL: usd(300)}, at_once=True)
        await asyncio.sleep(1)
        assert it.custody.times("build_fill") == FILL_WORKERS
        assert isinstance(await it.shard.submit(RequestCancel(ORDER, ALICE, REQUEST, None, 0)), Decided)
        group = await it.shard.peek(ORDER)
        assert group is not None
        assert isinstance(await it.shard.submit(RequestCancel(ORDER, ALICE, REQUEST, craft(), group.version)), Decided)
        assert isinstance(await it.shard.submit(ConfirmCancel(ORDER, ALICE, REQUEST, submission(), 0)), Decided)
        await until(it, State.CANCELLED)
        await it.place("newcomer")
        await until(it, State.TRIGGERED, OrderId("newcomer"))


@under_virtual_time
async def test_what_is_in_flight_goes_before_what_only_begins() -> None:
    """Its blockhash does not wait."""
    async with workbench(acting=True) as it:
        for n in range(40):
            await it.opens(f"order {n:02}")
        await idle(it)
        await it.prices.set({SOL: usd(300)}, at_once=True)
        await idle(it)
        fills = [
            what for what, _, number in it.custody.asked if what == "build_fill" or (what == "send" and number > 1)
        ]
        ahead = most = 0
        for what in fills:
            ahead += 1 if what == "build_fill" else -1
            most = max(most, ahead)
        assert most <= 3 * FILL_WORKERS, "attempts lie around unsent"
        assert (await it.shard.committed(OrderId("order 39"))) is not None
