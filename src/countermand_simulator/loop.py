"""An event loop under virtual time: it never waits, time leaps to whatever is due next.

Nothing in it depends on the machine: no sockets, no threads, no signals. Tasks can belong to a `TaskGroup`, a part of
the simulated world that can be paused as a whole and dropped as a whole, as a process can be stopped and killed.
"""

import asyncio
from asyncio import base_events
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from heapq import heapify, heappop, heappush
from typing import Any, Final, TypeVar, TypeVarTuple, cast

_RESOLUTION_S: Final = 1e-9
_MANY: Final = 100
_MOSTLY: Final = 0.5
"""Of so many timers, cancelled ones are dropped when they are more than this part."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Deadlock(Exception):
    """Nothing is ready and nothing is scheduled: every waiter would wait for ever."""


class TaskGroup:
    """What runs together, and stops together. Tasks that its tasks start belong to it too."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: dict[asyncio.Task[Any], None] = {}
        """All that run, and some that are done."""
        self._many = _MANY
        self._paused = False
        self._parked: list[tuple[asyncio.Handle, Callable[..., object], tuple[Any, ...], Context]] = []

    def note(self, task: asyncio.Task[Any]) -> None:
        """It is one of them from here on. Those that are done are forgotten in time."""
        self.tasks[task] = None
        if len(self.tasks) > self._many:
            self.tasks = {each: None for each in self.tasks if not each.done()}
            self._many = max(_MANY, 2 * len(self.tasks))

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


class _Handle(asyncio.Handle):
    """The base asks each time whether the loop is in debug mode."""

    __slots__ = ()
    _context: Context
    _callback: Callable[..., object]
    _args: tuple[Any, ...]
    _cancelled: bool

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], loop: "VirtualLoop", context: Context
    ) -> None:
        self._context = context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class _TimerHandle(asyncio.TimerHandle):
    __slots__ = ()
    _context: Context
    _callback: Callable[..., object]
    _args: tuple[Any, ...]
    _cancelled: bool
    _when: float
    _scheduled: bool

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: "VirtualLoop",
        context: Context,
    ) -> None:
        self._context = context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when
        self._scheduled = True

    def __lt__(self, other: "_TimerHandle") -> bool:  # type: ignore[override]
        return self._when < other._when


class VirtualLoop(base_events.BaseEventLoop):
    """It overrides what a run spends most of its time in: there is no selector, and nothing comes from outside."""

    _ready: deque[_Handle | _TimerHandle]
    _scheduled: list[_TimerHandle]
    _stopping: bool
    _timer_cancelled_count: int

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        """Seconds since the beginning of the simulation."""
        return self._now

    # --- what is to run

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if context is None:
            context = copy_context()
        handle = _Handle(callback, args, self, context)
        freight = context.get(_FREIGHT)
        if freight is not None and freight.is_paused:
            freight.park(handle, callback, args, context)
        else:
            self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = _TimerHandle(when, callback, args, self, copy_context() if context is None else context)
        heappush(self._scheduled, handle)
        return handle

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """Notes which freight it belongs to."""
        named = None if name is None else str(name)
        task = asyncio.Task(cast(Coroutine[Any, Any, T], coro), loop=self, name=named, context=context)
        freight = _FREIGHT.get() if context is None else context.get(_FREIGHT)
        if freight is not None:
            freight.note(task)
        return task

    # --- running it

    def _run_once(self) -> None:
        """All that is ready now, once, after time has moved on if there was nothing."""
        self._drop_cancelled()
        ready, scheduled = self._ready, self._scheduled
        if not ready and not self._stopping:
            if not scheduled:
                raise Deadlock("nothing is ready and nothing is scheduled")
            self._now += max(0.0, scheduled[0]._when - self._now)
        end = self._now + _RESOLUTION_S
        while scheduled and scheduled[0]._when < end:
            timer = heappop(scheduled)
            timer._scheduled = False
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                try:
                    handle._context.run(handle._callback, *handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001  As the base does.
                    self.call_exception_handler({"message": "a callback failed", "exception": error, "handle": handle})

    def _drop_cancelled(self) -> None:
        scheduled = self._scheduled
        if len(scheduled) > _MANY and self._timer_cancelled_count / len(scheduled) > _MOSTLY:
            left = [timer for timer in scheduled if not timer._cancelled]
            for timer in scheduled:
                timer._scheduled = not timer._cancelled
            heapify(left)
            self._scheduled = left
            self._timer_cancelled_count = 0
            return
        while scheduled and scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1
            heappop(scheduled)._scheduled = False

    def _write_to_self(self) -> None:
        raise RuntimeError("a thread spoke to the simulation")


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
