"""Migrations: each once, in order, by one starter at a time, and never backwards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from countermand.kernel.ports import Unavailable
from countermand.store.migrations import Migration, MigrationRefused, apply, migrate, packaged, read
from countermand.store.postgres import PostgresStore

COLOURS = Migration(1, "0001_colours.sql", "CREATE TABLE colours (name text); INSERT INTO colours VALUES ('red');")
MORE = Migration(2, "0002_more.sql", "INSERT INTO colours VALUES ('blue');")
BROKEN = Migration(3, "0003_broken.sql", "INSERT INTO colours VALUES ('green'); SELECT 1 / 0;")

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty one."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    yield connection
    await connection.close()


async def colours(database: Database) -> list[str]:
    return [name for (name,) in await database.fetch("SELECT name FROM colours")]


async def test_an_empty_database_gets_the_whole_schema(database: Database, database_url: str) -> None:
    await migrate(database_url)
    rows = await database.fetch("SELECT number, name, checksum FROM migrations ORDER BY number")
    assert [tuple(row) for row in rows] == [(each.number, each.name, each.checksum) for each in packaged()]
    store = await PostgresStore.connect(database_url)
    assert (await store.begin_epoch(0)).number == 1
    await store.close()


async def test_every_table_of_the_shards_says_what_it_is_for(database: Database, database_url: str) -> None:
    await migrate(database_url)
    tables = ["shards", "journal", "orders", "events", "crafts", "builds", "vaults", "prices"]
    assert [await database.fetchval("SELECT obj_description($1::regclass)", table) for table in tables].count(None) == 0


async def test_a_later_start_applies_only_what_is_new(database: Database) -> None:
    await apply(database, [COLOURS])
    await apply(database, [COLOURS])
    assert await colours(database) == ["red"]
    await apply(database, [COLOURS, MORE])
    assert await colours(database) == ["red", "blue"]


async def test_a_pool_will_do_too(database: Database, database_url: str) -> None:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        await migrate(pool)
        await migrate(pool)
    assert await database.fetchval("SELECT count(*) FROM migrations") == len(packaged())


async def test_two_starters_take_turns(database: Database, database_url: str) -> None:
    await asyncio.gather(*(migrate(database_url) for _ in range(4)))
    assert await database.fetchval("SELECT count(*) FROM migrations") == len(packaged())


async def test_a_migration_that_fails_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(MigrationRefused, match=r"migration 0003_broken\.sql failed: division by zero"):
        await apply(database, [COLOURS, MORE, BROKEN])
    assert await colours(database) == ["red", "blue"]
    assert await database.fetchval("SELECT max(number) FROM migrations") == 2
    repaired = Migration(3, "0003_repaired.sql", "INSERT INTO colours VALUES ('green');")
    await apply(database, [COLOURS, MORE, repaired])
    assert await colours(database) == ["red", "blue", "green"]


async def test_a_migration_and_its_record_are_one(database: Database) -> None:
    unrecorded = Migration(2, "0002_unrecorded.sql", "INSERT INTO colours VALUES ('grey'); DROP TABLE migrations;")
    with pytest.raises(MigrationRefused, match=r"0002_unrecorded\.sql failed"):
        await apply(database, [COLOURS, unrecorded])
    assert await colours(database) == ["red"]
    assert await database.fetchval("SELECT max(number) FROM migrations") == 1


async def test_a_database_from_the_future_is_refused_in_one_line(database: Database) -> None:
    await apply(database, [COLOURS, MORE])
    with pytest.raises(MigrationRefused) as refused:
        await apply(database, [COLOURS])
    assert str(refused.value) == (
        "the database is from a newer Countermand: it has migration 0002_more.sql, and this version knows only 1; "
        "start that version, or use another database"
    )


async def test_a_migration_that_was_changed_afterwards_is_refused(database: Database) -> None:
    await apply(database, [COLOURS])
    with pytest.raises(MigrationRefused, match=r"migration 0001_colours\.sql of the database is not"):
        await apply(database, [Migration(1, "0001_colours.sql", "CREATE TABLE colours (name varchar)"), MORE])
    assert await colours(database) == ["red"]


async def test_without_a_server_it_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await migrate(f"postgresql://postgres@/postgres?host={tmp_path}")
    with pytest.raises(Unavailable):
        await PostgresStore.connect(f"postgresql://postgres@/postgres?host={tmp_path}")


@pytest.mark.parametrize("names", [["0002_b.sql"], ["0001_a.sql", "0001_b.sql"], ["1_a.sql"]], ids=str)
def test_badly_numbered_files_are_our_own_mistake(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(AssertionError):
        read(tmp_path)
