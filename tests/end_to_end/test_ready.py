"""A venue says that it is ready when it serves all families of orders, and not before."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.end_to_end.crash_support import Server, Wallet, until

_LONG_ENOUGH_S = 1
_SECONDS = 8
FULL = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE 'could not extend file "base/5/2601": No space left on device' USING ERRCODE = '53100'; END$$;
CREATE TRIGGER full_disk BEFORE UPDATE ON shards FOR EACH ROW EXECUTE FUNCTION refuse();
"""
WALLET = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"


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


async def test_idle_connections_that_are_cut_harm_nothing(tmp_path: Path, database_url: str) -> None:
    """As by `idle_session_timeout`. The chain's next commit was refused with 503, and all of it was loaded again."""
    server = Server(tmp_path / "venue", "--database-url", database_url)
    name = urlsplit(database_url).path.removeprefix("/")
    operator = await asyncpg.connect(database_url.replace(f"/{name}?", "/postgres?"))
    try:
        await server.start()
        await server.does("POST", "/sandbox/airdrop", {"wallet": WALLET, "mint": "SOL", "amount": "1000000"})
        await operator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        for _ in range(10):
            await asyncio.sleep(_LONG_ENOUGH_S / 5)
            await server.does("GET", "/health/ready")
        await server.does("POST", "/sandbox/airdrop", {"wallet": WALLET, "mint": "SOL", "amount": "1000000"})
        await server.price("151")
    finally:
        await operator.close()
        await server.kill()


async def test_it_is_not_ready_within_seconds_where_the_database_hangs(tmp_path: Path, database_url: str) -> None:
    """It said so for 20 s: for as long as two statements wait."""
    server = Server(tmp_path / "venue", "--database-url", database_url)
    blocker = await asyncpg.connect(database_url)

    async def answers(status: int) -> None:
        while (await server.ask("GET", "/health/ready")).status != status:
            await asyncio.sleep(0.1)

    try:
        await server.start()
        holding = blocker.transaction()
        await holding.start()
        await blocker.execute("LOCK TABLE shards IN ACCESS EXCLUSIVE MODE")
        await asyncio.wait_for(answers(503), _SECONDS)
        await holding.rollback()
        await asyncio.wait_for(answers(200), _SECONDS)
    finally:
        await blocker.close()
        await server.kill()


async def test_settling_waits_for_a_price_that_is_being_stored(tmp_path: Path, database_url: str) -> None:
    """Also where the one who set it has left. It said "settled", and orders were filled a moment later."""
    server = Server(tmp_path / "venue", "--database-url", database_url)
    blocker = await asyncpg.connect(database_url)
    wallet = Wallet(server)
    try:
        await server.start()
        await wallet.comes()
        order = await wallet.places("200")
        await server.settled()
        holding = blocker.transaction()
        await holding.start()
        await blocker.execute("LOCK TABLE prices IN ACCESS EXCLUSIVE MODE")
        setting = asyncio.create_task(server.price("201"))
        await asyncio.sleep(_LONG_ENOUGH_S / 5)
        setting.cancel()
        asked = {"timeoutMs": 100}
        assert await server.does("POST", "/sandbox/settle", asked) == {"settled": False, "waitingFor": []}
        await holding.rollback()
        await server.settled()
        assert await wallet.is_in(order, "fill_success")
    finally:
        wallet.http.close()
        await blocker.close()
        await server.kill()


async def test_it_is_not_ready_while_the_database_is_read_only(tmp_path: Path, database_url: str) -> None:
    """As hosts make it when its disk is full. It said "ready" for as long as nothing was written."""
    server = Server(tmp_path / "venue", "--database-url", database_url)
    name = urlsplit(database_url).path.removeprefix("/")
    operator = await asyncpg.connect(database_url.replace(f"/{name}?", "/postgres?"))

    async def says(status: int) -> None:
        while (reply := await server.ask("GET", "/health/ready")).status != status:
            await asyncio.sleep(0.1)
        assert status == 200 or reply.body == {"status": "not ready", "reason": "the database is read-only"}

    try:
        await server.start()
        await operator.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await operator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await asyncio.wait_for(says(503), _SECONDS)
        await operator.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await asyncio.wait_for(says(200), _SECONDS)
    finally:
        await operator.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await operator.close()
        await server.kill()


async def test_it_says_what_the_database_lacks(tmp_path: Path, database_url: str) -> None:
    """PostgreSQL's own error stands in for a disk that is full: when one begins an epoch."""
    server = Server(tmp_path / "venue", "--database-url", database_url)
    operator = await asyncpg.connect(database_url)

    async def is_full() -> bool:
        reply = await server.ask("GET", "/health/ready")
        reason = "the orders are being loaded, but the disk of the database is full"
        return dict(reply.body) == {"status": "not ready", "reason": reason}

    async def is_ready() -> bool:
        return (await server.ask("GET", "/health/ready")).status == 200

    try:
        await server.start()
        await operator.execute(FULL)
        resetting = asyncio.create_task(server.ask("POST", "/sandbox/reset", {}))
        await until(is_full)
        await operator.execute("DROP TRIGGER full_disk ON shards")
        await until(is_ready)
        await resetting
    finally:
        await operator.close()
        await server.kill()


async def test_it_is_not_ready_while_the_database_is_away(tmp_path: Path, database_url: str) -> None:
    """Nothing is asked of it meanwhile: no commit fails that could tell."""
    server = Server(tmp_path / "venue", "--database-url", database_url)
    name = urlsplit(database_url).path.removeprefix("/")
    operator = await asyncpg.connect(database_url.replace(f"/{name}?", "/postgres?"))

    async def is_ready() -> bool:
        return (await server.ask("GET", "/health/ready")).status == 200

    async def is_not_ready() -> bool:
        return not await is_ready()

    try:
        await server.start()
        await operator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await operator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await until(is_not_ready)
        reply = await server.ask("GET", "/health/ready")
        assert reply.body == {"status": "not ready", "reason": "the database does not answer"}
        await operator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await until(is_ready)
    finally:
        await operator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await operator.close()
        await server.kill()
