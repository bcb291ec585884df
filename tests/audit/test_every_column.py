"""Every column of every table is damaged once: the audit names the row, or says beforehand that it does not look (B2).

The tables come from the database itself, so a new table or column is here as soon as a migration makes it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import chain, zip_longest
from typing import Any

import pytest

from countermand.audit.not_checked import ADDED_ROWS, MISSING_ROWS, NOT_CHECKED, TABLES
from countermand.audit.run import examine
from countermand.services.custody.vaults import VaultKeys
from countermand.store.snapshot import Snapshot
from tests.audit import damage
from tests.audit.damage import Column, Refused, Untouched, damaged, told

TOGETHER = (
    (
        *("orders", "dca_orders", "onchain_orders", "onchain_trades", "onchain_cursors", "book_orders", "book_trades"),
        *("book_balances", "events", "crafts", "dca_crafts", "builds", "vaults", "watermarks", "api_keys"),
        *("migrations", "sandbox_settings", "sandbox_snapshots"),
    ),
    ("chain_ledger", "members", "prices"),
    ("chain_transactions", "member_sessions", "sandbox_tokens"),
    ("chain_accounts", "book_drafts"),
    ("venue", "book_counters", "chain_mentions"),
    ("shards",),
    ("journal",),
)
"""Tables of which the damage of one is not told of another, and hides no other."""
REFUSED_BY_THE_DATABASE = [("chain_ledger", "one"), ("venue", "one")]
"""Of these columns no value but one is possible."""


async def test_an_undamaged_venue_has_no_differences(connection: Any, keys: VaultKeys) -> None:
    assert await told(connection, keys) == []
    assert await told(connection, None, thorough=False) == []


async def test_every_table_is_read_and_what_is_not_checked_exists(connection: Any) -> None:
    tables = damage.by_table(await damage.columns_of(connection))
    assert sorted(tables) == sorted(TABLES)
    for table, columns in NOT_CHECKED.items():
        names = {column.name for column in tables[table]} | {MISSING_ROWS, ADDED_ROWS}
        assert not set(columns) - names, table
        assert all(columns.values()), "each has a reason"


@pytest.mark.parametrize("tables", TOGETHER, ids=lambda tables: tables[0])
async def test_each_column_that_is_altered_is_found_or_listed(
    connection: Any, keys: VaultKeys, tables: Sequence[str]
) -> None:
    """One alteration in each table at once, until the table with the most of them had all."""
    by_table = damage.by_table(await damage.columns_of(connection))
    outcomes = defaultdict[tuple[str, str], set[str]](set)
    for some in zip_longest(*([*_alterations(by_table[table])] for table in tables)):
        damages = [each for each in some if each is not None]
        statements = {column.table: statement for column, statement in damages}
        listed = [column.table for column, _ in damages if column.name in NOT_CHECKED[column.table]]
        found = await outcomes_of(connection, keys, statements, listed=listed, tables=tables)
        for column, _ in damages:
            outcomes[column.table, column.name].add(found[column.table])
    assert [column for column, those in outcomes.items() if "unseen" in those] == []
    refused = [column for column, those in outcomes.items() if those <= {"refused", "untouched"}]
    assert refused == [column for column in REFUSED_BY_THE_DATABASE if column[0] in tables]


async def test_tables_are_damaged_together_of_which_none_is_left_out(connection: Any) -> None:
    assert sorted(chain.from_iterable(TOGETHER)) == sorted(damage.by_table(await damage.columns_of(connection)))


@pytest.mark.parametrize("rows", ["one", "all"])
async def test_rows_that_are_missing_are_found_or_listed(connection: Any, keys: VaultKeys, rows: str) -> None:
    unseen = []
    for tables in TOGETHER:
        which = {table: "" if rows == "all" else f" WHERE ctid = {damage.first(table)}" for table in tables}
        deletions = {table: f"DELETE FROM {table}{which[table]}" for table in tables}
        listed = [table for table in tables if MISSING_ROWS in NOT_CHECKED[table]]
        outcomes = await outcomes_of(connection, keys, deletions, listed=listed)
        assert "untouched" not in outcomes.values(), "a table has no rows to miss"
        unseen += [table for table, outcome in outcomes.items() if outcome == "unseen"]
    assert unseen == []


async def test_a_row_that_is_one_too_many_is_found_or_listed(connection: Any, keys: VaultKeys) -> None:
    unseen = []
    by_table = damage.by_table(await damage.columns_of(connection))
    for tables in TOGETHER:
        additions = {table: await damage.addition(connection, by_table[table]) for table in tables}
        listed = [table for table in tables if ADDED_ROWS in NOT_CHECKED[table]]
        outcomes = await outcomes_of(connection, keys, additions, listed=listed)
        unseen += [table for table, outcome in outcomes.items() if outcome == "unseen"]
    assert unseen == []


async def test_every_row_of_an_unknown_shard_is_found(connection: Any, keys: VaultKeys) -> None:
    having = {column.table for column in await damage.columns_of(connection) if column.name == "shard"}
    for tables in TOGETHER:
        moved = {
            table: f"UPDATE {table} SET shard = 7 WHERE ctid = {damage.first(table)}"
            for table in tables
            if table in having
        }
        found = await outcomes_of(connection, keys, moved, tables=tables)
        assert found == dict.fromkeys(moved, "found")


async def test_a_chain_without_transactions_has_nothing_that_its_entropy_is_compared_with(connection: Any) -> None:
    async def listed() -> bool:
        found = await examine(Snapshot(connection), keys=None, thorough=False)
        return any(each.startswith("chain_ledger.entropy: ") for each in found.not_checked)

    assert not await listed()
    async with damaged(connection, "DELETE FROM chain_transactions"):
        assert await listed()


async def outcomes_of(
    connection: Any,
    keys: VaultKeys,
    damages: Mapping[str, str],
    *,
    listed: Collection[str] = (),
    tables: Collection[str] = (),
) -> dict[str, str]:
    """By table, what became of a statement. All of them happen, and what a quick audit then names is found.

    One that it does not name happens alone, before a thorough audit, unless what it did is `listed` as not checked.
    The others of `tables` must not be named.
    """
    keys_of_rows = {table: await _key_of(connection, table) for table in damages}
    outcomes = {}
    async with AsyncExitStack() as damaged_now:
        for table, statement in damages.items():
            try:
                await damaged_now.enter_async_context(damaged(connection, statement))
            except (Refused, Untouched) as outcome:
                outcomes[table] = type(outcome).__name__.lower()
        sentences = await told(connection, keys, thorough=False)
    assert not [table for table in set(tables) - set(damages) if _names(sentences, table, "")]
    for table, key in keys_of_rows.items():
        if table in outcomes:
            continue
        if _names(sentences, table, key):
            outcomes[table] = "found"
        elif table in listed:
            outcomes[table] = "listed"
        else:
            async with damaged(connection, damages[table]):
                is_found = _names(await told(connection, keys), table, key)
            outcomes[table] = "found" if is_found else "unseen"
    return outcomes


def _alterations(columns: Sequence[Column]) -> Iterator[tuple[Column, str]]:
    for column in columns:
        for statement in damage.alterations(column):
            yield column, statement
        if column.type in damage.WHEN_NULL:
            yield column, damage.filling(column)


async def _key_of(connection: Any, table: str) -> str:
    """Of the row that is damaged, where it is a name and no mere number."""
    names = {"members": "account", "sandbox_tokens": "mint"}
    if table not in names:
        return ""
    return str(await connection.fetchval(f"SELECT {names[table]} FROM {table} WHERE ctid = {damage.first(table)}"))


def _names(sentences: Sequence[str], table: str, key: str) -> bool:
    return any(each.startswith((f"{table} ", f"{table}:")) or (key and key in each) for each in sentences)
