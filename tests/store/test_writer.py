"""What only PostgreSQL can do to a writer: connections that break, hang, or are given up."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from countermand.kernel.ports import CommitUnknown, DatabaseWentBack, Epoch, Unavailable, WriterReplaced
from countermand.orders.trigger.ports import TriggerBatch
from countermand.store import fences, writer
from countermand.store.postgres import PostgresStore
from countermand.store.trigger_rows import TRIGGER_FAMILY
from countermand.store.writer import Writer
from countermand.values.bucket import ALL_BUCKETS
from countermand.values.identity import OrderId
from tests.contract.store_worlds import PATIENCE_S, bodies, waits_for
from tests.contract.test_store import batch, craft_row, order_row, request_id

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest_asyncio.fixture
async def store(database_url: str) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.connect(database_url)
    yield store
    await store.close()


@pytest_asyncio.fixture
async def helper(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def other(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    connection.terminate()


async def goes_back(helper: Connection, seq: int) -> None:
    """What lies behind an entry is lost, as of a standby that lagged."""
    for table in ("journal", "events"):
        await helper.execute(f"DELETE FROM {table} WHERE shard = 0 AND seq > $1", seq)
    newest = "SELECT seq, hash, at FROM journal WHERE shard = 0 ORDER BY seq DESC LIMIT 1"
    await helper.execute(f"UPDATE shards SET (seq, head, last_at) = ({newest}) WHERE shard = 0")


async def test_a_database_that_went_back_is_not_taken_for_one_that_another_process_serves(
    store: PostgresStore, helper: Connection
) -> None:
    """It was: the venue ended with 3, after which a service is not started again."""
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch))
    await store.commit(batch(epoch, 1))
    await goes_back(helper, 1)
    with pytest.raises(DatabaseWentBack, match="shard 0 is at 1 of epoch 1, and 2 of epoch 1 was committed"):
        await store.commit(batch(epoch, 2))


async def test_a_database_that_went_back_is_not_loaded_again_in_silence(
    store: PostgresStore, helper: Connection
) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch))
    await store.commit(batch(epoch, 1))
    await goes_back(helper, 1)
    with pytest.raises(DatabaseWentBack, match="shard 0 is at 1"):
        await store.begin_epoch(0, epoch.number)


async def test_a_database_from_before_the_start_went_back(store: PostgresStore, helper: Connection) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch))
    await helper.execute("UPDATE shards SET epoch = 0, opened = 0, seq = 0 WHERE shard = 0")
    with pytest.raises(DatabaseWentBack, match="shard 0 is at 0 of epoch 0"):
        await store.begin_epoch(0, epoch.number)


async def test_a_takeover_is_no_database_that_went_back(store: PostgresStore, database_url: str) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch))
    other = await PostgresStore.connect(database_url)
    await other.begin_epoch(0)
    await other.close()
    with pytest.raises(WriterReplaced) as raised:
        await store.commit(batch(epoch, 1))
    assert not isinstance(raised.value, DatabaseWentBack)


async def test_a_connection_lost_between_two_commits_is_opened_anew(store: PostgresStore, helper: Connection) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch))
    ended = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE '%writer of shard 0'"
    )
    assert await helper.fetchval(ended) is True
    connection = store._writer(0)._connection
    assert connection is not None
    async with asyncio.timeout(PATIENCE_S):
        while not connection.is_closed():
            await asyncio.sleep(0)
    await store.commit(batch(epoch, 1, orders=[order_row(1)]))
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == [b'{"order":1}']


async def test_a_commit_that_was_given_up_does_not_answer_the_next(
    store: PostgresStore, helper: Connection, other: Connection
) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch))
    async with other.transaction():
        await other.execute("SELECT FROM shards FOR UPDATE")
        given_up = asyncio.create_task(store.commit(batch(epoch, 1, orders=[order_row(1)])))
        await waits_for(helper, other)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
    again = await store.begin_epoch(0)
    assert again.seq in (1, 2)
    await store.commit(batch(again, again.seq, orders=[order_row(2)]))
    assert b'{"order":2}' in await bodies(store.live_orders(0, ALL_BUCKETS))


async def test_nothing_was_sent_if_there_is_no_connection(database_url: str, store: PostgresStore) -> None:
    epoch = await store.begin_epoch(0)
    lost = Writer(database_url.replace("/test_", "/lost_test_"), 0, TRIGGER_FAMILY)
    with pytest.raises(Unavailable):
        await lost.begin_epoch()
    with pytest.raises(Unavailable):
        await lost.commit(batch(epoch))
    assert (await store.begin_epoch(0)).seq == 0


@pytest.mark.parametrize("poison", [{"created_at": 2**63}, {"wallet": "a\0b"}, {"wallet": None}], ids=str)
async def test_a_row_that_cannot_be_stored_takes_its_batch_with_it_and_nothing_else(
    store: PostgresStore, poison: dict[str, Any]
) -> None:
    epoch = await store.begin_epoch(0)
    with pytest.raises(CommitUnknown):
        await store.commit(batch(epoch, orders=[order_row(1), order_row(2, **poison)]))
    await store.commit(batch(epoch, orders=[order_row(3)]))
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == [b'{"order":3}']


async def test_a_question_that_makes_no_sense_is_a_bug_and_not_a_silent_server(store: PostgresStore) -> None:
    with pytest.raises(asyncpg.DataError):
        (await store.orders([OrderId("not a uuid")])).get(OrderId("not a uuid"))


async def test_crafts_are_not_judged_while_a_commit_could_make_orders_of_them(
    store: PostgresStore, helper: Connection, other: Connection
) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch, crafts=[craft_row(1, 100), craft_row(2, 100)]))
    late: TriggerBatch = batch(epoch, 1, orders=[order_row(1)])
    transaction = other.transaction()
    await transaction.start()
    assert await other.fetchval(TRIGGER_FAMILY.statement(), *TRIGGER_FAMILY.parameters(late)) == 1
    deleting = asyncio.create_task(store.delete_dead_crafts(101))
    await waits_for(helper, other)
    await transaction.commit()
    await deleting
    assert (await store.crafts([request_id(1)])).get(request_id(1)) is not None
    assert (await store.crafts([request_id(2)])).get(request_id(2)) is None


async def test_a_used_craft_is_judged_only_once(store: PostgresStore, helper: Connection) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch, crafts=[craft_row(1, 100), craft_row(2, 900)], orders=[order_row(1), order_row(2)]))
    await store.delete_dead_crafts(101)
    assert await helper.fetchval("SELECT count(*) FROM crafts WHERE last_valid_height IS NOT NULL") == 1


async def test_a_read_whose_connection_breaks_can_be_asked_again(
    store: PostgresStore, helper: Connection, other: Connection
) -> None:
    async with other.transaction():
        await other.execute("LOCK TABLE orders")
        reading = asyncio.create_task(store.live_orders(0, ALL_BUCKETS))
        await helper.execute("SELECT pg_terminate_backend($1)", await waits_for(helper, other))
        with pytest.raises(Unavailable):
            await reading
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == []


# --- while the fence is taken


@pytest.mark.parametrize("opened", [None, 1])
async def test_a_backend_that_is_killed_while_it_takes_the_fence_is_unavailable(
    store: PostgresStore, helper: Connection, other: Connection, opened: int | None
) -> None:
    """B11: the shard asks again; it does not end."""
    assert (await store.begin_epoch(0)).number == 1
    async with other.transaction():
        await other.execute("SELECT FROM shards FOR UPDATE")
        taking = asyncio.create_task(store.begin_epoch(0, opened))
        await helper.execute("SELECT pg_terminate_backend($1)", await waits_for(helper, other))
        with pytest.raises(Unavailable):
            await taking
        assert store._writer(0)._connection is None
    again = await store.begin_epoch(0, opened)
    assert again.number == 2
    await store.commit(batch(again))


async def test_a_holder_that_hangs_makes_the_fence_unavailable_until_it_goes_on(
    store: PostgresStore, helper: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot even be ended: its disk hangs."""
    monkeypatch.setattr(fences, "HOLDER_S", 0.3)
    assert (await store.begin_epoch(0)).number == 1
    holder = other.get_server_pid()
    await other.execute("BEGIN")
    await other.execute("SELECT FROM shards FOR UPDATE")
    os.kill(holder, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            await store.begin_epoch(0, 1)
        assert store._writer(0)._connection is None
    finally:
        os.kill(holder, signal.SIGCONT)
    async with asyncio.timeout(PATIENCE_S):
        while await helper.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", holder):
            await asyncio.sleep(0.01)
    again = await store.begin_epoch(0, 1)
    await store.commit(batch(again))


@pytest.mark.parametrize("late_first", [True, False])
@pytest.mark.parametrize("opened", [None, 1])
async def test_a_statement_that_was_given_up_and_comes_late_does_not_end_the_new_epoch(
    database_url: str, store: PostgresStore, helper: Connection, other: Connection, opened: int | None, late_first: bool
) -> None:
    assert (await store.begin_epoch(0)).number == 1
    late = await asyncpg.connect(database_url)
    given_up = writer._TAKE if opened is None else writer._BEGIN_AGAIN

    async def begin_late() -> asyncpg.Record | None:
        return await late.fetchrow(given_up, 0, 1)

    async def begin() -> Epoch:
        return await store.begin_epoch(0, opened)

    transaction = other.transaction()
    await transaction.start()
    await other.execute("SELECT FROM shards FOR UPDATE")
    turns: list[asyncio.Task[Any]] = []
    for number, turn in enumerate([begin_late, begin] if late_first else [begin, begin_late], 1):
        turns.append(asyncio.create_task(turn()))
        await waiting(helper, number)
    await transaction.commit()
    results = await asyncio.gather(*turns, return_exceptions=True)
    await late.close()
    again = results[1] if late_first else results[0]
    assert isinstance(again, Epoch)
    assert again.number == (3 if late_first else 2)
    await store.commit(batch(again))


async def waiting(helper: Connection, wanted: int) -> None:
    """Until so many backends wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(PATIENCE_S):
        while await helper.fetchval(query) < wanted:
            await asyncio.sleep(0.01)


async def test_taking_the_fence_that_is_given_up_leaves_no_connection(
    store: PostgresStore, helper: Connection, other: Connection
) -> None:
    await store.begin_epoch(0)
    async with other.transaction():
        await other.execute("SELECT FROM shards FOR UPDATE")
        taking = asyncio.create_task(store.begin_epoch(0, 1))
        await waits_for(helper, other)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert store._writer(0)._connection is None


async def test_a_backend_that_is_killed_while_it_empties_a_shard_is_unavailable(
    store: PostgresStore, helper: Connection, other: Connection
) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch, orders=[order_row(1)]))
    async with other.transaction():
        await other.execute("SELECT FROM shards FOR UPDATE")
        emptying = asyncio.create_task(store.reset(0))
        await helper.execute("SELECT pg_terminate_backend($1)", await waits_for(helper, other))
        with pytest.raises(Unavailable):
            await emptying
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == [b'{"order":1}'], "all of it or nothing"
    await store.reset(0)
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == []
