"""Every row that a start reads, damaged (B1, B5): the venue starts, or ends within seconds with one line."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from countermand.store.embedded import EmbeddedPostgres
from tests.conftest import NUMBERS
from tests.end_to_end.crash_support import Server
from tests.end_to_end.damage import READ_AT_A_START, READ_WHEN_ASKED, WRONG, Connections, fill, start

CANNOT_RUN = 2
LINE_CHARS_MAX = 500
FILLED = "filled"
CLOCK_BEHIND = "the machine's clock is behind: the venue's stands until it has caught up"
READ_BY_THE_VENUES_ROOT = ("shards", "orders", "dca_orders", "venue", "sandbox_tokens")
"""What that root reads otherwise, or other rows of."""
TABLES = (*READ_AT_A_START, *READ_WHEN_ASKED)
ALL_TABLES = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
COLUMN = "SELECT data_type, is_nullable FROM information_schema.columns WHERE table_name = $1 AND column_name = $2"


@dataclass(frozen=True, slots=True)
class Filled:
    """A database that is not in use, to be copied, and the data directory with its master seed."""

    server: EmbeddedPostgres
    data: Path

    def url(self, database: str) -> str:
        return self.server.dsn.replace("/postgres?", f"/{database}?")

    async def does(self, statement: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(self.url(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def copy(self) -> str:
        name = f"damaged_{next(NUMBERS)}"
        await self.does(f"CREATE DATABASE {name} TEMPLATE {FILLED} STRATEGY FILE_COPY")
        return name

    async def drop(self, name: str) -> None:
        await self.does(f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def filled(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Filled]:
    folder = tmp_path_factory.mktemp("filled")
    it = Filled(postgres, folder / "data")
    await it.does(f"CREATE DATABASE {FILLED}")
    await asyncio.to_thread(fill, folder, it.url(FILLED))
    yield it
    await it.drop(FILLED)


@dataclass(slots=True)
class Copy:
    """A database that is damaged again and again. What a venue did that was ready is undone in all its tables."""

    url: str
    connection: "asyncpg.Connection[asyncpg.Record]"
    connections: Connections = field(default_factory=Connections)

    async def damage(self, statement: str) -> bool:
        """False: PostgreSQL itself keeps such a row out."""
        try:
            await self.connection.execute(statement)
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError):
            return False
        return True

    async def keep(self) -> None:
        for table in TABLES:
            await self.connection.execute(f"CREATE TEMPORARY TABLE kept_{table} AS TABLE {table}")

    async def repair(self, tables: Iterable[str]) -> None:
        """All rows are as they were, and in their order."""
        async with self.connection.transaction():
            await self.connection.execute("SET LOCAL session_replication_role = replica")
            for table in tables:
                await self.connection.execute(f"DELETE FROM {table}")
                await self.connection.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE kept_{table}")


@pytest_asyncio.fixture
async def copy(filled: Filled) -> AsyncIterator[Copy]:
    name = await filled.copy()
    copy = Copy(filled.url(name), await asyncpg.connect(filled.url(name)))
    await copy.keep()
    yield copy
    await copy.connections.close()
    copy.connection.terminate()
    await filled.drop(name)


async def wrong_values(filled: Filled, table: str) -> list[str]:
    """Statements, each of which damages one column of one row."""
    connection = await asyncpg.connect(filled.url(FILLED))
    try:
        statements = [f"DELETE FROM {table}"]
        for column in READ_AT_A_START[table]:
            found = await connection.fetchrow(COLUMN, table, column)
            assert found is not None, f"table {table} has no column {column}"
            kind, nullable = found
            values = [*WRONG[kind], *(["NULL"] if nullable == "YES" else [])]
            row = f"ctid = (SELECT max(ctid) FROM {table})"
            statements += [f"UPDATE {table} SET {column} = {value.format(column)} WHERE {row}" for value in values]
    finally:
        await connection.close()
    return statements


@pytest.mark.parametrize(
    ("table", "sandbox"),
    [*((table, True) for table in READ_AT_A_START), *((table, False) for table in READ_BY_THE_VENUES_ROOT)],
)
async def test_a_damaged_row_ends_a_start_with_one_line_or_harms_nothing(
    filled: Filled, copy: Copy, table: str, sandbox: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B1, B5."""
    went = []
    for statement in await wrong_values(filled, table):
        if not await copy.damage(statement):
            continue
        told = await start(copy.url, filled.data, monkeypatch, sandbox=sandbox, connections=copy.connections)
        went.append((statement, told.words))
        if told.ending is None:
            await copy.repair(TABLES)
            continue
        assert told.ending.status == CANNOT_RUN, (statement, told.words)
        assert table.removesuffix("s") in told.words, (statement, told.words)
        assert len(told.words) < LINE_CHARS_MAX, (statement, told.words)
        assert "\n" not in told.words, (statement, told.words)
        assert set(told.lines) <= {CLOCK_BEHIND}, (statement, told)
        await copy.repair([table])
    assert any(words != "it started" for _, words in went), went


@pytest.mark.parametrize(
    ("table", "path", "value"),
    [
        ("onchain_cursors", "{signatures}", "[]"),
        ("onchain_cursors", "{signatures,0}", '"x"'),
        ("orders", "{progress,voided,units}", "9223372036854775808"),
        ("orders", "{progress,posted,units}", "9223372036854775808"),
    ],
)
async def test_a_field_that_makes_no_sense_ends_a_start_with_its_row(
    filled: Filled, copy: Copy, table: str, path: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each decodes: starts ended with 1, as by a bug of ours."""
    body = f"convert_to(jsonb_set(convert_from(body, 'UTF8')::jsonb, '{path}', '{value}')::text, 'UTF8')"
    assert await copy.damage(f"UPDATE {table} SET body = {body}")
    told = await start(copy.url, filled.data, monkeypatch, connections=copy.connections)
    await copy.repair([table])
    assert told.ending is not None
    assert told.ending.status == CANNOT_RUN, told.words
    assert f" of table {table} cannot be read: " in told.words


async def test_every_table_is_damaged_or_read_by_requests_alone(filled: Filled) -> None:
    """A table that a migration adds is to be in one of the lists."""
    connection = await asyncpg.connect(filled.url(FILLED))
    try:
        tables = {name for (name,) in await connection.fetch(ALL_TABLES)}
    finally:
        await connection.close()
    assert tables == READ_AT_A_START.keys() | READ_WHEN_ASKED
    assert not READ_AT_A_START.keys() & READ_WHEN_ASKED


async def test_what_is_whole_starts(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    name = await filled.copy()
    assert (await start(filled.url(name), filled.data, monkeypatch)).words == "it started"
    await filled.drop(name)


@pytest.mark.parametrize("damage", ["meta = '\\x00'", "meta = '\\x'", "raw = '\\x00'", "error = 'x'"])
async def test_a_transaction_that_the_index_reads_again_is_named(
    filled: Filled, copy: Copy, tmp_path: Path, damage: str
) -> None:
    """A start does not read it, but the index of orders on the chain does soon after: it ended with 1, as by a bug."""
    await copy.damage(f"UPDATE chain_transactions SET {damage}")
    await copy.damage("DELETE FROM onchain_cursors")  # It reads all again, as always what landed beside its newest.
    server = Server(tmp_path / "venue", "--database-url", copy.url, "--master-seed", str(filled.data / "master-seed"))
    try:
        await server.spawn()
        assert await server.ended() == CANNOT_RUN, server.log()
        last = server.log().splitlines()[-1]
        assert last.startswith("countermand: row ")
        assert " of table chain_transactions cannot be read: " in last
    finally:
        await server.kill()
