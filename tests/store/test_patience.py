"""How long the statements of a pool's connection may take: a load as long as it needs, any other ten seconds.

The driver takes "no time" for "the time of the connection", so that a load of many orders ended like any short read.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from countermand.kernel.ports import Unavailable
from countermand.orders.book.model.markets import MARKETS
from countermand.store import connections
from countermand.store.book_postgres import PostgresBookStore
from countermand.store.builds_postgres import PostgresBuilds
from countermand.store.chain_index_postgres import PostgresChainIndexStore
from countermand.store.connections import Pool, describe, open_pool
from countermand.store.dca_postgres import PostgresDcaStore
from countermand.store.members_postgres import PostgresMembers
from countermand.store.postgres import PostgresStore
from countermand.store.vaults_postgres import PostgresVaults
from countermand.values.bucket import ALL_BUCKETS
from countermand.values.instant import Instant

Asks: TypeAlias = Callable[[str, Pool], Awaitable[Any]]
STATEMENT_S: Final = 0.4
HELD_S: Final = 0.9

LOADS: Final[dict[str, Asks]] = {
    "orders": lambda dsn, pool: PostgresStore(dsn, pool).live_orders(0, ALL_BUCKETS),
    "dca_orders": lambda dsn, pool: PostgresDcaStore(dsn, pool).live_orders(0, ALL_BUCKETS),
    "book_orders": lambda dsn, pool: PostgresBookStore(dsn, pool).live_orders(0),
    "book_balances": lambda dsn, pool: PostgresBookStore(dsn, pool).balances(0),
    "book_trades": lambda dsn, pool: PostgresBookStore(dsn, pool).seconds(next(iter(MARKETS)).symbol, Instant(0)),
    "onchain_orders": lambda dsn, pool: PostgresChainIndexStore(dsn, pool).live_orders(0),
}
CLEARS: Final[dict[str, Asks]] = {
    "builds": lambda _, pool: PostgresBuilds(pool).clear(),
    "members": lambda _, pool: PostgresMembers(pool).clear(),
    "vaults": lambda _, pool: PostgresVaults(pool).clear(),
}


@pytest_asyncio.fixture
async def pool(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    monkeypatch.setattr(connections, "STATEMENT_S", STATEMENT_S)
    pool = await open_pool(database_url, "test")
    yield pool
    pool.terminate()


async def held(database_url: str, table: str, asks: Awaitable[Any]) -> Any:
    """What is asked while a stranger holds the table for longer than a statement may take."""
    stranger = await asyncpg.connect(database_url)
    try:
        async with stranger.transaction():
            await stranger.execute(f"LOCK {table} IN ACCESS EXCLUSIVE MODE")
            asking = asyncio.ensure_future(asks)
            await asyncio.sleep(HELD_S)
        return await asking
    finally:
        await stranger.close()


@pytest.mark.parametrize("table", [*LOADS, *CLEARS])
async def test_what_reads_or_clears_a_table_waits(database_url: str, pool: Pool, table: str) -> None:
    asks = (LOADS | CLEARS)[table]
    assert not await held(database_url, table, asks(database_url, pool))


async def test_a_read_of_a_row_gives_up(database_url: str, pool: Pool) -> None:
    with pytest.raises(Unavailable):
        await held(database_url, "orders", PostgresStore(database_url, pool).orders([]))


def test_what_did_not_answer_in_time_is_told_in_words() -> None:
    """`countermand audit` beside a database that hangs: "no connection to the database: TimeoutError"."""
    assert describe(TimeoutError()) == "it did not answer in time"
    assert describe(ConnectionResetError()) == "ConnectionResetError"
