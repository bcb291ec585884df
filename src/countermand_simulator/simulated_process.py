"""A process of the simulated world: it can die, freeze, wake up and be replaced, and its connections break with it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, Self, TypeVar

from countermand.kernel.ports import CommitUnknown, Unavailable, WriterReplaced
from countermand_simulator.loop import TaskGroup

T = TypeVar("T")


class ProcessObserver(Protocol):
    """Who is told what becomes of it."""

    def process_ended(self, process: Any, why: str) -> None: ...

    def woke(self, process: Any, /) -> None: ...

    def is_bug(self, who: str, error: BaseException) -> None: ...


class Gone(Exception):
    """The connection broke: the outcome of the request is unknown."""


class SimulatedProcess(ABC):
    def __init__(self, name: str, shore: ProcessObserver) -> None:
        self.name = name
        self.is_alive = True
        self._shore = shore
        self._freight = TaskGroup(name)
        self._open: dict[asyncio.Future[Any], None] = {}

    @abstractmethod
    async def live(self) -> None:
        """All that it does by itself. It raises `WriterReplaced` when another process took over."""

    def start(self) -> None:
        self._also(self.live())

    def _also(self, work: Coroutine[Any, Any, None]) -> None:
        """The end of one is the end of all."""
        self._freight.start(work).add_done_callback(self._stopped)

    @property
    def is_paused(self) -> bool:
        return self._freight.is_paused

    def pause(self) -> None:
        self._freight.pause()

    def wake(self) -> None:
        self._freight.wake()
        self._shore.woke(self)

    def die(self, where: str) -> None:
        """Everything that is in memory is gone, and every connection is cut."""
        if not self.is_alive:
            return
        self.is_alive = False
        self._freight.drop()
        for answer in self._open:
            _fail(answer, Gone(f"{self.name} died {where}"))
        self._shore.process_ended(self, where)

    async def handle(
        self,
        work: Callable[[Self], Coroutine[Any, Any, T]],
        hang_up_ms: int | None = None,
        patience_s: float | None = None,
    ) -> T:
        """Runs a request in the process. Raises `Gone` if it dies meanwhile, or if the client hangs up.

        After `patience_s` the client waits no more, which raises `TimeoutError`, and the request goes on.
        """
        if not self.is_alive:
            raise Gone(f"{self.name} is not there")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._open[answer] = None
        task = self._freight.start(work(self))
        task.add_done_callback(lambda done: self._answered(done, answer))
        timers = []
        if hang_up_ms is not None:
            timers.append(loop.call_later(hang_up_ms / 1000, _hang_up, task, answer))
        if patience_s is not None:
            timers.append(loop.call_later(patience_s, _fail, answer, TimeoutError()))
        try:
            return await answer
        finally:
            self._open.pop(answer, None)
            for timer in timers:
                timer.cancel()

    def _answered(self, task: asyncio.Task[T], answer: asyncio.Future[T]) -> None:
        if task.cancelled() or not self.is_alive:
            return
        error = task.exception()
        if not isinstance(error, Unavailable | CommitUnknown | None):
            self._shore.is_bug(self.name, error)
        if answer.done():
            return
        if error is None:
            answer.set_result(task.result())
        else:
            answer.set_exception(error)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or not self.is_alive:
            return
        error = task.exception()
        if isinstance(error, WriterReplaced):
            self.die(f"replaced: {error}")
        elif error is not None:
            self._shore.is_bug(self.name, error)


def _hang_up(task: asyncio.Task[Any], answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        task.cancel()
        _fail(answer, Gone("the client hung up"))


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
