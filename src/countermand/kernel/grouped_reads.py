"""Reads of the store by key, made together: one batch is under way at a time, what is asked meanwhile is the next."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from countermand.kernel.ports import Unavailable

Key = TypeVar("Key")
Found = TypeVar("Found")

KEYS_MAX: Final = 1_000
"""In one batch."""


class GroupedReads(Generic[Key, Found]):
    """A read starts only after it was asked for, so it shows all that was committed before. Absence is not remembered.

    `read` answers with those keys that there are.
    """

    def __init__(self, read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Found]]]) -> None:
        self._read = read
        self._waiting: dict[Key, asyncio.Future[Found | None]] = {}
        self._under_way: dict[Key, asyncio.Future[Found | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    def is_asked(self, key: Key) -> bool:
        """Somewhere an answer for it is waited for."""
        return key in self._waiting or key in self._under_way

    async def ask(self, key: Key) -> Found | None:
        """Raises what the read raises: `Unavailable`."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all())
        return await asyncio.shield(future)

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:KEYS_MAX]
                self._under_way = {key: self._waiting.pop(key) for key in keys}
                await self._read_batch(keys)
                self._under_way = {}
        finally:
            self._reading = None
            for future in (*self._under_way.values(), *self._waiting.values()):
                future.cancel()  # The loop ends.

    async def _read_batch(self, keys: Sequence[Key]) -> None:
        try:
            found = await self._read(keys)
        except Unavailable as away:
            for key in keys:
                _fail(self._under_way[key], away)
        except Exception as problem:  # noqa: BLE001  Each caller is told of what its own key does.
            if len(keys) == 1:
                _fail(self._under_way[keys[0]], problem)
                return
            for key in keys:
                await self._read_batch([key])
        else:
            for key in keys:
                future = self._under_way[key]
                if not future.done():
                    future.set_result(found.get(key))


def _fail(future: "asyncio.Future[Found | None]", problem: Exception) -> None:
    if not future.done():
        future.set_exception(problem)
        future.exception()  # Its asker may have left.
