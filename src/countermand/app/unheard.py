"""What fails in a task that no other waits for any more."""

import asyncio
from typing import Any, Final

import structlog

from countermand.store.connections import LOST, describe

_log: Final = structlog.get_logger("countermand")


def quieten(loop: asyncio.AbstractEventLoop) -> None:
    """A read whose asker was cancelled may lose its connection when a start or a stop closes all: that is no news.

    Without this asyncio would write it to the log with a traceback, beside the one line that says why a start ended.
    """
    loop.set_exception_handler(_on_unheard)


def _on_unheard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    problem = context.get("exception")
    if isinstance(problem, LOST):
        _log.debug("a connection was lost that no task waits for", reason=describe(problem))
    else:
        loop.default_exception_handler(context)
