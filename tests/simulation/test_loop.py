"""Time is virtual, and what runs together stops together."""

import asyncio
import time

import pytest

from countermand_simulator import loop
from countermand_simulator.loop import Deadlock, TaskGroup


def now() -> float:
    return asyncio.get_running_loop().time()


def test_hours_pass_in_no_time() -> None:
    async def sleeps() -> float:
        await asyncio.sleep(3_600)
        async with asyncio.TaskGroup() as group:
            for hours in (3, 1, 2):
                group.create_task(asyncio.sleep(3_600 * hours))
        return now()

    began = time.perf_counter()
    assert loop.run(sleeps()) == 4 * 3_600
    assert time.perf_counter() - began < 1


def test_a_timeout_fires_at_its_time() -> None:
    async def waits() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await asyncio.Event().wait()
        return now()

    assert loop.run(waits()) == pytest.approx(0.3)


def test_a_semaphore_lets_in_one_after_the_other() -> None:
    async def works() -> list[tuple[int, float]]:
        door, seen = asyncio.Semaphore(1), list[tuple[int, float]]()

        async def one(number: int) -> None:
            async with door:
                seen.append((number, now()))
                await asyncio.sleep(1)

        await asyncio.gather(*(one(number) for number in range(3)))
        return seen

    assert loop.run(works()) == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_waiting_for_nothing_is_a_deadlock() -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        loop.run(waits())


async def _ticks(seen: list[float]) -> None:
    while True:
        await asyncio.sleep(1)
        seen.append(now())


def test_what_is_paused_does_nothing_until_it_wakes() -> None:
    async def scene() -> list[float]:
        group, seen = TaskGroup("one"), list[float]()
        group.start(_ticks(seen))
        await asyncio.sleep(1.5)
        group.pause()
        await asyncio.sleep(10)
        assert seen == [1.0]
        group.wake()
        await asyncio.sleep(1.5)
        return seen

    assert loop.run(scene()) == [1.0, 11.5, 12.5]


def test_what_is_dropped_is_gone_with_all_that_it_started() -> None:
    async def scene() -> list[float]:
        group, seen = TaskGroup("one"), list[float]()

        async def parent() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(_ticks(seen))

        group.start(parent())
        await asyncio.sleep(1.5)
        group.pause()
        group.drop()
        await asyncio.sleep(5)
        assert all(task.done() for task in group.tasks)
        return seen

    assert loop.run(scene()) == [1.0]
