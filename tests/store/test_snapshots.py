"""Which tables a snapshot holds."""

import asyncpg

from countermand.store.snapshots_postgres import CHANGED, COPIED, LEFT_OUT

_TABLES = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"


async def test_every_table_is_in_a_snapshot_or_left_out_for_a_reason(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        tables = sorted(name for (name,) in await connection.fetch(_TABLES))
    finally:
        await connection.close()
    assert tables == sorted((*COPIED, *CHANGED, *LEFT_OUT))
    assert all(LEFT_OUT.values())
