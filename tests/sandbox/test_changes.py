"""What replaces the whole sandbox goes on alone, and changes go on side by side."""

import asyncio

import pytest

from countermand.kernel.ports import Unavailable
from countermand.sandbox.changes import RunningChanges


async def a_moment() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Told:
    def __init__(self) -> None:
        self.changes = RunningChanges()
        self.lines: list[str] = []
        self.ends = {name: asyncio.Event() for name in ("a", "b", "reset")}

    async def change(self, name: str) -> None:
        async with self.changes.one():
            await self._lives(name)

    async def reset(self) -> None:
        async with self.changes.of_everything():
            await self._lives("reset")

    async def _lives(self, name: str) -> None:
        self.lines.append(f"{name} begins")
        await self.ends[name].wait()
        self.lines.append(f"{name} ends")


async def test_a_reset_waits_for_all_changes_and_the_next_ones_for_it() -> None:
    told = Told()
    first = [asyncio.create_task(told.change("a"))]
    await a_moment()
    first.append(asyncio.create_task(told.reset()))
    await a_moment()
    first.append(asyncio.create_task(told.change("b")))
    await a_moment()
    assert told.lines == ["a begins"]
    for name, so_far in (("a", ["a ends", "reset begins"]), ("reset", ["reset ends", "b begins"]), ("b", ["b ends"])):
        seen = len(told.lines)
        told.ends[name].set()
        await a_moment()
        assert told.lines[seen:] == so_far
    await asyncio.gather(*first)


async def test_it_is_not_idle_while_one_waits_for_its_turn() -> None:
    """A price that waits for a snapshot is about to be set. Settling did not see it, and said that nothing was."""
    told = Told()
    both = [asyncio.create_task(told.reset())]
    await a_moment()
    assert not told.changes.is_idle()
    both.append(asyncio.create_task(told.change("a")))
    await a_moment()
    told.ends["reset"].set()
    while told.lines[-1] != "a begins":
        assert not told.changes.is_idle()
        await asyncio.sleep(0)
    told.ends["a"].set()
    await asyncio.gather(*both)
    assert told.changes.is_idle()


async def test_changes_go_on_side_by_side() -> None:
    told = Told()
    both = [asyncio.create_task(told.change(name)) for name in ("a", "b")]
    await a_moment()
    assert told.lines == ["a begins", "b begins"]
    for end in told.ends.values():
        end.set()
    await asyncio.gather(*both)


async def test_a_change_that_fails_holds_up_nothing() -> None:
    told = Told()
    with pytest.raises(KeyError):
        await told.change("no such name")
    told.ends["reset"].set()
    await told.reset()


async def test_after_a_half_nothing_goes_on_but_another_replacement() -> None:
    changes = RunningChanges()
    changes.cut_short = "a half"
    assert changes.half_because() == "a half"
    for refused in (changes.one(), changes.of_everything()):
        with pytest.raises(Unavailable, match="a half"):
            async with refused:
                pass
    async with changes.replacing():
        assert changes.half_because() is None
        changes.cut_short = None
    async with changes.one():
        assert changes.half_because() is None
