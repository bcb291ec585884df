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

    A task that has used its turn goes behind those that wait, so that long work does not delay short work. Only the
    first of those that wait is woken: what a turn costs does not depend on how many they are.
    """

    def __init__(self, budget_ns: int, stopwatch: Callable[[], int]) -> None:
        self._budget_ns = budget_ns
        self._stopwatch = stopwatch
        self._worked_ns = 0
        self._begins_soon = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._called: asyncio.Future[None] | None = None
        """That of the task that was woken and has not come yet."""
        self._at_leisure: list[asyncio.Future[None]] = []

    async def mine(self) -> None:
        """Returns when there is time left in this turn, and no task has waited longer."""
        if self._is_free:
            return
        call = asyncio.get_running_loop().create_future()
        self._waiting.append(call)
        try:
            await call
        finally:
            if self._called is call:
                self._called = None
                # After what the task does next; and even if that is no work, or if it was cancelled.
                asyncio.get_running_loop().call_soon(self._call_next)

    async def leisure(self) -> None:
        """Returns in a turn in which nothing else waits for work: for what must not come before others.

        Where there is none for `LEISURE_TURNS`, it goes behind those that wait then: it must come in the end.
        """
        for _ in range(LEISURE_TURNS):
            if self._is_free:
                return
            turn = asyncio.get_running_loop().create_future()
            self._at_leisure.append(turn)
            self._begin_soon()
            await turn
        await self.mine()

    @property
    def _is_free(self) -> bool:
        return self._worked_ns < self._budget_ns and not self._waiting and self._called is None

    @contextmanager
    def work(self) -> Iterator[None]:
        self._begin_soon()
        began = self._stopwatch()
        try:
            yield
        finally:
            self._worked_ns += max(1, self._stopwatch() - began)
            self._call_next()

    def _begin_soon(self) -> None:
        if not self._begins_soon:
            self._begins_soon = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._begins_soon = False
        self._worked_ns = 0
        self._call_next()
        at_leisure, self._at_leisure = self._at_leisure, []
        for turn in at_leisure:
            if not turn.done():
                turn.set_result(None)

    def _call_next(self) -> None:
        while self._waiting and self._called is None and self._worked_ns < self._budget_ns:
            call = self._waiting.popleft()
            if not call.done():  # Else it was cancelled.
                self._called = call
                call.set_result(None)
