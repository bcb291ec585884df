"""All stores of a venue, opened together: what fails among them leaves no connection open."""

import asyncio
from typing import Self

import asyncpg
import pytest

from countermand.app.infrastructure import opened_stores
from countermand.kernel.ports import Unavailable
from countermand.store.chain_index_postgres import PostgresChainIndexStore

_OPEN = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class NotThere(PostgresChainIndexStore):
    @classmethod
    async def connect(cls, dsn: str) -> Self:  # noqa: ARG003
        raise Unavailable("the last store cannot be opened")


async def _all_close(watching: "asyncpg.Connection[asyncpg.Record]") -> None:
    """A backend that was left ends by itself, soon."""
    async with asyncio.timeout(60):
        while await watching.fetch(_OPEN):
            await asyncio.sleep(0.01)


async def test_one_that_cannot_be_opened_closes_those_before_it(database_url: str) -> None:
    watching = await asyncpg.connect(database_url)
    try:
        async with opened_stores(database_url):
            assert await watching.fetch(_OPEN)
        await _all_close(watching)
        with pytest.raises(Unavailable, match="the last store"):
            async with opened_stores(database_url, index=NotThere):
                raise AssertionError("it was opened")
        await _all_close(watching)
    finally:
        await watching.close()
