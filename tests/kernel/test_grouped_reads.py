"""Reads that are made together: none is older than it was asked for, and each gets its own answer."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from countermand.kernel.grouped_reads import GroupedReads
from countermand.kernel.ports import Unavailable


class Stored:
    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.batches: list[list[str]] = []
        self.held: asyncio.Event | None = None
        self.failing: Exception | None = None

    async def read(self, keys: Sequence[str]) -> Mapping[str, int]:
        self.batches.append(list(keys))
        found = {key: self.values[key] for key in keys if key in self.values}
        if self.held is not None:
            await self.held.wait()
        if self.failing is not None:
            raise self.failing
        if "poison" in keys:
            raise ValueError("poison")
        return found


async def test_what_is_asked_while_a_batch_is_under_way_is_the_next_batch() -> None:
    store = Stored()
    reads = GroupedReads(store.read)
    store.held = asyncio.Event()
    first = asyncio.create_task(reads.ask("a"))
    await asyncio.sleep(0.001)
    store.values["a"] = 1
    others = [asyncio.create_task(reads.ask(key)) for key in ("a", "b", "a")]
    await asyncio.sleep(0.001)
    assert reads.is_asked("b")
    store.held.set()
    assert await first is None, "it was read before it was written"
    assert await asyncio.gather(*others) == [1, None, 1]
    assert store.batches == [["a"], ["a", "b"]]
    assert not reads.is_asked("a")


async def test_absence_is_not_remembered() -> None:
    store = Stored()
    reads = GroupedReads(store.read)
    assert await reads.ask("a") is None
    store.values["a"] = 1
    assert await reads.ask("a") == 1


async def test_a_store_that_is_away_is_told_to_all_and_asked_again() -> None:
    store = Stored()
    reads = GroupedReads(store.read)
    store.failing = Unavailable("away")
    told = await asyncio.gather(*(reads.ask(key) for key in "ab"), return_exceptions=True)
    assert [type(each) for each in told] == [Unavailable, Unavailable]
    store.failing = None
    store.values["a"] = 1
    assert await reads.ask("a") == 1


async def test_a_key_that_cannot_be_read_spoils_no_other() -> None:
    store = Stored()
    reads = GroupedReads(store.read)
    store.values.update(a=1, b=2)
    told = await asyncio.gather(*(reads.ask(key) for key in ("a", "poison", "b")), return_exceptions=True)
    assert (told[0], type(told[1]), told[2]) == (1, ValueError, 2)


async def test_a_caller_who_leaves_takes_nothing_with_it() -> None:
    store = Stored()
    reads = GroupedReads(store.read)
    store.held, store.values["a"] = asyncio.Event(), 1
    leaving, staying = asyncio.create_task(reads.ask("a")), asyncio.create_task(reads.ask("a"))
    await asyncio.sleep(0.001)
    leaving.cancel()
    store.held.set()
    assert await staying == 1
    with pytest.raises(asyncio.CancelledError):
        await leaving
