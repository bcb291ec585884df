"""The exit status of a command: 1 it failed, 2 it cannot run, 3 another process took over.

Many tasks run side by side, so what ends one of them comes in a group, with what that broke in the others.
"""

from collections.abc import Iterator
from typing import Final

import asyncpg
from msgspec import Struct

from countermand.kernel.ports import DatabaseWentBack, Unavailable, WriterReplaced
from countermand.settings import StartRefused
from countermand.solana.ledger_store import LedgerReplaced, LedgerWentBack
from countermand.solana.port import ChainUnavailable
from countermand.store.connections import describe, refuses
from countermand.store.embedded import PostgresUnavailable
from countermand.store.migrations import MigrationRefused
from countermand.store.venue_postgres import VenueRefused
from countermand.stored_rows import StoredRowUnreadable

FAILED: Final = 1
CANNOT_RUN: Final = 2
REPLACED: Final = 3

_OF_THE_CONNECTION: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What the driver raises where a connection ends under it, in words about itself."""
_OUTSIDE: Final = (
    *_OF_THE_CONNECTION,
    StartRefused,
    PostgresUnavailable,
    Unavailable,
    ChainUnavailable,
    MigrationRefused,
    VenueRefused,
    OSError,
)
"""What is wrong outside of us, and says so in one line."""


class Ending(Struct, frozen=True):
    """`line` says why, to an operator. `bug`: what only a traceback explains."""

    status: int
    line: str
    bug: BaseException | None = None


def ending_of(problem: BaseException) -> Ending:
    causes = tuple(_single(problem))
    for cause in causes:
        if isinstance(cause, StoredRowUnreadable | DatabaseWentBack | LedgerWentBack):
            return Ending(CANNOT_RUN, _line(cause))
    for cause in causes:
        if isinstance(cause, WriterReplaced | LedgerReplaced):
            return Ending(REPLACED, _line(cause))
    for cause in causes:
        if not _is_outside(cause):
            return Ending(FAILED, f"{type(cause).__name__}: {_line(cause)}", bug=cause)
    return Ending(CANNOT_RUN, _said(causes[0]))


def _single(problem: BaseException) -> Iterator[BaseException]:
    if isinstance(problem, BaseExceptionGroup):
        for each in problem.exceptions:
            yield from _single(each)
    else:
        yield problem


def _is_outside(cause: BaseException) -> bool:
    return isinstance(cause, _OUTSIDE) or (isinstance(cause, asyncpg.PostgresError) and refuses(cause))


def _said(cause: BaseException) -> str:
    if isinstance(cause, asyncpg.PostgresError):
        return f"the database cannot be used: {_line(cause)}; is it a venue's, and may this role use it?"
    if isinstance(cause, _OF_THE_CONNECTION):
        return f"the connection to the database ended: {_line(cause)}; try again when it answers"
    return _line(cause)


def _line(cause: BaseException) -> str:
    return " ".join(describe(cause).split())
