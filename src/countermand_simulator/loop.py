"""An event loop under virtual time: it never waits, time leaps to whatever is due next.

Nothing in it depends on the machine: no sockets, no threads, no signals. Tasks can belong to a `TaskGroup`, a part of
the simulated world that can be paused as a whole and dropped as a whole, as a process can be stopped and killed.
"""

import asyncio
import contextlib
import gc
from asyncio import base_events
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextvars import Context, ContextVar, copy_context
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, Final, TypeVar, TypeVarTuple, cast

_RESOLUTION_S: Final = 1e-9
_MANY: Final = 100
_MOSTLY: Final = 0.5
"""Of so many timers, cancelled ones are dropped when they are more than this part."""
_YOUNG_OBJECTS: Final = 50_000

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
        context.run(_TASK_GROUP.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    @property
    def is_paused(self) -> bool:
        return self._paused

    def pause(self) -> None:
        """Nothing of it runs from here on; time goes on without it."""
        if not self._paused:
            self._paused = True
            running().paused += 1

    def wake(self) -> None:
        """It goes on where it was, and finds that time has passed."""
        loop = running()
        if self._paused:
            self._paused = False
            loop.paused -= 1
        parked, self._parked = self._parked, []
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


_TASK_GROUP: Final[ContextVar[TaskGroup | None]] = ContextVar("group", default=None)


class _Handle(asyncio.Handle):
    """The base asks each time whether the loop is in debug mode."""

    __slots__ = ()
    _context: Context
    _callback: Callable[..., object]
    _args: tuple[Any, ...]
    _cancelled: bool

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self._context = context
        self._callback = callback
        self._args = args
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True


class _TimerHandle(asyncio.TimerHandle):
    __slots__ = ()
    _context: Context
    _callback: Callable[..., object]
    _args: tuple[Any, ...]
    _cancelled: bool
    _loop: "VirtualLoop"
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
        self._when = when
        self._scheduled = True

    def cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            if self._scheduled:
                self._loop.timer_cancelled()


class VirtualLoop(base_events.BaseEventLoop):
    """It overrides what a run spends most of its time in: there is no selector, and nothing comes from outside."""

    _ready: deque[_Handle | _TimerHandle]
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self.paused = 0
        """So many task groups are."""
        self._now = 0.0
        self._timers: list[tuple[float, int, _TimerHandle]] = []
        """A heap by time. Of those for the same time, the oldest comes first."""
        self._timed = 0
        self._cancelled = 0
        """Of the timers in the heap."""

    def time(self) -> float:
        """Seconds since the beginning of the simulation."""
        return self._now

    # --- what is to run

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if context is None:
            context = copy_context()
        handle = _Handle(callback, args, context)
        if self.paused:
            group = context.get(_TASK_GROUP)
            if group is not None and group.is_paused:
                group.park(handle, callback, args, context)
                return handle
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
        self._timed += 1
        heappush(self._timers, (when, self._timed, handle))
        return handle

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """Notes which group it belongs to."""
        named = None if name is None else str(name)
        task = asyncio.Task(cast(Coroutine[Any, Any, T], coro), loop=self, name=named, context=context)
        group = _TASK_GROUP.get() if context is None else context.get(_TASK_GROUP)
        if group is not None:
            group.note(task)
        return task

    def timer_cancelled(self) -> None:
        """One in the heap. When most are, they are dropped."""
        self._cancelled += 1
        if self._cancelled > max(_MANY, _MOSTLY * len(self._timers)):
            self._timers = [timed for timed in self._timers if not timed[2]._cancelled]
            heapify(self._timers)
            self._cancelled = 0

    # --- running it

    def _run_once(self) -> None:
        """All that there is to run, until the loop is to stop. Time moves on whenever nothing is ready."""
        ready = self._ready
        while not self._stopping:
            if not ready:
                self._pass_time()
            handle = ready.popleft()
            if not handle._cancelled:
                try:
                    handle._context.run(handle._callback, *handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001  As the base does.
                    self.call_exception_handler({"message": "a callback failed", "exception": error})

    def _pass_time(self) -> None:
        """Until the next timer is due, and all others that are due then."""
        ready, timers, end = self._ready, self._timers, inf
        while timers and timers[0][0] < end:
            when, _, timer = heappop(timers)
            if timer._cancelled:
                self._cancelled -= 1
                continue
            timer._scheduled = False
            if not ready:
                self._now = max(self._now, when)
                end = self._now + _RESOLUTION_S
            ready.append(timer)
        if not ready:
            raise Deadlock("nothing is ready and nothing is scheduled")

    def leaps(self, delay_s: float) -> bool:
        """If nothing else happens meanwhile, so much time passes at once, and it returns True."""
        until = self._now + delay_s
        if self._ready or (self._timers and self._timers[0][0] < until + _RESOLUTION_S):
            return False
        self._now = until
        return True

    def close(self) -> None:
        super().close()
        self._timers.clear()

    def _write_to_self(self) -> None:
        raise RuntimeError("a thread spoke to the simulation")


async def sleep(delay_s: float) -> None:
    """As `asyncio.sleep`, without a timer if nothing else happens meanwhile."""
    if not running().leaps(delay_s):
        await asyncio.sleep(delay_s)


def running() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs the work under virtual time, from zero. What is still running when it ends is cancelled."""
    loop = VirtualLoop()
    with _garbage_looked_for_seldom():
        try:
            asyncio.set_event_loop(loop)
            return loop.run_until_complete(work)
        finally:
            _cancel_all(loop)
            asyncio.set_event_loop(None)
            loop.close()


@contextlib.contextmanager
def _garbage_looked_for_seldom() -> Iterator[None]:
    """A run leaves little behind: else a tenth of its time went into looking."""
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _cancel_all(loop: VirtualLoop) -> None:
    left = [task for task in asyncio.all_tasks(loop) if not task.done()]
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
