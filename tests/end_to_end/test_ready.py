"""A venue says that it is ready when it serves all families of orders, and not before."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from tests.end_to_end.crash_support import Server, until

_LONG_ENOUGH_S = 1


@pytest.mark.parametrize(("shard", "table"), [(0, "orders"), (1, "book_orders")])
async def test_it_waits_for_the_orders_of_every_family(
    tmp_path: Path, database_url: str, shard: int, table: str
) -> None:
    server = Server(tmp_path / "venue", "--database-url", database_url, "--log-level", "debug")
    blocker = await asyncpg.connect(database_url)
    try:
        holding = blocker.transaction()
        await holding.start()
        await blocker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        spawning = asyncio.create_task(server.spawn())

        async def other_is_loaded() -> bool:
            return f"shard={1 - shard}" in server.log()

        await until(other_is_loaded)
        done, _ = await asyncio.wait([spawning], timeout=_LONG_ENOUGH_S)
        assert not done, f"it says that it is ready: {spawning.result()}"
        await holding.rollback()
        assert (await spawning).startswith("Countermand is ready:")
    finally:
        await blocker.close()
        await server.kill()
