"""What an audit finds of a sandbox's snapshots while they are taken and deleted."""

import asyncpg
import pytest

from countermand.audit.findings import Audit
from countermand.audit.snapshots import check_snapshots
from countermand.kernel.ports import Unavailable
from countermand.store.postgres import PostgresStore
from countermand.store.snapshots_postgres import PostgresSnapshots

_BODY = b'{"frozen":false,"seed":4,"liquidity":{}}'


async def test_one_that_is_taken_anew_meanwhile_is_no_difference(database_url: str) -> None:
    """Its row is that of the audit's instant, but its tables are gone: PostgreSQL drops those at once, for everyone."""
    store, snapshots, found = await PostgresStore.connect(database_url), PostgresSnapshots(database_url), Audit()
    await snapshots.take("a", 5, _BODY)
    await snapshots.take("b", 5, _BODY)
    async with store.snapshot() as snapshot:
        await snapshot.shards()
        await snapshots.take("a", 6, _BODY)
        await snapshots.delete("b")
        await check_snapshots(snapshot, found)
        assert len(await snapshot.shards()) == 0, "the audit can go on"
    await store.close()
    assert found.differences == []


async def test_an_audit_whose_connection_is_lost_can_be_tried_again(database_url: str) -> None:
    store = await PostgresStore.connect(database_url)
    with pytest.raises(Unavailable, match=r"answer: connection (is|was) closed"):
        await _cut_in_the_middle(store, database_url)
    await store.close()


async def _cut_in_the_middle(store: PostgresStore, database_url: str) -> None:
    operator = await asyncpg.connect(database_url)
    async with store.snapshot() as snapshot:
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE '%audit'"
        assert await operator.fetchval(ended) is True
        await operator.close()
        await snapshot.shards()
