"""The faults of the simulator's store: what it does beyond the contract."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from countermand.kernel.ports import CommitUnknown, Unavailable, WriterReplaced
from countermand.values.bucket import ALL_BUCKETS
from countermand_simulator.memory_store import (
    AFTER_COMMIT,
    AFTER_EPOCH,
    BEFORE_COMMIT,
    BEFORE_EPOCH,
    BEFORE_READ,
    HeldInside,
    MemoryDatabase,
    MemoryStore,
)
from tests.contract.store_worlds import Fate, bodies
from tests.contract.test_store import batch, everything, journal_row, order_row


async def test_a_held_batch_commits_when_it_is_released() -> None:
    fate = Fate()
    store = MemoryStore(MemoryDatabase(), fate)
    epoch = await store.begin_epoch(0)
    fate.next[BEFORE_COMMIT] = HeldInside()
    with pytest.raises(CommitUnknown):
        await store.commit(everything(epoch))
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == []
    store.database.release()
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == [b'{"order":1}']


async def test_a_batch_that_a_new_epoch_defeated_is_never_released() -> None:
    fate = Fate(lands=False)
    store = MemoryStore(MemoryDatabase(), fate)
    epoch = await store.begin_epoch(0)
    fate.next[BEFORE_COMMIT] = HeldInside()
    with pytest.raises(CommitUnknown):
        await store.commit(everything(epoch))
    await store.begin_epoch(0)
    store.database.release()
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == []


async def test_a_batch_under_way_meets_the_fence_of_a_writer_that_came_meanwhile() -> None:
    class Slow(Fate):
        def __init__(self) -> None:
            super().__init__()
            self.arrives = asyncio.Event()

        async def at(self, point: str) -> None:
            if point == BEFORE_COMMIT:
                await self.arrives.wait()

    slow, database = Slow(), MemoryDatabase()
    old, new = MemoryStore(database, slow), MemoryStore(database)
    epoch = await old.begin_epoch(0)
    committing = asyncio.create_task(old.commit(everything(epoch)))
    await asyncio.sleep(0)
    await new.begin_epoch(0)
    slow.arrives.set()
    with pytest.raises(WriterReplaced):
        await committing
    assert await bodies(new.live_orders(0, ALL_BUCKETS)) == []


async def test_whatever_can_be_asked_can_be_unavailable() -> None:
    fate = Fate()
    store = MemoryStore(MemoryDatabase(), fate)
    epoch = await store.begin_epoch(0)
    asking: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        (BEFORE_EPOCH, lambda: store.begin_epoch(0)),
        (BEFORE_READ, lambda: store.live_orders(0, ALL_BUCKETS)),
        (BEFORE_COMMIT, lambda: store.commit(batch(epoch))),
    ]
    for point, ask in asking:
        fate.next[point] = Unavailable("it rains")
        with pytest.raises(Unavailable):
            await ask()
    await store.commit(batch(epoch))


async def test_a_replaced_writer_may_not_even_learn_it() -> None:
    fate, database = Fate(), MemoryDatabase()
    store = MemoryStore(database, fate)
    epoch = await store.begin_epoch(0)
    await MemoryStore(database).begin_epoch(0)
    fate.next[AFTER_COMMIT] = CommitUnknown("lost")
    with pytest.raises(CommitUnknown):
        await store.commit(everything(epoch))
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == []


@pytest.mark.parametrize(
    "twice", [{"journal": [journal_row(1)]}, {"orders": [order_row(1), order_row(1)]}], ids=["journal row", "order"]
)
async def test_a_key_that_comes_twice_is_a_bug(twice: dict[str, Any]) -> None:
    store = MemoryStore()
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch))
    with pytest.raises(AssertionError):
        await store.commit(batch(epoch, 1, **twice))
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == []


async def test_a_writer_is_told_its_own_epoch_even_if_another_began_while_the_answer_was_on_its_way() -> None:
    """Two writers once had the same epoch, and both could commit."""

    class Slow(Fate):
        arrives = asyncio.Event()

        async def at(self, point: str) -> None:
            if point == AFTER_EPOCH:
                await self.arrives.wait()

    database = MemoryDatabase()
    beginning = asyncio.create_task(MemoryStore(database, Slow()).begin_epoch(0))
    await asyncio.sleep(0)
    newer = await MemoryStore(database).begin_epoch(0)
    Slow.arrives.set()
    assert ((await beginning).number, newer.number) == (1, 2)
