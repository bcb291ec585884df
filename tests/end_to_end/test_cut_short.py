"""What the database refuses half way, such as a reset, leaves no half that stays."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from solders.keypair import Keypair

from tests.end_to_end.crash_support import SOL, Server, Wallet

REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
IF current_query() LIKE '%{like}%' THEN RAISE 'refused' USING ERRCODE = '{code}'; END IF; RETURN NULL; END$$;
CREATE TRIGGER refusing BEFORE {event} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse();
"""
DISK_IS_FULL = "53100"
RAISED = "P0001"


@pytest.fixture
async def operator(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def server(tmp_path: Path, database_url: str) -> AsyncIterator[Server]:
    server = Server(tmp_path / "venue", "--database-url", database_url)
    await server.start()
    yield server
    await server.kill()


@pytest.fixture
async def wallet(server: Server) -> AsyncIterator[Wallet]:
    """With an order."""
    wallet = Wallet(server)
    await wallet.comes()
    await wallet.places("200")
    yield wallet
    wallet.http.close()


async def test_a_reset_goes_on_once_the_database_takes_it(
    server: Server, wallet: Wallet, operator: asyncpg.Connection
) -> None:
    """The orders were gone already, their money on the chain not yet."""
    await operator.execute(REFUSING.format(code=DISK_IS_FULL, event="DELETE", table="vaults", like=""))
    resetting = asyncio.create_task(server.ask("POST", "/sandbox/reset", {"seed": 7}))
    while await operator.fetchval("SELECT count(*) FROM orders"):
        await asyncio.sleep(0.05)
    await operator.execute("DROP TRIGGER refusing ON vaults")
    assert (await resetting).body["seed"] == 7
    assert await wallet.lamports() == 0
    assert (await server.ask("GET", "/sandbox/audit")).body["ok"]


async def test_a_half_of_a_reset_is_served_to_no_client(
    server: Server, wallet: Wallet, operator: asyncpg.Connection
) -> None:
    await server.ask("POST", "/sandbox/snapshots", {"name": "before"})
    await operator.execute(REFUSING.format(code=RAISED, event="DELETE", table="vaults", like=""))
    assert (await server.ask("POST", "/sandbox/reset", {})).status == 500

    said = "a reset of this sandbox was cut short; send it again, or start the venue again"
    ready = await server.ask("GET", "/health/ready")
    assert (ready.status, ready.body) == (503, {"status": "not ready", "reason": said})
    for method, path, body in (
        ("GET", f"/price/v3?ids={SOL}", None),
        ("POST", "/rpc", {"jsonrpc": "2.0", "id": 1, "method": "getSlot"}),
        ("GET", f"/trigger/v1/getTriggerOrders?user={wallet.address}&orderStatus=active", None),
        ("POST", "/sandbox/airdrop", {"wallet": wallet.address, "sol": 1}),
        ("POST", "/sandbox/snapshots", {"name": "half"}),
    ):
        answer = await server.ask(method, path, body)
        assert (answer.status, said in str(answer.body)) == (503, True), (path, answer)
    assert (await server.ask("GET", "/sandbox")).status == 200

    await operator.execute("DROP TRIGGER refusing ON vaults")
    assert (await server.ask("POST", "/sandbox/reset", {})).status == 200
    assert (await server.ask("GET", "/health/ready")).status == 200
    assert await wallet.lamports() == 0


async def test_a_restore_makes_a_half_of_a_reset_whole(
    server: Server, wallet: Wallet, operator: asyncpg.Connection
) -> None:
    had = await wallet.lamports()
    await server.does("POST", "/sandbox/snapshots", {"name": "before"})
    await operator.execute(REFUSING.format(code=RAISED, event="DELETE", table="vaults", like=""))
    assert (await server.ask("POST", "/sandbox/reset", {})).status == 500
    await operator.execute("DROP TRIGGER refusing ON vaults")
    await server.does("POST", "/sandbox/snapshots/before/restore")
    assert (await server.ask("GET", "/health/ready")).status == 200
    assert await operator.fetchval("SELECT count(*) FROM orders") == 1
    assert await wallet.lamports() == had


async def test_a_restore_whose_end_fails_is_repeated(server: Server, operator: asyncpg.Connection) -> None:
    """All tables were restored, and what comes after that failed."""
    await server.does("POST", "/sandbox/snapshots", {"name": "before"})
    await operator.execute(REFUSING.format(code=RAISED, event="DELETE", table="sandbox_settings", like="WHERE"))
    assert (await server.ask("POST", "/sandbox/snapshots/before/restore")).status == 500
    said = "a restore of this sandbox was cut short; send it again, or start the venue again"
    assert (await server.ask("GET", "/health/ready")).body == {"status": "not ready", "reason": said}
    await operator.execute("DROP TRIGGER refusing ON sandbox_settings")
    await server.does("POST", "/sandbox/snapshots/before/restore")
    assert (await server.ask("GET", "/health/ready")).status == 200


async def test_a_token_whose_addition_failed_half_way_is_added_by_the_same_request(
    server: Server, operator: asyncpg.Connection
) -> None:
    """Its mint was on the chain already."""
    mint = str(Keypair().pubkey())
    added = {"symbol": "CUT", "decimals": 6, "price": "2", "mint": mint}
    await operator.execute(REFUSING.format(code=DISK_IS_FULL, event="INSERT", table="sandbox_tokens", like=""))
    assert (await server.ask("POST", "/sandbox/tokens", added)).status == 503
    await operator.execute("DROP TRIGGER refusing ON sandbox_tokens")
    other = await server.ask("POST", "/sandbox/tokens", added | {"decimals": 7})
    assert (other.status, other.body) == (400, {"error": f"{mint} is already in use"})
    await server.does("POST", "/sandbox/tokens", added)
    assert (await server.ask("GET", f"/price/v3?ids={mint}")).body[mint]["usdPrice"] == 2
    again = await server.ask("POST", "/sandbox/tokens", added)
    assert (again.status, "is a token of this venue already" in again.body["error"]) == (400, True)
