"""Which tables a snapshot holds, and when it cannot be taken or restored."""

import asyncio

import asyncpg
import pytest

from countermand.kernel.ports import CommitUnknown, Unavailable, WriterReplaced
from countermand.solana.ledger_store import StoredClock
from countermand.store.snapshots_postgres import (
    CHANGED,
    COPIED,
    LEFT_OUT,
    Beginning,
    PostgresSnapshots,
    SnapshotRefused,
    SnapshotRow,
)

_TABLES = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"


async def test_every_table_is_in_a_snapshot_or_left_out_for_a_reason(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        tables = sorted(name for (name,) in await connection.fetch(_TABLES))
    finally:
        await connection.close()
    assert tables == sorted((*COPIED, *CHANGED, *LEFT_OUT))
    assert all(LEFT_OUT.values())


BEGINNING = Beginning(shards={0: 1}, chain=0, entropy=bytes(32), clock=StoredClock(1, 1, 12, 1), settings={})


async def test_a_role_without_rights_is_told_which(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "DROP ROLE IF EXISTS keeper; CREATE ROLE keeper LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO keeper;"
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO keeper"
    )
    snapshots = PostgresSnapshots(database_url.replace("//countermand@", "//keeper@"))
    with pytest.raises(SnapshotRefused, match="GRANT CREATE ON DATABASE"):
        await snapshots.take("a", 5, b"{}")
    assert await snapshots.all() == []
    await connection.execute("DROP OWNED BY keeper; DROP ROLE keeper")
    await connection.close()


async def test_a_snapshot_of_another_layout_is_refused(database_url: str) -> None:
    old = SnapshotRow("a", 1, 3, 0, 5, b"{}")
    with pytest.raises(SnapshotRefused, match="of another version"):
        await PostgresSnapshots(database_url).restore(old, BEGINNING)


async def test_a_replaced_process_restores_nothing(database_url: str) -> None:
    snapshots = PostgresSnapshots(database_url)
    taken = await snapshots.take("a", 5, b"{}")
    with pytest.raises(WriterReplaced, match="shard 0 was taken"):
        await snapshots.restore(taken, BEGINNING)


async def test_a_database_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await PostgresSnapshots("postgresql://127.0.0.1:1/none").all()


@pytest.mark.parametrize(
    "damage",
    [
        "DROP SCHEMA {0} CASCADE",
        "DROP TABLE {0}.prices",
        "DROP TABLE {0}.chain_ledger",
        "DELETE FROM {0}.chain_ledger",
        "DELETE FROM {0}.shards",
        "ALTER TABLE {0}.journal DROP COLUMN body",
        "INSERT INTO {0}.vaults VALUES ('x', NULL, 1)",
        "INSERT INTO {0}.book_counters VALUES (1, 'x')",
    ],
)
async def test_a_damaged_snapshot_is_refused_changes_nothing_and_can_be_deleted(database_url: str, damage: str) -> None:
    snapshots = PostgresSnapshots(database_url)
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO shards (shard, epoch, opened, seq, head, last_at) VALUES (0, 1, 1, 0, '', 0);"
        "INSERT INTO prices VALUES ('a', 7)"
    )
    taken = await snapshots.take("a", 5, b"{}")
    await connection.execute("UPDATE prices SET picodollars = 8")
    await connection.execute(damage.format(taken.schema))
    with pytest.raises(SnapshotRefused, match="row a of table sandbox_snapshots, or its tables in"):
        await snapshots.restore(taken, BEGINNING)
    assert await connection.fetchval("SELECT picodollars FROM prices") == 8
    assert await snapshots.delete("a")
    assert await snapshots.all() == []
    await connection.execute("DELETE FROM prices; DELETE FROM shards")
    await connection.close()


async def test_a_restore_whose_connection_is_lost_in_the_middle_ends(database_url: str) -> None:
    """With COPY the driver waits out its whole timeout where it still has much to send."""
    snapshots = PostgresSnapshots(database_url)
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO shards (shard, epoch, opened, seq, head, last_at) VALUES (0, 1, 1, 9000, '', 0);"
        "UPDATE chain_ledger SET entropy = decode(repeat('00', 32), 'hex');"
        "INSERT INTO journal SELECT 0, n, n, 'place_order', decode(repeat('ab', 1000), 'hex'), ''"
        "FROM generate_series(1, 9000) AS n"
    )
    taken = await snapshots.take("a", 5, b"{}")
    await connection.execute(
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS"
        "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END';"
        "CREATE TRIGGER cut BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION cut()"
    )
    async with asyncio.timeout(60) as patience:
        with pytest.raises(CommitUnknown, match="in the middle of operation"):
            await snapshots.restore(taken, BEGINNING)
    assert not patience.expired()
    assert await connection.fetchval("SELECT count(*) FROM journal") == 9000
    await connection.execute(
        "DROP FUNCTION cut CASCADE; DELETE FROM journal; DELETE FROM shards; UPDATE chain_ledger SET entropy = NULL"
    )
    await snapshots.delete("a")
    await connection.close()
