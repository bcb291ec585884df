"""Fair shares of the event loop for work that holds it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """After `budget_ns` of work in one turn of the loop, more work waits for the next turn."""

    def __init__(self, budget_ns: int, stopwatch: Callable[[], int]) -> None:
        self._budget_ns = budget_ns
        self._stopwatch = stopwatch
        self._worked_ns = 0
        self._next = asyncio.Event()

    async def mine(self) -> None:
        """Returns when there is time left in this turn."""
        while self._worked_ns >= self._budget_ns:
            await self._next.wait()

    @contextmanager
    def work(self) -> Iterator[None]:
        if self._worked_ns == 0:
            asyncio.get_running_loop().call_soon(self._begin)
        began = self._stopwatch()
        try:
            yield
        finally:
            self._worked_ns += max(1, self._stopwatch() - began)

    def _begin(self) -> None:
        self._worked_ns = 0
        self._next.set()
        self._next = asyncio.Event()
