"""An event loop under virtual time: it never waits, time leaps to whatever is due next.

Nothing in it depends on the machine: no sockets, no threads, no signals. Tasks can belong to a `TaskGroup`, a part of
the simulated world that can be paused as a whole and dropped as a whole, as a process can be stopped and killed.
"""

import asyncio
from asyncio import base_events
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, TypeVar, TypeVarTuple, cast

_RESOLUTION_S: Final = 1e-9

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Deadlock(Exception):
    """Nothing is ready and nothing is scheduled: every waiter would wait for ever."""


class TaskGroup:
    """What runs together, and stops together. Tasks that its tasks start belong to it too."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self._paused = False
        self._parked: list[tuple[asyncio.Handle, Callable[..., object], tuple[Any, ...], Context]] = []

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        context = copy_context()
        context.run(_FREIGHT.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    @property
    def is_paused(self) -> bool:
        return self._paused

    def pause(self) -> None:
        """Nothing of it runs from here on; time goes on without it."""
        self._paused = True

    def wake(self) -> None:
        """It goes on where it was, and finds that time has passed."""
        self._paused = False
        parked, self._parked = self._parked, []
        loop = asyncio.get_running_loop()
        for handle, callback, args, context in parked:
            if not handle.cancelled():
                loop.call_soon(callback, *args, context=context)

    def drop(self) -> None:
        """Every task of it is cancelled. The caller must forbid what its tasks could do while they unwind."""
        self.wake()
        for task in tuple(self.tasks):
            task.cancel()

    def park(
        self, handle: asyncio.Handle, callback: Callable[..., object], args: tuple[Any, ...], context: Context
    ) -> None:
        self._parked.append((handle, callback, args, context))


_FREIGHT: Final[ContextVar[TaskGroup | None]] = ContextVar("freight", default=None)


def current_freight() -> TaskGroup | None:
    return _FREIGHT.get()


class _Leaping:
    """A selector without anything to select: instead of waiting it moves time on."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Deadlock("nothing is ready and nothing is scheduled")
        self.now += timeout
        return []

    def close(self) -> None:
        pass


class VirtualLoop(base_events.BaseEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._selector: Final = _Leaping()
        self._clock_resolution = _RESOLUTION_S
        self.set_task_factory(_Tasks())

    def time(self) -> float:
        """Seconds since the beginning of the simulation."""
        return self._selector.now

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if context is None:
            context = copy_context()
        freight = context.get(_FREIGHT)
        if freight is not None and freight.is_paused:
            handle = asyncio.Handle(callback, args, self, context)
            freight.park(handle, callback, args, context)
            return handle
        return super().call_soon(callback, *args, context=context)

    def _process_events(self, _events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        raise RuntimeError("a thread spoke to the simulation")


class _Tasks:
    """Makes the loop's tasks, and notes which freight they belong to."""

    def __call__(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T] | Generator[Any, None, T], /, **named: Any
    ) -> asyncio.Task[T]:
        task = asyncio.Task(cast(Coroutine[Any, Any, T], work), loop=loop, **named)
        context: Context | None = named.get("context")
        freight = _FREIGHT.get() if context is None else context.get(_FREIGHT)
        if freight is not None:
            freight.tasks[task] = None
            task.add_done_callback(lambda done: freight.tasks.pop(done, None))
        return task


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs the work under virtual time, from zero. What is still running when it ends is cancelled."""
    loop = VirtualLoop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(work)
    finally:
        _cancel_all(loop)
        asyncio.set_event_loop(None)
        loop.close()


def _cancel_all(loop: VirtualLoop) -> None:
    left = [task for task in asyncio.all_tasks(loop) if not task.done()]
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
