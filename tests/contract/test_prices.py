"""What every store of prices does: the one in PostgreSQL, and the simulator's."""

from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from countermand.kernel.ports import Unavailable
from countermand.orders.shards import TRIGGER_SHARD
from countermand.services.prices import PriceStore
from countermand.store.postgres import PostgresStore
from countermand.store.prices_postgres import PostgresPrices
from countermand.values.identity import Mint
from countermand.values.quantities import USD_PRICE_MAX, UsdPrice
from countermand_simulator.memory_store import MemoryDatabase, MemoryPrices, MemoryStore, NoFaults

SOL, USDC = Mint("So11111111111111111111111111111111111111112"), Mint("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")

Opened = tuple[PriceStore, Callable[[], PriceStore]]
"""The store of a process, and that of one that takes the shard over."""


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Opened]:
    if request.param == "memory":
        database = MemoryDatabase()
        epochs = [await MemoryStore(database).begin_epoch(TRIGGER_SHARD)]
        mine = MemoryPrices(database, NoFaults(), lambda: epochs[0].number)
        epochs.append(await MemoryStore(database).begin_epoch(TRIGGER_SHARD))
        yield mine, lambda: MemoryPrices(database, NoFaults(), lambda: epochs[1].number)
        return
    store = await PostgresStore.connect(database_url)
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=2)
    first = await store.begin_epoch(TRIGGER_SHARD)
    second = await store.begin_epoch(TRIGGER_SHARD)
    yield (
        PostgresPrices(pool, TRIGGER_SHARD, first.number),
        lambda: PostgresPrices(pool, TRIGGER_SHARD, second.number),
    )
    pool.terminate()
    await store.close()


async def test_prices_are_exact_and_the_newest_counts(world: Opened) -> None:
    store = world[1]()
    assert list(await store.prices()) == []
    await store.set_prices({SOL: UsdPrice(1), USDC: UsdPrice(USD_PRICE_MAX - 1)})
    await store.set_prices({SOL: UsdPrice(123_456_789_012_345)})
    assert list(await store.prices()) == [(USDC, UsdPrice(USD_PRICE_MAX - 1)), (SOL, UsdPrice(123_456_789_012_345))]


async def test_a_process_that_was_replaced_sets_no_price(world: Opened) -> None:
    mine, taken_over = world
    store = taken_over()
    await store.set_prices({SOL: UsdPrice(7)})
    with pytest.raises(Unavailable):
        await mine.set_prices({SOL: UsdPrice(8)})
    assert list(await store.prices()) == [(SOL, UsdPrice(7))]


async def test_what_is_cleared_was_never_set(world: Opened) -> None:
    store = world[1]()
    await store.set_prices({SOL: UsdPrice(7)})
    await store.clear()
    assert list(await store.prices()) == []
