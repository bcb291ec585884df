"""The shard: what leaves it, and when; what it forgets, and how it finds it again."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from countermand.kernel import journal
from countermand.kernel.clock import ClockSetting
from countermand.kernel.ports import CommitUnknown, Unavailable, WriterReplaced
from countermand.orders.trigger.bodies import decode_group
from countermand.orders.trigger.journal import BODIES
from countermand.orders.trigger.model.commands import ResolveAttempt
from countermand.orders.trigger.model.live_orders import ORDERS_PER_SLICE, LiveOrders
from countermand.orders.trigger.model.order import State
from countermand.orders.trigger.model.refusals import TriggerRefusal, TriggerRefused
from countermand.orders.vaults.ports import OrderBody
from countermand.orders.vaults.shard import Decided
from countermand.values.identity import OrderId, Signature
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand.values.transactions import TransactionOutcome
from countermand_simulator.memory_store import (
    AFTER_COMMIT,
    AFTER_EPOCH,
    BEFORE_COMMIT,
    BEFORE_EPOCH,
    BEFORE_READ,
    HeldInside,
    MemoryDatabase,
)
from tests.orders.trigger.samples import EXPIRES_AT, MALLORY, SOL, deposit, usd
from tests.orders.trigger.stubs import Trouble, Workbench, cancelling, placing, quiet, under_virtual_time, workbench

UNKNOWN = CommitUnknown("the answer to a commit was lost")


# --- nothing leaves before its commit


@under_virtual_time
async def test_no_answer_no_refusal_and_no_read_leaves_before_the_commit() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.shard.barrier()
        trouble.hold(BEFORE_COMMIT)
        order_id = OrderId("order")
        placing_it = asyncio.create_task(it.shard.submit(placing()))
        await quiet()
        assert it.has("order"), "memory knows it already"
        waiting = [
            placing_it,
            asyncio.create_task(it.shard.submit(placing(expires_at=Instant(2**40)))),
            asyncio.create_task(it.shard.committed(order_id)),
            asyncio.create_task(it.shard.barrier()),
        ]
        await quiet()
        assert not any(task.done() for task in waiting)
        assert it.stored() == []
        trouble.release(BEFORE_COMMIT)
        placed, refused, read, _ = await asyncio.gather(*waiting)
        assert isinstance(placed, Decided)
        assert refused == TriggerRefused(TriggerRefusal.DEPOSIT_DUPLICATE, order_id=order_id)
        assert read is not None
        assert it.stored() == [order_id]


@under_virtual_time
async def test_an_answer_that_changes_nothing_leaves_only_past_the_fence() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.opens()
        trouble.hold(BEFORE_COMMIT)
        again = asyncio.create_task(it.shard.submit(placing()))
        await quiet()
        assert not again.done()
        trouble.release(BEFORE_COMMIT)
        answer = await again
        assert isinstance(answer, Decided)
        assert not answer.changed


@under_virtual_time
async def test_a_read_waits_for_nothing_when_all_is_committed() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.opens()
        trouble.hold(BEFORE_COMMIT)
        await it.shard.barrier()


@under_virtual_time
async def test_what_comes_a_turn_later_goes_into_the_same_commit() -> None:
    async with workbench() as it:
        await it.shard.barrier()
        first = asyncio.create_task(it.place("first"))
        await asyncio.sleep(0)
        await asyncio.gather(first, it.place("second"))
        assert [len(batch.journal) for batch in it.store.batches] == [2]


@under_virtual_time
async def test_what_happens_during_a_commit_goes_into_the_next_all_together() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.shard.barrier()
        trouble.hold(BEFORE_COMMIT)
        first = asyncio.create_task(it.place("first"))
        await quiet()
        others = [asyncio.create_task(it.place(f"order {n}")) for n in range(100)]
        await quiet()
        trouble.release(BEFORE_COMMIT)
        await asyncio.gather(first, *others)
        assert [len(batch.journal) for batch in it.store.batches] == [1, 100]
        assert journal.broken_link(list(it.store.database.shard(0).journal.values())) is None


@under_virtual_time
async def test_a_batch_stores_an_order_once_as_it_is_at_its_end() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.opens()
        trouble.hold(BEFORE_COMMIT)
        other = asyncio.create_task(it.place("other"))
        await quiet()
        twice = [asyncio.create_task(it.shard.submit(cancelling())) for _ in range(2)]
        await quiet()
        trouble.release(BEFORE_COMMIT)
        await asyncio.gather(other, *twice)
        assert [row.id for row in it.store.batches[-1].rows.orders] == [OrderId("order")]
        assert len(it.store.batches[-1].journal) == 2


# --- memory holds what lives


@under_virtual_time
async def test_an_order_that_only_its_owner_can_move_is_forgotten_and_found_again() -> None:
    async with workbench() as it:
        it.shard.dormant_kept = 0
        await it.opens()
        assert it.has("order"), "an open order lives"
        await it.shard.submit(cancelling())
        assert not it.has("order")
        again = await it.shard.submit(cancelling())
        assert isinstance(again, Decided)
        assert again.order.state is State.WITHDRAWING
        assert (await it.shard.committed(OrderId("order"))) is not None


@under_virtual_time
async def test_commands_that_race_for_a_forgotten_order_load_it_once_and_come_one_after_the_other() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        it.shard.dormant_kept = 0
        await it.opens()
        first = await it.shard.submit(cancelling())
        assert isinstance(first, Decided)
        assert not it.has("order")
        it.shard.dormant_kept = 1
        trouble.hold(BEFORE_READ)
        trouble.passed.clear()
        racing = [asyncio.create_task(it.shard.submit(cancelling())) for _ in range(5)]
        await quiet()
        trouble.release(BEFORE_READ)
        answers = await asyncio.gather(*racing)
        assert trouble.passed.count(BEFORE_READ) == 1
        versions = [answer.order.version for answer in answers if isinstance(answer, Decided)]
        assert versions == [first.order.version + n for n in range(1, 6)]


@under_virtual_time
async def test_an_order_is_not_forgotten_while_an_older_state_of_it_is_being_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with workbench() as it:
        it.shard.dormant_kept = 0
        await it.opens()
        before = await it.shard.submit(cancelling())
        assert isinstance(before, Decided)
        assert not it.has("order")
        may_end, reads, read = asyncio.Event(), list[int](), it.shard._orders._read

        async def second_one_is_late(order_ids: Sequence[OrderId]) -> Mapping[OrderId, OrderBody]:
            reads.append(len(order_ids))
            found = await read(order_ids)
            if len(reads) == 2:
                await may_end.wait()
            return found

        monkeypatch.setattr(it.shard._orders, "_read", second_one_is_late)
        first = asyncio.create_task(it.shard.submit(cancelling()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        second = asyncio.create_task(it.shard.submit(cancelling()))
        answers = [await first]
        assert reads == [1, 1], "the second one reads what is older than what the first one has committed"
        may_end.set()
        answers.append(await second)
        versions = [answer.order.version for answer in answers if isinstance(answer, Decided)]
        assert versions == [before.order.version + 1, before.order.version + 2]


@under_virtual_time
async def test_two_creates_of_one_order_at_once_place_it_once() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.shard.barrier()
        trouble.hold(BEFORE_READ)
        racing = [asyncio.create_task(it.shard.submit(placing())) for _ in range(3)]
        await quiet()
        trouble.release(BEFORE_READ)
        answers = await asyncio.gather(*racing)
        assert [isinstance(answer, Decided) and answer.changed for answer in answers].count(True) == 1
        assert it.journal() == ["place_order"]


@under_virtual_time
async def test_a_read_that_ends_in_another_epoch_is_not_believed() -> None:
    """Between the read and its arrival the epoch ended: the new one must read for itself."""
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        it.shard.dormant_kept = 0
        await it.opens()
        await it.opens("other")
        await it.shard.submit(cancelling())
        trouble.hold(BEFORE_READ)
        asking = asyncio.create_task(it.shard.submit(cancelling()))
        await quiet()
        trouble.raises[BEFORE_COMMIT] = [UNKNOWN]
        with pytest.raises(CommitUnknown):
            await it.shard.submit(cancelling("other"))
        trouble.release(BEFORE_READ)
        answer = await asking
        assert isinstance(answer, Decided)
        assert it.shard.epoch == 2
        assert it.journal().count("request_cancel") == 2


# --- when a commit's answer is lost


@under_virtual_time
@pytest.mark.parametrize("point", [BEFORE_COMMIT, AFTER_COMMIT])
async def test_a_lost_answer_is_told_as_unknown_and_the_truth_is_loaded(point: str) -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.shard.barrier()
        trouble.raises[point] = [UNKNOWN]
        with pytest.raises(CommitUnknown):
            await it.place()
        assert not it.has("order"), "memory is forgotten at once"
        again = await it.place()
        assert again.changed == (point == BEFORE_COMMIT)
        assert it.journal() == ["place_order"]
        assert it.shard.epoch == 2


@under_virtual_time
async def test_everybody_who_waited_for_the_lost_commit_or_came_after_it_is_told_the_same() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.shard.barrier()
        trouble.hold(BEFORE_COMMIT)
        trouble.raises[BEFORE_COMMIT] = [UNKNOWN]
        first = asyncio.create_task(it.place("first"))
        await quiet()
        second, read = asyncio.create_task(it.place("second")), asyncio.create_task(it.shard.barrier())
        await quiet()
        trouble.release(BEFORE_COMMIT)
        told = await asyncio.gather(first, second, read, return_exceptions=True)
        assert [type(one) for one in told] == [CommitUnknown] * 3
        assert it.stored() == []


@under_virtual_time
async def test_a_load_does_not_miss_a_commit_that_arrives_late() -> None:
    """It was inside the database when its connection broke: the new epoch waits for it."""
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.shard.barrier()
        trouble.raises[BEFORE_COMMIT] = [HeldInside()]
        with pytest.raises(CommitUnknown):
            await it.place()
        assert not (await it.place()).changed
        it.store.database.release()
        assert it.journal() == ["place_order"]


@under_virtual_time
async def test_while_the_orders_are_loaded_requests_wait_but_not_for_ever() -> None:
    trouble = Trouble()
    trouble.raises[BEFORE_EPOCH] = [Unavailable("the database is away")] * 3
    async with workbench(trouble=trouble) as it:
        assert not it.shard.is_ready()
        await it.place()
        assert it.shard.is_ready()
        trouble.raises[BEFORE_COMMIT] = [UNKNOWN]
        trouble.hold(BEFORE_EPOCH)
        with pytest.raises(CommitUnknown):
            await it.place("other")
        with pytest.raises(Unavailable):
            await it.place("third")
        trouble.release(BEFORE_EPOCH)
        await it.place("third")


@under_virtual_time
async def test_a_caller_that_watches_an_order_is_woken_by_a_load() -> None:
    """The change that it waits for may be in the commit whose answer was lost."""
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.place()
        watching = asyncio.create_task(it.shard.changed(OrderId("order")))
        await quiet()
        trouble.raises[AFTER_COMMIT] = [UNKNOWN]
        with pytest.raises(CommitUnknown):
            await it.shard.submit(
                ResolveAttempt(OrderId("order"), 1, TransactionOutcome.LANDED, Signature("deposit"), None)
            )
        async with asyncio.timeout(1):
            await watching
        group = await it.shard.committed(OrderId("order"))
        assert group is not None
        assert group.state is State.OPEN


@under_virtual_time
async def test_an_order_whose_watchers_gave_up_can_be_forgotten() -> None:
    async with workbench() as it:
        it.shard.dormant_kept = 0
        await it.opens()
        watching = asyncio.create_task(it.shard.changed(OrderId("order")))
        await quiet()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await it.shard.submit(cancelling())
        assert not it.has("order")
        watching = asyncio.create_task(it.shard.changed(OrderId("order")))
        await it.shard.peek(OrderId("order"))
        await quiet()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await it.place("another")  # A commit: the time for forgetting.
        assert not it.has("order")


# --- when it ends


@under_virtual_time
async def test_a_writer_that_was_replaced_stops_and_answers_nothing_more() -> None:
    database = MemoryDatabase()
    async with workbench(database) as older:
        await older.place("first")
        async with workbench(database) as newer:
            await newer.place("second")
            with pytest.raises(CommitUnknown):
                await older.place("third")
            with pytest.raises(WriterReplaced):
                await older.running
            began = asyncio.get_running_loop().time()
            with pytest.raises(Unavailable):
                await older.place("fourth")
            assert asyncio.get_running_loop().time() == began, "no caller waits for it"
            assert not older.shard.is_ready()
            assert older.shard.epoch is None
            await newer.place("fifth")
            assert newer.stored() == ["first", "second", "fifth"]


@under_virtual_time
async def test_a_caller_that_waits_for_a_shard_that_is_stopped_is_told() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.shard.barrier()
        trouble.hold(BEFORE_COMMIT)
        waiting = asyncio.create_task(it.place())
        await quiet()
        it.running.cancel()
        with pytest.raises(CommitUnknown):
            await waiting


@under_virtual_time
async def test_a_bug_in_a_turn_ends_the_epoch_and_nothing_of_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.opens("before")
        trouble.hold(BEFORE_COMMIT)
        pending = [asyncio.create_task(it.place("written"))]
        await quiet()
        pending.append(asyncio.create_task(it.place("pending")))
        await quiet()

        def breaks(*_: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr(LiveOrders, "apply", breaks)
            with pytest.raises(ZeroDivisionError):
                await it.place("broken")
        trouble.release(BEFORE_COMMIT)
        written, lost = await asyncio.gather(*pending, return_exceptions=True)
        assert isinstance(written, Decided), "its batch was on its way before"
        assert isinstance(lost, CommitUnknown)
        assert (await it.place("broken")).changed
        assert sorted(it.stored()) == ["before", "broken", "written"]
        assert journal.broken_link(list(it.store.database.shard(0).journal.values())) is None


@under_virtual_time
async def test_a_reload_stores_what_is_pending_and_loads_after_what_is_done_between() -> None:
    async with workbench() as it:
        await it.place()
        placing_more = asyncio.create_task(it.place("more"))
        await quiet()
        seen: list[OrderId] = []

        async def between() -> None:
            seen.extend(it.stored())
            assert it.shard.epoch is None

        await it.shard.reload(between)
        await placing_more
        assert seen == ["order", "more"]
        assert it.shard.epoch == 2
        assert it.told[-1][1], "the outbox was told everything anew"


@under_virtual_time
@pytest.mark.parametrize("fails", [False, True])
async def test_a_reload_goes_on_when_its_caller_is_cancelled(fails: bool) -> None:
    async with workbench() as it:
        await it.place()
        begun, may_end = asyncio.Event(), asyncio.Event()

        async def between() -> None:
            begun.set()
            await may_end.wait()
            if fails:
                raise Unavailable("the database is away")

        reloading = asyncio.create_task(it.shard.reload(between))
        await begun.wait()
        reloading.cancel()
        await quiet()
        may_end.set()
        assert (await it.place("more")).changed
        assert (reloading.cancelled(), it.shard.epoch) == (True, 2)


@under_virtual_time
async def test_who_asked_for_a_reload_is_told_when_the_shard_ends_meanwhile() -> None:
    async with workbench() as it:
        await it.place()
        begun = asyncio.Event()

        async def between() -> None:
            begun.set()
            await asyncio.Event().wait()

        reloading = asyncio.create_task(it.shard.reload(between))
        await begun.wait()
        it.running.cancel()
        with pytest.raises(Unavailable, match="served no more"):
            await asyncio.wait_for(reloading, 30)


# --- time and prices


@under_virtual_time
@pytest.mark.parametrize("late_ms", [0, 1, 5_000])
async def test_what_time_demands_comes_before_a_command_of_the_same_or_a_later_instant(late_ms: int) -> None:
    async with workbench() as it:
        await it.opens()
        it.clock.setting = ClockSetting(frozen_at=EXPIRES_AT + late_ms)
        await it.prices.set({SOL: usd(300)}, at_once=True)
        group = await it.shard.committed(OrderId("order"))
        assert group is not None
        assert group.state is State.EXPIRED
        assert it.journal()[-1] == "expire_order"


@under_virtual_time
async def test_an_instant_before_the_expiry_the_price_wins() -> None:
    async with workbench() as it:
        await it.opens()
        it.clock.setting = ClockSetting(frozen_at=EXPIRES_AT - 1)
        await it.prices.set({SOL: usd(300)}, at_once=True)
        assert it.journal()[-1] == "trigger_orders"


@under_virtual_time
async def test_a_load_tells_the_clock_what_has_happened() -> None:
    """B7: the machine's clock was set back while no writer served."""
    database = MemoryDatabase()
    async with workbench(database) as it:
        await it.opens()
        it.clock.setting = ClockSetting(frozen_at=EXPIRES_AT - 1)
        await it.prices.set({SOL: usd(300)}, at_once=True)
    async with workbench(database) as it:
        await it.shard.loaded()
        assert it.clock.now() == await it.shard.now() == EXPIRES_AT - 1


@under_virtual_time
async def test_timers_run_in_the_order_in_which_they_are_due() -> None:
    async with workbench() as it:
        await _open_three(it)
        await it.shard.run_due()
        assert _moments(it)[-2:] == [(100, "early"), (300, "late")]


@under_virtual_time
async def test_an_orders_own_timer_runs_before_a_command_that_names_it_and_the_others_run_later() -> None:
    async with workbench() as it:
        await _open_three(it)
        await it.shard.submit(cancelling("late"))
        assert _moments(it)[-2:] == [(300, "late"), (500, "late")]
        await it.shard.run_due()
        assert _moments(it)[-1] == (500, "early"), "time never goes back"


async def _open_three(it: Workbench) -> None:
    for name, after in (("late", 300), ("early", 100), ("later", 900)):
        await it.opens(name, expires_at=Instant(EXPIRES_AT + after))
    it.clock.setting = ClockSetting(frozen_at=Instant(EXPIRES_AT + 500))


def _moments(it: Workbench) -> list[tuple[int, str]]:
    rows = [BODIES.read(row) for row in it.store.database.shard(0).journal.values()]
    return [(row.moment.at - EXPIRES_AT, row.events[0][0]) for row in rows]


@under_virtual_time
async def test_a_cancel_comes_between_the_slices_of_a_crossing_and_wins() -> None:
    async with workbench() as it:
        names = [f"{number:04}" for number in range(5 * ORDERS_PER_SLICE)]
        for name in names:
            await it.opens(name)
        crossing = asyncio.create_task(it.prices.set({SOL: usd(300)}, at_once=True))
        while (await it.shard.peek(OrderId(names[0]))).state is State.OPEN:  # type: ignore[union-attr]
            await asyncio.sleep(0)
        answer = await it.shard.submit(cancelling(names[-1]))
        assert not crossing.done()
        assert isinstance(answer, Decided)
        assert answer.order.state is State.WITHDRAWING
        await crossing
        groups = [await it.shard.committed(OrderId(name)) for name in names]
        assert [group is not None and group.state is State.TRIGGERED for group in groups] == [True] * (
            len(names) - 1
        ) + [False]
        kinds = it.journal()
        assert kinds.index("request_cancel") < max(n for n, kind in enumerate(kinds) if kind == "trigger_orders")


@under_virtual_time
async def test_a_cancel_comes_between_the_slices_of_an_hour_in_which_many_expire() -> None:
    async with workbench() as it:
        names = [f"{number:04}" for number in range(5 * ORDERS_PER_SLICE)]
        for name in names:
            await it.opens(name)
        await it.opens("another", expires_at=Instant(EXPIRES_AT + 10_000))
        it.clock.setting = ClockSetting(frozen_at=EXPIRES_AT)
        passing = asyncio.create_task(it.shard.run_due())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert isinstance(await it.shard.submit(cancelling("another")), Decided)
        assert not passing.done()
        await passing
        kinds = it.journal()
        assert kinds.count("expire_order") == len(names)
        assert kinds.index("request_cancel") < max(n for n, kind in enumerate(kinds) if kind == "expire_order")


@under_virtual_time
async def test_what_a_crash_between_two_slices_left_is_triggered_before_the_orders_are_served() -> None:
    database = MemoryDatabase()
    names = [f"{number:04}" for number in range(5 * ORDERS_PER_SLICE)]
    async with workbench(database) as it:
        for name in names:
            await it.opens(name)
    database.prices[SOL] = usd(300)
    async with workbench(database) as it:
        await it.shard.loaded()
        bodies = [decode_group(row.body) for row in database.shard(0).orders.values()]
        assert [group.state for group in bodies] == [State.TRIGGERED] * len(names)


@under_virtual_time
async def test_time_passes_by_itself() -> None:
    async with workbench() as it:
        await it.opens()
        it.clock.setting = ClockSetting(frozen_at=EXPIRES_AT)
        await asyncio.sleep(0.2)
        assert it.journal()[-1] == "expire_order"
        assert it.shard.is_settled()


@under_virtual_time
async def test_instants_never_go_back_also_not_over_a_restart() -> None:
    database = MemoryDatabase()
    async with workbench(database) as it:
        it.clock.setting = ClockSetting(frozen_at=Instant(1_500_000))
        await it.place("first")
    async with workbench(database) as it:  # Its clock is half a second behind.
        await it.place("second")
        instants = [row.at for row in database.shard(0).journal.values()]
        assert instants == [1_500_000, 1_500_000]
        assert await it.shard.now() == 1_500_000


@under_virtual_time
async def test_a_price_triggers_in_the_same_order_before_and_after_a_load() -> None:
    """Or a replay of the journal would not come to the same events."""
    orders = []
    for loaded in (False, True):
        database = MemoryDatabase()
        async with workbench(database) as it:
            for name in ("b", "a", "c"):
                await it.opens(name)
            if loaded:
                await it.shard.reload(_nothing)
            await it.prices.set({SOL: usd(400)}, at_once=True)
            row = BODIES.read(list(database.shard(0).journal.values())[-1])
            orders.append([order_id for order_id, _ in row.events])
    assert orders == [["a", "b", "c"]] * 2


async def _nothing() -> None:
    pass


@under_virtual_time
async def test_a_stored_price_is_judged_when_the_orders_are_loaded() -> None:
    """The crash came after the price was stored by another shard's turn: the load ends with a tick of every price."""
    database = MemoryDatabase()
    async with workbench(database) as it:
        await it.opens()
    database.prices[SOL] = usd(300)
    async with workbench(database) as it:
        group = await it.shard.committed(OrderId("order"))
        assert group is not None
        assert group.state is State.TRIGGERED
        assert it.told[0][0][0].state is State.OPEN, "the outbox learns first what is committed"


# --- what is stored beside the orders


@under_virtual_time
async def test_a_price_that_concerns_no_order_is_stored_when_it_was_answered() -> None:
    """B12: it crosses nothing and is no entry, but a venue that is killed then knows it again."""
    database = MemoryDatabase()
    async with workbench(database) as it:
        await it.shard.loaded()
        await it.prices.set({SOL: usd(123)}, at_once=False)
        assert database.prices == {SOL: usd(123)}
        await it.prices.set({SOL: usd(124)}, at_once=True)
        assert it.journal() == []
    async with workbench(database) as it:
        await it.shard.loaded()
        assert it.prices.price_of(SOL) == usd(124)


@under_virtual_time
async def test_a_craft_without_an_order_is_stored_when_it_was_answered() -> None:
    database = MemoryDatabase()
    async with workbench(database) as it:
        crafted = deposit()
        await it.shard.add_craft(crafted)
        assert await it.store.crafts([crafted.request_id]) == {crafted.request_id: journal.encode(crafted)}
        assert it.journal() == []


@under_virtual_time
@pytest.mark.parametrize("point", [BEFORE_EPOCH, AFTER_EPOCH])
async def test_a_database_that_is_lost_while_the_fence_is_taken_is_asked_again(point: str) -> None:
    """B11."""
    trouble = Trouble()
    trouble.raises[point] = [Unavailable("the database does not answer") for _ in range(10)]
    async with workbench(trouble=trouble) as it:
        await it.shard.loaded()
        await it.place()
        assert not it.running.done()
        assert trouble.raises[point] == []


# --- whether it is settled


@under_virtual_time
async def test_a_shard_that_is_being_loaded_is_not_settled() -> None:
    """B18."""
    trouble = Trouble()
    trouble.hold(BEFORE_EPOCH)
    async with workbench(trouble=trouble) as it:
        await quiet()
        assert not it.shard.is_settled()
        assert not it.shard.is_ready()
        assert it.shard.epoch is None
        trouble.release(BEFORE_EPOCH)
        await it.shard.loaded()
        assert it.shard.is_settled()
        seen: list[bool] = []

        async def between() -> None:
            seen.append(it.shard.is_settled())

        await it.shard.reload(between)
        assert seen == [False]
        assert it.shard.is_settled()


@under_virtual_time
async def test_a_shard_with_a_commit_under_way_is_not_settled() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.shard.barrier()
        trouble.hold(BEFORE_COMMIT)
        placing_it = asyncio.create_task(it.place())
        await quiet()
        assert not it.shard.is_settled(), "it is being written"
        more = asyncio.create_task(it.place("more"))
        await quiet()
        trouble.release(BEFORE_COMMIT)
        await asyncio.gather(placing_it, more)
        assert it.shard.is_settled()


# --- refusals


@under_virtual_time
@pytest.mark.parametrize("refused", ["an unknown order", "another's order", "a state"])
async def test_a_refusal_leaves_only_past_the_fence(refused: str) -> None:
    """B19: a writer that was replaced may not say that an order is not there, or not open."""
    trouble = Trouble()
    async with workbench(trouble=trouble) as it:
        await it.place()
        command, refusal = {
            "an unknown order": (cancelling("another"), TriggerRefusal.ORDER_UNKNOWN),
            "another's order": (replace(cancelling(), wallet=MALLORY), TriggerRefusal.ORDER_FOREIGN),
            "a state": (cancelling(), TriggerRefusal.STATE_FORBIDS_CANCEL),
        }[refused]
        trouble.hold(BEFORE_COMMIT)
        asking = asyncio.create_task(it.shard.submit(command))
        await quiet()
        assert not asking.done()
        trouble.release(BEFORE_COMMIT)
        answer = await asking
        assert isinstance(answer, TriggerRefused)
        assert answer.refusal is refusal


@under_virtual_time
async def test_a_writer_that_was_replaced_refuses_nothing() -> None:
    database = MemoryDatabase()
    async with workbench(database) as older:
        await older.place()
        async with workbench(database) as newer:
            await newer.opens("another")
            with pytest.raises(CommitUnknown):
                await older.shard.submit(cancelling("unknown"))
            assert isinstance(await newer.shard.submit(cancelling("unknown")), TriggerRefused)


@under_virtual_time
async def test_an_order_is_placed_by_a_fresh_deposit_without_a_question_to_the_store() -> None:
    async with workbench() as it:
        command = placing()
        await it.shard.add_craft(command.deposit)
        it.store.asked.clear()
        assert await it.shard.craft(command.deposit.request_id) == command.deposit
        assert isinstance(await it.shard.submit(command), Decided)
        assert it.store.asked == []
        assert await it.shard.craft(command.deposit.request_id) == command.deposit, "a repetition finds it in the store"
        assert it.store.asked == ["crafts"]


@under_virtual_time
async def test_a_deposit_is_fresh_in_its_own_epoch_only() -> None:
    async with workbench() as it:
        command = placing()
        await it.shard.add_craft(command.deposit)
        await it.shard.reload(_nothing)
        it.store.asked.clear()
        assert isinstance(await it.shard.submit(command), Decided)
        assert it.store.asked == ["orders"], "another process may have placed it meanwhile"


@under_virtual_time
async def test_a_fresh_deposit_that_died_is_forgotten_with_those_of_the_store() -> None:
    async with workbench() as it:
        command = placing()
        height = command.deposit.craft.last_valid_height
        await it.shard.add_craft(command.deposit)
        for below in (height, height + 1):
            it.shard.forget_dead_crafts(below)
            await it.store.delete_dead_crafts(below)
            found = await it.shard.craft(command.deposit.request_id)
            assert found == (command.deposit if below == height else None)
