"""Damage to one row of a table, of every kind that its columns can have, undone at once."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from string import ascii_letters, digits
from typing import Any

import asyncpg

from countermand.audit.run import examine
from countermand.services.custody.vaults import VaultKeys
from countermand.store.migrations import MigrationRefused
from countermand.store.snapshot import Snapshot

Connection = Any

_COLUMNS = """
SELECT table_name::text, column_name::text, data_type::text, identity_generation = 'ALWAYS' AS is_always
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""
_UNIQUE = """
SELECT DISTINCT attname::text FROM pg_index
JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey) WHERE indrelid = $1::regclass AND indisunique
"""

# A value of the same form, which is not the same: by the type of the column.
_NUMBER = ("{column} + 1", "{column} + 1000003")
_IN_ADDRESSES = "".join(each for each in digits + ascii_letters if each not in "0OIl")
_SIGNS, _OTHERS = _IN_ADDRESSES + "0OIl*", _IN_ADDRESSES[1:] + "1" + "1ab0?"
"""The last sign of a text becomes another: in an address one that addresses have."""
_LAST = f"translate(right({{column}}, 1), '{_SIGNS}', '{_OTHERS}')"
_TEXT = (f"overlay({{column}} placing {_LAST} from length({{column}}))",)
_BYTES = tuple(
    f"set_byte({{column}}, {at}, get_byte({{column}}, {at}) # 1)"
    for at in ("0", "length({column}) / 2", "length({column}) - 1")
)
ALTERED: dict[str, tuple[str, ...]] = {
    "bigint": _NUMBER,
    "integer": _NUMBER,
    "smallint": _NUMBER[:1],
    "numeric": _NUMBER,
    "text": _TEXT,
    "bytea": _BYTES,
    "boolean": ("NOT {column}",),
    "uuid": ("(overlay({column}::text placing '00000000' from 1))::uuid",),
    "ARRAY": ("ARRAY['cancel']",),
    "timestamp with time zone": ("{column} + interval '1 second'",),
}
_ROOT = ("CASE {column} WHEN 'venue' THEN 'sandbox' ELSE 'venue' END",)
_BUCKET = ("({column} + 1) % 256",)
_OF_FEW = {
    **{("venue", column): _ROOT for column in ("founded_as", "served_as")},
    **{(table, "bucket"): _BUCKET for table in ("orders", "crafts", "dca_orders", "dca_crafts", "vaults")},
}
"""Where the database allows but a few values."""
WHEN_NULL = {"text": "'x'", "bytea": r"'\x00'", "bigint": "1"}


@dataclass(frozen=True, slots=True)
class Column:
    table: str
    name: str
    type: str
    is_always: bool


async def columns_of(connection: Connection) -> Sequence[Column]:
    """Of all tables that the migrations make, and of the one that remembers them."""
    return [Column(*row) for row in await connection.fetch(_COLUMNS)]


def by_table(columns: Sequence[Column]) -> dict[str, list[Column]]:
    tables: dict[str, list[Column]] = {}
    for column in columns:
        tables.setdefault(column.table, []).append(column)
    return tables


def alterations(column: Column) -> Iterator[str]:
    """Statements, each of which makes another value of one that is there."""
    for value in _OF_FEW.get((column.table, column.name), ALTERED[column.type]):
        altered = value.format(column=column.name)
        has_some = f"{column.name} IS NOT NULL" + (f" AND {column.name} <> ''" if column.type == "bytea" else "")
        yield f"UPDATE {column.table} SET {column.name} = {altered} WHERE ctid = {first(column.table, has_some)}"


def filling(column: Column) -> str:
    """The statement that makes a value where there is none."""
    none = first(column.table, f"{column.name} IS NULL")
    return f"UPDATE {column.table} SET {column.name} = {WHEN_NULL[column.type]} WHERE ctid = {none}"


async def addition(connection: Connection, columns: Sequence[Column]) -> str:
    """The statement that adds a copy of a row with other keys."""
    table = columns[0].table
    keys = [name for (name,) in await connection.fetch(_UNIQUE, table)]
    values = (ALTERED[each.type][-1].format(column=each.name) if each.name in keys else each.name for each in columns)
    names = ", ".join(each.name for each in columns)
    source = f"SELECT {', '.join(values)} FROM {table} WHERE ctid = {first(table)}"
    return f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE {source}"


def first(table: str, condition: str = "true") -> str:
    return f"(SELECT ctid FROM {table} WHERE {condition} ORDER BY ctid LIMIT 1)"


class Refused(Exception):
    """The database itself allows no such value."""


class Untouched(Exception):
    """There is no row to damage."""


@asynccontextmanager
async def damaged(connection: Connection, *statements: str) -> AsyncIterator[None]:
    """The statements have happened, for as long as this is open."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        for statement in statements:
            try:
                done = await connection.execute(statement)
            except asyncpg.IntegrityConstraintViolationError as refused:
                raise Refused(statement) from refused
            if done.endswith(" 0"):
                raise Untouched(statement)
        yield
    finally:
        await transaction.rollback()


async def told(connection: Connection, keys: VaultKeys | None, *, thorough: bool = True) -> Sequence[str]:
    """What the audit says of the database as this connection sees it."""
    try:
        found = await examine(Snapshot(connection), keys=keys, thorough=thorough)
    except MigrationRefused as refused:
        return [str(refused)]
    return found.differences


async def untold(connection: Connection, keys: VaultKeys, damages: Mapping[str, str]) -> Sequence[str]:
    """Statements, each about another row, by what the sentence about it begins with: those of no sentence.

    All happen at once. One whose row is not named then happens alone, and whatever is told is told of it.
    """
    async with damaged(connection, *damages.values()):
        sentences = await told(connection, keys, thorough=False)
    missed = []
    for row, statement in damages.items():
        if not any(each.startswith(f"{row}: ") for each in sentences):
            async with damaged(connection, statement):
                if not await told(connection, keys, thorough=False):
                    missed.append(statement)
    return missed
