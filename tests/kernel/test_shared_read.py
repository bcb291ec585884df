"""One read for all who ask at the same time, and none that is older than the question."""

import asyncio
import gc

import pytest

from countermand.kernel.ports import Unavailable
from countermand.kernel.shared_read import SharedRead
from tests.orders.trigger.stubs import quiet, under_virtual_time


class Slow:
    """Counts its reads; each ends when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Semaphore(0)
        self.rains = False

    async def read(self) -> int:
        self.begun += 1
        number = self.begun
        await self.go.acquire()
        if self.rains:
            raise Unavailable("it rains")
        return number


@under_virtual_time
async def test_those_who_come_while_a_read_is_under_way_share_the_next_one() -> None:
    slow = Slow()
    shared = SharedRead(slow.read)
    first = [asyncio.create_task(shared.ask()) for _ in range(3)]
    await quiet()
    later = [asyncio.create_task(shared.ask()) for _ in range(3)]
    await quiet()
    assert slow.begun == 1
    slow.go.release()
    assert await asyncio.gather(*first) == [1, 1, 1]
    await quiet()
    assert slow.begun == 2
    slow.go.release()
    assert await asyncio.gather(*later) == [2, 2, 2]


@under_virtual_time
async def test_a_read_that_fails_is_told_to_those_who_wait_for_it_and_the_next_one_is_tried() -> None:
    slow = Slow()
    shared = SharedRead(slow.read)
    first = asyncio.create_task(shared.ask())
    await quiet()
    later = asyncio.create_task(shared.ask())
    await quiet()
    slow.rains = True
    slow.go.release()
    with pytest.raises(Unavailable):
        await first
    slow.rains = False
    slow.go.release()
    assert await later == 2


@under_virtual_time
async def test_a_caller_that_gives_up_does_not_end_the_read_of_another() -> None:
    slow = Slow()
    shared = SharedRead(slow.read)
    impatient, patient = asyncio.create_task(shared.ask()), asyncio.create_task(shared.ask())
    await quiet()
    impatient.cancel()
    slow.go.release()
    assert await patient == 1


async def test_a_failure_that_is_not_waited_for_any_more_is_not_told_to_the_log() -> None:
    told: list[object] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: told.append(context))
    try:
        slow = Slow()
        slow.rains = True
        shared = SharedRead(slow.read)
        asker = asyncio.create_task(shared.ask())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asker.cancel()
        await asyncio.wait([asker])
        slow.go.release()
        for _ in range(5):
            await asyncio.sleep(0)
        del shared, slow
        gc.collect()
    finally:
        loop.set_exception_handler(before)
    assert told == []
