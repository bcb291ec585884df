"""The database of the tests: one PostgreSQL a session (and xdist worker), a new database with our schema a test."""

from collections.abc import AsyncIterator
from itertools import count

import asyncpg
import pytest
import pytest_asyncio

from countermand.store.embedded import EmbeddedPostgres
from countermand.store.postgres import migrate

TEMPLATE = "migrated"
NUMBERS = count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """A server whose data need not outlive a power cut: tests about that start their own."""
    quick = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}
    async with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings=quick) as server:
        await _execute(server.dsn, f"CREATE DATABASE {TEMPLATE}")
        await migrate(_url(server, TEMPLATE))
        yield server


@pytest_asyncio.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A fresh database that holds our schema and nothing else."""
    name = f"test_{next(NUMBERS)}"
    await _execute(postgres.dsn, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield _url(postgres, name)
    await _execute(postgres.dsn, f"DROP DATABASE {name} WITH (FORCE)")


def _url(server: EmbeddedPostgres, database: str) -> str:
    return server.dsn.replace("/postgres?", f"/{database}?")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
