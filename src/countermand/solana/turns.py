"""Fair shares of the event loop for work that holds it."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

LEISURE_TURNS: Final = 100
"""Those that wait for leisure give so many turns to others, and no more."""


class Turns:
    """After `budget_ns` of work in one turn of the loop, more work waits for the next turn, and goes in its order.

    A task that has used its turn goes behind those that wait, so that long work does not delay short work.
    """

    def __init__(self, budget_ns: int, stopwatch: Callable[[], int]) -> None:
        self._budget_ns = budget_ns
        self._stopwatch = stopwatch
        self._worked_ns = 0
        self._next = asyncio.Event()
        self._turns = False
        self._waiting: deque[object] = deque()

    async def mine(self) -> None:
        """Returns when there is time left in this turn, and no task has waited longer."""
        if not self._waiting and self._worked_ns < self._budget_ns:
            return
        ticket = object()
        self._waiting.append(ticket)
        try:
            while self._worked_ns >= self._budget_ns or self._waiting[0] is not ticket:
                await self._next.wait()
        finally:
            self._waiting.remove(ticket)
            if self._waiting:  # Even if no task runs now.
                self._turn_soon()

    async def leisure(self) -> None:
        """Returns in a turn in which nothing else waits for work: for what must not come before others.

        Where there is none for `LEISURE_TURNS`, it goes behind those that wait then: it must come in the end.
        """
        for _ in range(LEISURE_TURNS):
            if not self._waiting and self._worked_ns < self._budget_ns:
                return
            await self._next.wait()
        await self.mine()

    @contextmanager
    def work(self) -> Iterator[None]:
        self._turn_soon()
        began = self._stopwatch()
        try:
            yield
        finally:
            self._worked_ns += max(1, self._stopwatch() - began)

    def _turn_soon(self) -> None:
        if not self._turns:
            self._turns = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._turns = False
        self._worked_ns = 0
        self._next.set()
        self._next = asyncio.Event()
