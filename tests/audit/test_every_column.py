"""Every column of every table is damaged once: the audit names the row, or says beforehand that it does not look (B2).

The tables come from the database itself, so a new table or column is here as soon as a migration makes it.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from countermand.audit.not_checked import ADDED_ROWS, MISSING_ROWS, NOT_CHECKED, TABLES
from countermand.audit.run import examine
from countermand.services.custody.vaults import VaultKeys
from countermand.store.snapshot import Snapshot
from tests.audit import damage
from tests.audit.damage import Refused, Untouched, damaged, told

REFUSED_BY_THE_DATABASE = [("chain_ledger", "one"), ("venue", "one")]
"""Of these columns no value but one is possible."""


async def test_a_venue_that_nobody_damaged_has_no_differences(connection: Any, keys: VaultKeys) -> None:
    assert await told(connection, keys) == []
    assert await told(connection, None, thorough=False) == []


async def test_every_table_is_read_and_what_is_not_checked_exists(connection: Any) -> None:
    tables = damage.by_table(await damage.columns_of(connection))
    assert sorted(tables) == sorted(TABLES)
    for table, columns in NOT_CHECKED.items():
        names = {column.name for column in tables[table]} | {MISSING_ROWS, ADDED_ROWS}
        assert not set(columns) - names, table
        assert all(columns.values()), "each has a reason"


async def test_each_column_that_is_altered_is_found_or_listed(connection: Any, keys: VaultKeys) -> None:
    unseen, refused = [], []
    for column in await damage.columns_of(connection):
        statements = list(damage.alterations(column))
        if column.type in damage.WHEN_NULL:
            statements.append(damage.filling(column))
        outcomes = [await outcome(connection, keys, column.table, statement) for statement in statements]
        if all(each in ("refused", "untouched") for each in outcomes):
            refused.append((column.table, column.name))
        elif "unseen" in outcomes and column.name not in NOT_CHECKED[column.table]:
            unseen.append((column.table, column.name))
    assert unseen == []
    assert refused == REFUSED_BY_THE_DATABASE


@pytest.mark.parametrize("rows", ["one", "all"])
async def test_rows_that_are_missing_are_found_or_listed(connection: Any, keys: VaultKeys, rows: str) -> None:
    unseen = []
    for table in TABLES:
        which = "" if rows == "all" else f" WHERE ctid = {damage.first(table)}"
        outcome_of_it = await outcome(connection, keys, table, f"DELETE FROM {table}{which}")
        assert outcome_of_it != "untouched", f"{table} has no rows to miss"
        if outcome_of_it == "unseen" and MISSING_ROWS not in NOT_CHECKED[table]:
            unseen.append(table)
    assert unseen == []


async def test_a_row_that_is_one_too_many_is_found_or_listed(connection: Any, keys: VaultKeys) -> None:
    unseen = []
    for table, columns in damage.by_table(await damage.columns_of(connection)).items():
        added = await damage.addition(connection, columns)
        if await outcome(connection, keys, table, added) == "unseen" and ADDED_ROWS not in NOT_CHECKED[table]:
            unseen.append(table)
    assert unseen == []


async def test_every_row_of_an_unknown_shard_is_found(connection: Any, keys: VaultKeys) -> None:
    for column in await damage.columns_of(connection):
        if column.name == "shard":
            moved = f"UPDATE {column.table} SET shard = 7 WHERE ctid = {damage.first(column.table)}"
            assert await outcome(connection, keys, column.table, moved) == "found", column.table


async def test_a_chain_without_transactions_has_nothing_that_its_entropy_is_compared_with(connection: Any) -> None:
    async def listed() -> bool:
        found = await examine(Snapshot(connection), keys=None, thorough=False)
        return any(each.startswith("chain_ledger.entropy: ") for each in found.not_checked)

    assert not await listed()
    async with damaged(connection, "DELETE FROM chain_transactions"):
        assert await listed()


async def outcome(connection: Any, keys: VaultKeys, table: str, statement: str) -> str:
    """Whether a quick audit, or else a thorough one, names the table after the statement, or the row by its key."""
    key = await _key_of(connection, table)
    try:
        async with damaged(connection, statement):
            for thorough in (False, True):
                if _names(await told(connection, keys, thorough=thorough), table, key):
                    return "found"
    except Refused:
        return "refused"
    except Untouched:
        return "untouched"
    return "unseen"


async def _key_of(connection: Any, table: str) -> str:
    """Of the row that is damaged, where it is a name and no mere number."""
    names = {"members": "account", "sandbox_tokens": "mint"}
    if table not in names:
        return ""
    return str(await connection.fetchval(f"SELECT {names[table]} FROM {table} WHERE ctid = {damage.first(table)}"))


def _names(sentences: Sequence[str], table: str, key: str) -> bool:
    return any(each.startswith((f"{table} ", f"{table}:")) or (key and key in each) for each in sentences)
