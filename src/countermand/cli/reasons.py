"""Every command ends with a status that means one thing, and says why in one line."""

from collections.abc import Callable
from typing import Final, TypeVar

import structlog

from countermand.cli.endings import CANNOT_RUN, REPLACED, ending_of
from countermand.cli.failed import Failed
from countermand.settings import StartRefused

T = TypeVar("T")

_log: Final = structlog.get_logger("countermand")


def served(run: Callable[[], int]) -> int:
    """The status of what serves. A bug goes to the log with its traceback."""
    try:
        return run()
    except Exception as problem:
        ending = ending_of(problem)
        if ending.status == CANNOT_RUN:
            raise StartRefused(ending.line) from problem
        if ending.status == REPLACED:
            _log.error("this venue is served by another process now", reason=ending.line)
            return REPLACED
        _log.error("a bug ended the venue", reason=ending.line, exc_info=ending.bug)
        raise Failed(ending.line, ending.status) from problem


def examined(run: Callable[[], T], *, bug: int = CANNOT_RUN) -> T:
    """The status of what compares or explains. Its 1 means what it found, so for a bug it ends with `bug`."""
    try:
        return run()
    except StartRefused:
        raise
    except Exception as problem:
        ending = ending_of(problem)
        if ending.bug is None:
            raise StartRefused(ending.line) from problem
        raise Failed(f"{ending.line} ({_where(ending.bug)})", bug) from problem


def _where(bug: BaseException) -> str:
    """Where it was raised, for a report."""
    trace = bug.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "nowhere" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
