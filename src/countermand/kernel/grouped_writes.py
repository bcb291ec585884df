"""Writes that belong to no shard, made together: one batch is under way at a time, what comes meanwhile is the next.

They say nothing that a later writer could contradict, so no fence guards them: a row that is there already stays.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from msgspec import Struct

from countermand.gathering import gathered
from countermand.kernel.ports import CommitUnknown, Unavailable

Row = TypeVar("Row")

ROWS_MAX: Final = 1_000
"""In one batch, unless a single caller brings more."""


class _Waiting(Struct, Generic[Row], eq=False):
    rows: Sequence[Row]
    written: "asyncio.Future[None]"


class GroupedWrites(Generic[Row]):
    """`write` writes all rows or none. What it raises, `Unavailable` or `CommitUnknown`, each caller of `add` gets."""

    def __init__(self, write: Callable[[Sequence[Row]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[_Waiting[Row]] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, rows: Sequence[Row]) -> None:
        """The rows are stored when it returns."""
        if not rows:
            return
        waiting = _Waiting(rows, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await asyncio.shield(waiting.written)

    async def _write_all(self) -> None:
        batch: list[_Waiting[Row]] = []
        try:
            while self._waiting:
                await gathered(lambda: len(self._waiting))
                batch = self._take()
                await self._write_batch(batch)
        finally:
            self._writing = None
            for each in (*batch, *self._waiting):
                each.written.cancel()  # The loop ends.

    def _take(self) -> list[_Waiting[Row]]:
        taken, rows = 0, 0
        for each in self._waiting:
            rows += len(each.rows)
            if taken and rows > ROWS_MAX:
                break
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch

    async def _write_batch(self, batch: Sequence[_Waiting[Row]]) -> None:
        try:
            await self._write([row for each in batch for row in each.rows])
        except (Unavailable, CommitUnknown) as away:
            for each in batch:
                _fail(each.written, away)
        except Exception as problem:  # noqa: BLE001  Each caller is told of what its own rows do.
            if len(batch) == 1:
                _fail(batch[0].written, problem)
                return
            for each in batch:
                await self._write_batch([each])
        else:
            for each in batch:
                if not each.written.done():
                    each.written.set_result(None)


def _fail(written: "asyncio.Future[None]", problem: Exception) -> None:
    if not written.done():
        written.set_exception(problem)
        written.exception()  # Its caller may have left.
