"""Brings a database's schema to what this program expects.

Migrations are the numbered files in `sql/`. Each is applied once, in its own transaction, and never changed later.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

import asyncpg
from msgspec import Struct

from countermand.store.connections import Connection, Pool, connect

_ONE_AT_A_TIME: Final = 6_051_847_330_211
"""The key of the advisory lock that two starters compete for. It means nothing, and must never change."""
TURN_S_MAX: Final = 60
_FILE_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql", re.ASCII)

_LEDGER: Final = """
CREATE TABLE migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationRefused(Exception):
    """This program cannot work on this database. One line says why."""


class Migration(Struct, frozen=True):
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(dsn_or_pool: "str | Pool") -> None:
    """Raises `MigrationRefused`, and `Unavailable` if there is no connection. Two starters take turns."""
    migrations = packaged()
    if isinstance(dsn_or_pool, str):
        connection = await connect(dsn_or_pool, "migrations")
        try:
            await apply(connection, migrations)
        finally:
            connection.terminate()
    else:
        async with dsn_or_pool.acquire() as pooled:
            await apply(pooled, migrations)


def packaged() -> Sequence[Migration]:
    """The migrations that came with this program, in order."""
    return read(resources.files("countermand.store") / "sql")


def read(folder: Traversable) -> Sequence[Migration]:
    found = [_migration(file) for file in folder.iterdir() if file.name.endswith(".sql")]
    found.sort(key=lambda migration: migration.number)
    numbers = [migration.number for migration in found]
    assert numbers == list(range(1, len(found) + 1)), f"migrations are numbered from 1 without gaps, not {numbers}"
    return found


def _migration(file: Traversable) -> Migration:
    match = _FILE_NAME.fullmatch(file.name)
    assert match is not None, f"{file.name} is not named like 0001_shards.sql"
    return Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))


async def apply(connection: Connection, migrations: Sequence[Migration]) -> None:
    # Bound to the session, so that it is given back even if this process dies.
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _ONE_AT_A_TIME, timeout=TURN_S_MAX)
    except TimeoutError:
        raise MigrationRefused(f"another start has been preparing this database for {TURN_S_MAX} s; end it") from None
    try:
        # A role that may not make tables can serve a database that is up to date.
        if not await connection.fetchval("SELECT to_regclass('migrations') IS NOT NULL"):
            await connection.execute(_LEDGER)
        rows = await connection.fetch("SELECT number, name, checksum FROM migrations ORDER BY number")
        _check(migrations, {row["number"]: (row["name"], row["checksum"]) for row in rows})
        for migration in migrations[len(rows) :]:
            await _apply_one(connection, migration)
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", _ONE_AT_A_TIME)


def _check(migrations: Sequence[Migration], applied: Mapping[int, tuple[str, str]]) -> None:
    """What was applied must be the beginning of what we have, letter by letter."""
    known = {migration.number: migration for migration in migrations}
    for number, (name, checksum) in applied.items():
        migration = known.get(number)
        if migration is None:
            raise MigrationRefused(
                f"the database is from a newer Countermand: it has migration {name}, and this version knows only "
                f"{len(migrations)}; start that version, or use another database"
            )
        if migration.checksum != checksum:
            raise MigrationRefused(
                f"migration {name} of the database is not the {migration.name} of this version; "
                "start the version that made the database, or use another database"
            )
    if list(applied) != list(range(1, len(applied) + 1)):
        raise MigrationRefused(f"table migrations lacks rows between {list(applied)}; restore it from a backup")


async def _apply_one(connection: Connection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.checksum,
            )
    except asyncpg.PostgresError as error:
        raise MigrationRefused(
            f"migration {migration.name} failed: {error}; give a database of our own, or restore its table migrations"
        ) from error
