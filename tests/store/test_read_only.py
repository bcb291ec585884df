"""A database that was made read-only for a while, as hosts do when its disk is full, is written to again afterwards."""

from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from countermand.kernel.ports import CommitUnknown
from countermand.orders.shards import TRIGGER_SHARD
from countermand.store.connections import POOL_CONNECTIONS, open_pool
from countermand.store.postgres import PostgresStore
from countermand.store.prices_postgres import PostgresPrices
from countermand.values.identity import Mint
from countermand.values.quantities import UsdPrice

SOL = Mint("So11111111111111111111111111111111111111112")


@pytest.fixture
async def operator(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await set_read_only(connection, "RESET default_transaction_read_only")
    await connection.close()


async def set_read_only(operator: "asyncpg.Connection[asyncpg.Record]", how: str) -> None:
    """Counts for the sessions that begin from now on."""
    name = await operator.fetchval("SELECT current_database()")
    await operator.execute(f'ALTER DATABASE "{name}" {how}')


async def test_no_session_stays_read_only(database_url: str, operator: "asyncpg.Connection[asyncpg.Record]") -> None:
    store = await PostgresStore.connect(database_url)
    epoch = await store.begin_epoch(TRIGGER_SHARD)
    await store.close()
    await set_read_only(operator, "SET default_transaction_read_only = on")
    pool = await open_pool(database_url, "test")
    prices = PostgresPrices(pool, TRIGGER_SHARD, epoch.number)
    for _ in range(POOL_CONNECTIONS + 1):
        with pytest.raises(CommitUnknown, match="read-only"):
            await prices.set_prices({SOL: UsdPrice(7)})
        assert list(await prices.prices()) == []
    await set_read_only(operator, "RESET default_transaction_read_only")
    with suppress(CommitUnknown):  # The pool has opened the least that it keeps before.
        await prices.set_prices({SOL: UsdPrice(8)})
    for dollars in range(9, 9 + 2 * POOL_CONNECTIONS):
        await prices.set_prices({SOL: UsdPrice(dollars)})
        assert list(await prices.prices()) == [(SOL, UsdPrice(dollars))]
    await pool.close()
