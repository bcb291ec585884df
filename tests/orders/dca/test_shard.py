"""The shard of recurring orders and its outbox: rounds by the clock, cancels as a fence, and what a crash leaves."""

import asyncio

import pytest

from countermand.kernel import journal
from countermand.kernel.ports import CommitUnknown
from countermand.orders.dca.bodies import decode_order, decode_stored
from countermand.orders.dca.journal import BODIES
from countermand.orders.dca.model.live_orders import LiveOrders
from countermand.orders.dca.model.order import State
from countermand.orders.dca.model.refusals import DcaRefusal, DcaRefused
from countermand.orders.dca.records import decode_dca_record, history_of
from countermand.orders.shards import DCA_SHARD
from countermand.orders.vaults.shard import Decided
from countermand.values.identity import OrderId, RequestId
from countermand.values.instant import Instant
from countermand.values.transactions import TransactionOutcome
from countermand_simulator.memory_store import AFTER_COMMIT, BEFORE_COMMIT
from tests.orders.dca.samples import HOUR_MS, MALLORY, PLACED_AT, SOL, WINDOW_MS, band, deposit, plan, usd
from tests.orders.dca.stubs import Workbench, cancelling, placing, workbench
from tests.orders.trigger.stubs import Trouble, quiet, under_virtual_time


@under_virtual_time
async def test_rounds_follow_the_clock_until_the_last_takes_the_dust() -> None:
    async with workbench() as it:
        await it.opens()
        await it.settles()
        assert (await it.order()).progress.rounds_filled == 1
        for filled in (2, 3):
            await it.advances(HOUR_MS - 1)
            await it.settles()
            assert (await it.order()).progress.rounds_filled == filled - 1
            await it.advances(1)
            await it.settles()
            assert (await it.order()).progress.rounds_filled == filled
        order = await it.order()
        assert (order.state, order.progress.posted.units, order.remaining.units) == (State.COMPLETED, 1_000, 0)
        fills = [number for what, _, number in it.transactions.asked if what == "send" and number > 1]
        assert fills == [2, 3, 4]


@under_virtual_time
async def test_a_round_waits_for_its_begin() -> None:
    async with workbench() as it:
        await it.opens(plan=plan(begin_at=PLACED_AT + 5_000))
        await it.advances(4_999)
        await it.settles()
        assert (await it.order()).progress.rounds_filled == 0
        await it.advances(1)
        await it.settles()
        assert (await it.order()).progress.rounds_filled == 1


@under_virtual_time
async def test_a_clock_that_jumps_over_rounds_makes_one_of_them() -> None:
    async with workbench() as it:
        await it.opens()
        await it.settles()
        await it.advances(10 * HOUR_MS)
        await it.settles()
        order = await it.order()
        assert order.progress.rounds_filled == 2
        assert order.progress.next_fill_at == PLACED_AT + 11 * HOUR_MS


@under_virtual_time
async def test_when_the_clock_was_advanced_what_is_due_has_begun() -> None:
    async with workbench(acting=False) as it:
        await it.opens(plan=plan(begin_at=PLACED_AT + HOUR_MS))
        assert (await it.order()).state is State.ACTIVE
        await it.advances(HOUR_MS)
        assert (await it.order()).state is State.ROUND_DUE


@under_virtual_time
async def test_a_due_round_can_be_cancelled_until_its_fill_is_committed() -> None:
    async with workbench(acting=False) as it:
        await it.opens()
        assert (await it.order()).state is State.ROUND_DUE
        cancelled = await it.shard.submit(cancelling())
        assert isinstance(cancelled, Decided)
        assert cancelled.order.state is State.WITHDRAWING
        await it.advances(10 * HOUR_MS)
        assert (await it.order()).state is State.WITHDRAWING, "no round begins any more"


@under_virtual_time
async def test_a_cancel_meets_what_became_due_before_it() -> None:
    async with workbench(acting=False) as it:
        await it.opens(plan=plan(begin_at=PLACED_AT + 1_000, band=band()))
        it.clock.setting = it.clock.advanced(1_000)
        await it.shard.submit(cancelling())
        kinds = it.journal()
        assert kinds[-2:] == ["begin_round", "request_cancel"]


@under_virtual_time
async def test_a_failing_swap_is_tried_again_within_its_window_and_then_at_the_next_interval() -> None:
    async with workbench() as it:
        it.transactions.refuses = True
        await it.opens()
        await it.settles()
        assert (await it.order()).progress.failures == 1
        passed = 0
        while passed < WINDOW_MS:
            await it.advances(1_000)
            await it.settles()
            passed += 1_000
        order = await it.order()
        assert (order.progress.rounds_filled, order.progress.began_at) == (0, None)
        assert order.progress.next_fill_at == PLACED_AT + HOUR_MS
        tries = it.transactions.asked.count(("build_fill", OrderId("order"), 1))
        assert tries == 6 + (WINDOW_MS - 63_000) // 60_000 + 1, "after 1, 2, 4, 8, 16, 32, and then every 60 s"
        it.transactions.refuses = False
        await it.advances(HOUR_MS - WINDOW_MS)
        await it.settles()
        assert (await it.order()).progress.rounds_filled == 1


@under_virtual_time
async def test_a_swap_that_the_chain_rejects_is_tried_again() -> None:
    async with workbench() as it:
        it.transactions.next_outcomes = [TransactionOutcome.REJECTED, TransactionOutcome.DEAD]
        await it.opens()
        for pause_ms in (1_000, 2_000):
            await it.settles()
            order = await it.order()
            assert (order.state, order.progress.rounds_filled) == (State.ACTIVE, 0)
            await it.advances(pause_ms)
        await it.settles()
        assert (await it.order()).progress.rounds_filled == 1


@under_virtual_time
async def test_a_round_out_of_its_band_goes_to_the_next_interval() -> None:
    async with workbench() as it:
        await it.prices.set({SOL: usd(99)}, at_once=False)
        await it.opens(plan=plan(band=band()))
        await it.settles()
        order = await it.order()
        assert (order.progress.rounds_filled, order.progress.next_fill_at) == (0, PLACED_AT + HOUR_MS)
        await it.prices.set({SOL: usd(150)}, at_once=False)
        await it.settles()
        assert (await it.order()).progress.rounds_filled == 0, "a price starts no round"
        await it.advances(HOUR_MS)
        await it.settles()
        assert (await it.order()).progress.rounds_filled == 1


@under_virtual_time
async def test_a_clock_that_jumps_over_rounds_out_of_their_band_moves_them_once() -> None:
    async with workbench() as it:
        await it.prices.set({SOL: usd(99)}, at_once=False)
        await it.opens(plan=plan(band=band()))
        await it.advances(50 * HOUR_MS + 5)
        await it.settles()
        assert (await it.order()).progress.next_fill_at == PLACED_AT + 51 * HOUR_MS
        assert it.journal().count("begin_round") == 2, "when the deposit landed, and now"


@under_virtual_time
async def test_ten_active_orders_a_wallet_of_which_withdrawing_ones_count() -> None:
    async with workbench(acting=False) as it:
        for number in range(10):
            await it.opens(f"order {number}")
        refused = DcaRefused(DcaRefusal.TOO_MANY_ACTIVE)
        assert await it.shard.submit(placing("eleventh")) == refused
        assert isinstance(await it.shard.submit(placing("order 3")), Decided), "a repetition is no other order"
        await it.shard.submit(cancelling("order 0"))
        assert await it.shard.submit(placing("eleventh")) == refused
        theirs = deposit(order_id=OrderId("theirs"), request_id=RequestId("theirs"), wallet=MALLORY)
        placed = await it.shard.submit(placing("theirs", wallet=MALLORY, deposit=theirs))
        assert isinstance(placed, Decided), "each wallet has ten"


@under_virtual_time
async def test_the_limit_is_counted_again_after_a_restart() -> None:
    async with workbench(acting=False) as it:
        for number in range(10):
            await it.opens(f"order {number}")
        database = it.store.database
    async with workbench(database, acting=False) as again:
        assert await again.shard.submit(placing("eleventh")) == DcaRefused(DcaRefusal.TOO_MANY_ACTIVE)


@under_virtual_time
async def test_a_restart_goes_on_where_it_was() -> None:
    async with workbench(acting=False) as it:
        await it.opens()
        before = await it.order()
        database = it.store.database
    async with workbench(database, at=Instant(PLACED_AT + 5)) as again:
        await again.settles()
        order = await again.order()
        assert (before.state, before.progress.rounds_filled) == (State.ROUND_DUE, 0)
        assert (order.progress.rounds_filled, order.progress.next_fill_at) == (1, PLACED_AT + 5 + HOUR_MS)
    async with workbench(database, at=Instant(PLACED_AT + 2 * HOUR_MS)) as later:
        await later.shard.run_due()
        await later.settles()
        assert (await later.order()).progress.rounds_filled == 2


@under_virtual_time
async def test_no_answer_leaves_before_its_commit_and_a_lost_one_is_unknown() -> None:
    trouble = Trouble()
    async with workbench(trouble=trouble, acting=False) as it:
        await it.shard.barrier()
        trouble.hold(BEFORE_COMMIT)
        placing_it = asyncio.create_task(it.shard.submit(placing()))
        await quiet()
        assert not placing_it.done()
        trouble.release(BEFORE_COMMIT)
        assert isinstance(await placing_it, Decided)
        trouble.raises[AFTER_COMMIT] = [CommitUnknown("lost")]
        with pytest.raises(CommitUnknown):
            await it.shard.submit(cancelling())
        again = await it.shard.submit(cancelling())
        assert again == DcaRefused(DcaRefusal.STATE_FORBIDS_CANCEL, state=State.DEPOSITING)


async def lived(it: Workbench) -> None:
    """A life with everything in it: rounds, a price out of band, failures, a cancel."""
    await it.prices.set({SOL: usd(99)}, at_once=False)
    await it.opens(plan=plan(band=band()))
    await it.settles()
    await it.prices.set({SOL: usd(150)}, at_once=False)
    it.transactions.next_outcomes = [TransactionOutcome.REJECTED]
    await it.advances(HOUR_MS)
    await it.settles()
    await it.advances(1_000)
    await it.settles()
    await it.shard.submit(cancelling())


@under_virtual_time
async def test_the_journal_is_a_chain_and_folds_to_what_is_stored() -> None:
    async with workbench() as it:
        await lived(it)
        shard = it.store.database.shard(DCA_SHARD)
    rows = list(shard.journal.values())
    assert journal.broken_link(rows) is None
    folded = LiveOrders()
    for row in rows:
        entry = BODIES.read(row)
        assert folded.decide(entry.command, entry.moment) == entry.events, "decided again it is the same"
        for order_id, event in entry.events:
            folded.apply(order_id, event, entry.moment.at)
    assert {order_id: decode_stored(order_id, row.body) for order_id, row in shard.orders.items()} == folded.orders
    assert decode_order(shard.orders[OrderId("order")].body).state is State.WITHDRAWING


@under_virtual_time
async def test_an_owner_is_shown_what_happened() -> None:
    async with workbench() as it:
        await lived(it)
        records = [row.record for row in it.store.database.shard(DCA_SHARD).events.values()]
    entries = [entry for record in records for entry in history_of(decode_dca_record(record.body))]
    assert [(entry.kind, entry.succeeded, entry.rescheduled, entry.round, entry.tries) for entry in entries] == [
        ("deposit", True, False, None, None),
        ("fill", False, True, 1, 0),
        ("fill", False, False, 1, 1),
        ("fill", True, False, 1, 2),
    ]
    assert [entry.amount.units for entry in entries if entry.amount is not None] == [1_000, 333, 333, 333]
