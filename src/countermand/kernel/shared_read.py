"""A read that many want at once, made once for all of them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from countermand.kernel.ports import Unavailable

T = TypeVar("T")


class SharedRead(Generic[T]):
    """A caller never gets what was read before it asked: during a read it gets the next one."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._under_way: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def ask(self) -> T:
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._under_way))
            # If all who asked have left, its failure is not looked at elsewhere.
            self._next.add_done_callback(lambda read: read.cancelled() or read.exception())
        return await asyncio.shield(self._next)

    async def _after(self, before: "asyncio.Task[T] | None") -> T:
        if before is not None:
            with contextlib.suppress(Unavailable):
                await before
        self._under_way, self._next = self._next, None
        return await self._read()
