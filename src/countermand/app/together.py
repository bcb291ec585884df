"""Runs the tasks of a venue side by side, and ends them together."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import structlog

_AGAIN_S: Final = 0.25
_TIMES_MAX: Final = 20

_log: Final = structlog.get_logger("countermand")


async def together(
    main: Coroutine[Any, Any, None], background: Sequence[Coroutine[Any, Any, None]], stop: asyncio.Event
) -> None:
    """Runs until `main` has ended. When something fails, `stop` is set, by which `main` ends, too, in good order.

    Raises a group of all that failed. Not `asyncio.TaskGroup`: that cancels each task once and then waits for ever, and
    a cancel can get lost in a library that was just done with what it waited for.
    """
    leading = asyncio.create_task(main)
    others = [asyncio.create_task(each) for each in background]
    try:
        await _first_end(leading, others)
        stop.set()
        await _ended(others)
        await asyncio.wait([leading])
    finally:
        stop.set()
        await _ended([leading, *others])
    failures = [failure for task in (leading, *others) if (failure := _failure_of(task)) is not None]
    if failures:
        raise BaseExceptionGroup("the venue ended", failures)


async def _first_end(leading: "asyncio.Task[None]", others: "list[asyncio.Task[None]]") -> None:
    """Returns when the leading one has ended, or another one has failed."""
    running = {leading, *others}
    while not leading.done():
        ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        if any(_failure_of(task) is not None for task in ended):
            return


async def _ended(tasks: "list[asyncio.Task[None]]") -> None:
    for _ in range(_TIMES_MAX):
        left = [task for task in tasks if not task.done()]
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=_AGAIN_S)
    _log.error("tasks do not end, and are left alone", tasks=[repr(task.get_coro()) for task in left])


def _failure_of(task: "asyncio.Task[None]") -> BaseException | None:
    return None if not task.done() or task.cancelled() else task.exception()
