"""Changes of a sandbox go on side by side; what replaces all of it, such as a reset, goes on alone."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from countermand.kernel.ports import Unavailable


class RunningChanges:
    """A change that went on through a reset would leave a half of itself in the new sandbox."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._asked = 0
        self._under_way = 0
        self._none = asyncio.Event()
        self._none.set()
        self._whole = asyncio.Event()
        self._whole.set()
        self.cut_short: str | None = None
        """What failed half way through a replacement, for users. Until one succeeds nothing else goes on."""

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Begins once nothing replaces the sandbox. Raises `Unavailable` if a half of it was replaced."""
        with self._counted():
            async with self._turn:
                self._refuse_halves()
                self._under_way += 1
                self._none.clear()
            try:
                yield
            finally:
                self._under_way -= 1
                if not self._under_way:
                    self._none.set()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._asked += 1
        try:
            yield
        finally:
            self._asked -= 1

    def is_idle(self) -> bool:
        """Nothing is under way, and nothing waits for its turn."""
        return not self._asked

    @asynccontextmanager
    async def of_everything(self) -> AsyncIterator[None]:
        """Begins once all changes have ended; the next ones wait until it has. May raise `Unavailable`, like `one`."""
        async with self._alone():
            self._refuse_halves()
            yield

    @asynccontextmanager
    async def replacing(self) -> AsyncIterator[None]:
        """Alone, too, and meanwhile the sandbox is not whole: prices, chain and orders are replaced one by one.

        What begins sets `cut_short` before the first of them, and clears it after the last.
        """
        async with self._alone():
            self._whole.clear()
            try:
                yield
            finally:
                self._whole.set()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        with self._counted():
            async with self._turn:
                await self._none.wait()
                yield

    def half_because(self) -> str | None:
        """`cut_short`, unless the sandbox is being replaced again."""
        return self.cut_short if self._whole.is_set() else None

    def _refuse_halves(self) -> None:
        if self.cut_short is not None:
            raise Unavailable(self.cut_short)

    async def until_whole(self, patience_s: float) -> None:
        """Returns once the sandbox is not being replaced, or after so long."""
        if not self._whole.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._whole.wait()
