"""Writes that are made together: each caller is answered for its own rows, once they are stored."""

import asyncio
from collections.abc import Sequence

import pytest

from countermand.kernel.grouped_writes import ROWS_MAX, GroupedWrites
from countermand.kernel.ports import CommitUnknown


class Table:
    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_write = asyncio.Event()
        self.trouble: Exception | None = None
        self.spoilt: int | None = None
        self.asked = asyncio.Event()

    async def write(self, rows: Sequence[int]) -> None:
        self.asked.set()
        await self.may_write.wait()
        if self.trouble is not None:
            raise self.trouble
        if self.spoilt in rows:
            raise ValueError(f"{self.spoilt} cannot be stored")
        self.batches.append(list(rows))


async def test_what_comes_meanwhile_is_the_next_batch() -> None:
    table = Table()
    writes = GroupedWrites(table.write)
    adding = [asyncio.create_task(writes.add([number, 10 * number])) for number in (1, 2, 3)]
    await table.asked.wait()
    late = asyncio.create_task(writes.add([4]))
    await asyncio.sleep(0)
    assert not any(task.done() for task in (*adding, late))
    table.may_write.set()
    await asyncio.gather(*adding, late)
    assert table.batches == [[1, 10, 2, 20, 3, 30], [4]]
    await writes.add([])
    assert len(table.batches) == 2


async def test_a_batch_is_bounded_unless_one_caller_brings_more() -> None:
    table = Table()
    table.may_write.set()
    writes = GroupedWrites(table.write)
    many = list(range(ROWS_MAX + 1))
    await asyncio.gather(writes.add([1]), writes.add(many), writes.add([2]), writes.add([3]))
    assert table.batches == [[1], many, [2, 3]]


async def test_a_lost_answer_is_told_to_all_and_the_next_write_goes_on() -> None:
    table = Table()
    table.may_write.set()
    writes = GroupedWrites(table.write)
    table.trouble = CommitUnknown("lost")
    told = await asyncio.gather(writes.add([1]), writes.add([2]), return_exceptions=True)
    assert [type(each) for each in told] == [CommitUnknown, CommitUnknown]
    table.trouble = None
    await writes.add([3])
    assert table.batches == [[3]]


async def test_a_row_that_cannot_be_stored_is_told_to_its_caller_alone() -> None:
    table = Table()
    table.may_write.set()
    table.spoilt = 2
    writes = GroupedWrites(table.write)
    told = await asyncio.gather(*(writes.add([number]) for number in (1, 2, 3)), return_exceptions=True)
    assert [each if each is None else str(each) for each in told] == [None, "2 cannot be stored", None]
    assert table.batches == [[1], [3]]


async def test_a_caller_that_gives_up_leaves_its_rows_and_the_others() -> None:
    table = Table()
    writes = GroupedWrites(table.write)
    gives_up, stays = asyncio.create_task(writes.add([1])), asyncio.create_task(writes.add([2]))
    await asyncio.sleep(0)
    gives_up.cancel()
    table.may_write.set()
    await stays
    with pytest.raises(asyncio.CancelledError):
        await gives_up
    assert table.batches == [[1, 2]]


async def test_what_comes_a_turn_later_is_in_the_same_batch() -> None:
    table = Table()
    table.may_write.set()
    writes = GroupedWrites(table.write)
    first = asyncio.create_task(writes.add([1]))
    await asyncio.sleep(0)
    await asyncio.gather(first, writes.add([2]))
    assert table.batches == [[1, 2]]


async def test_where_many_wait_they_do_not_wait_for_more() -> None:
    table = Table()
    table.may_write.set()
    writes = GroupedWrites(table.write)
    many = [asyncio.create_task(writes.add([number])) for number in range(8)]
    await asyncio.sleep(0)
    await asyncio.gather(*many, writes.add([8]))
    assert table.batches == [list(range(8)), [8]]
