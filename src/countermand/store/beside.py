"""The database of a venue, for a command that looks into it or changes it beside a venue that may run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from countermand.store.embedded import EmbeddedPostgres, PostgresUnavailable, running_dsn


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
    running = running_dsn(data)
    if running is not None:
        yield running
        return
    async with EmbeddedPostgres(data) as server:
        yield server.dsn
