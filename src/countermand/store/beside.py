"""The database of a venue, for a command that looks into it or changes it beside a venue that may run."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from countermand.store.embedded import EmbeddedPostgres, PostgresUnavailable, running_dsn

TURN_S_MAX: Final = 30
"""So long a command waits for another one that has started the PostgreSQL of a data directory."""
_LOOK_S: Final = 0.05


@asynccontextmanager
async def database_beside(data: Path | None, database_url: str | None) -> AsyncIterator[str]:
    """The address of the database. A PostgreSQL that runs is not disturbed; our own is started if it does not run.

    Raises `PostgresUnavailable`.
    """
    if database_url is not None:
        yield database_url
        return
    assert data is not None, "either a data directory or a database"
    if not (data / "postgres").is_dir():
        raise PostgresUnavailable(f"{data} holds no venue: give --data the directory that `countermand serve` uses")
    async with _turn(data):
        running = running_dsn(data)  # A venue's: what a command has started ends with its turn.
        if running is None:
            async with EmbeddedPostgres(data) as server:
                yield server.dsn
            return
    yield running


@asynccontextmanager
async def _turn(data: Path) -> AsyncIterator[None]:
    """One command after the other: a PostgreSQL that one has started ends with it, under all that use it."""
    try:
        lock = os.open(data / "lock.commands", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:  # Another user's, who may still read what runs there.
        yield
        return
    try:
        await _lock(lock, data)
        yield
    finally:
        os.close(lock)


async def _lock(lock: int, data: Path) -> None:
    deadline = time.monotonic() + TURN_S_MAX
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise PostgresUnavailable(
                    f"another command has been at work in {data} for {TURN_S_MAX} s; run this one when it is done"
                ) from None
            await asyncio.sleep(_LOOK_S)
        else:
            return
