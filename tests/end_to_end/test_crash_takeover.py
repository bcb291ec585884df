"""Two venues on the same data: one of them serves, the other steps aside and touches nothing."""

import asyncio
import resource
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.crash_support import ONE_SOL, SOL, USDC, Lost, Reply, Server, Wallet, kinds, running, until

REPLACED = 3


def successor(of: Server, url: str) -> Server:
    """Another machine's venue: the same database and the same master seed, a data directory of its own."""
    data = of.data.with_name("successor")
    data.mkdir(exist_ok=True)
    shutil.copy(of.data / "master-seed", data / "master-seed")
    return Server(data, "--database-url", url)


async def test_the_newer_of_two_takes_over_and_the_older_leaves(database_url: str, tmp_path: Path) -> None:
    async with running(tmp_path / "venue", "--database-url", database_url) as older:
        alice = Wallet(older)
        await alice.comes()
        order_id = await alice.places("200")
        newer = successor(older, database_url)
        try:
            await newer.start()
            assert await ends_without_a_commit(older, alice, order_id) == REPLACED
            assert "served by another process now" in older.log()
            alice.server = newer
            assert await alice.is_in(order_id, "open")
            cancelling = await alice.cancel(order_id)
            assert (await alice.confirm(order_id, cancelling.body)).status == 200
            await newer.audited()
        finally:
            alice.http.close()
            await newer.kill()


async def ends_without_a_commit(older: Server, alice: Wallet, order_id: str) -> int:
    with suppress(Lost):
        refused = await alice.cancel(order_id)
        assert not refused.is_definite, refused
    return await older.ended()


async def test_an_idle_venue_that_was_replaced_leaves_by_itself(database_url: str, tmp_path: Path) -> None:
    """It would go on to answer from a memory that is no longer true."""
    async with running(tmp_path / "venue", "--database-url", database_url) as older:
        newer = successor(older, database_url)
        try:
            await newer.start()
            assert await older.ended() == REPLACED
        finally:
            await newer.kill()


async def test_a_frozen_writer_that_wakes_up_after_its_successor_does_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async with running(tmp_path / "venue", "--database-url", database_url) as older:
        alice = Wallet(older)
        await alice.comes(lamports=20 * ONE_SOL)
        filling, crossed, cancelled = [await alice.places(price) for price in ("200", "210", "220")]
        await older.faults(landDelayMs=2_000)
        await older.price("205")
        await until(lambda: alice.is_in(filling, "executing"))  # Its transaction is on its way.
        older.send(signal.SIGSTOP)
        asked = asyncio.create_task(lost_or_answered(alice, crossed))
        newer = successor(older, database_url)
        bob = Wallet(newer, alice.keypair, alice.token)
        try:
            await newer.start()
            await until(lambda: bob.is_in(filling, "fill_success"))
            await newer.price("215")
            await until(lambda: bob.is_in(crossed, "fill_success"))
            cancelling = await bob.cancel(cancelled)
            assert (await bob.confirm(cancelled, cancelling.body)).status == 200
            orders = await bob.orders()
            balances = await bob.lamports(), await bob.units(USDC)
            await asyncio.sleep(2)  # So that what the older one held back for two seconds is due when it wakes up.
            older.send(signal.SIGCONT)
            assert await older.ended() == REPLACED
            answer = await asked
            assert answer is None or not answer.is_definite, f"a cancel of a filled order: {answer}"
            await newer.settled()
            assert await bob.orders() == orders
            assert (await bob.lamports(), await bob.units(USDC)) == balances
            assert [kinds(order) for order in orders] == [
                ["deposit", "fill"],
                ["deposit", "fill"],
                ["deposit", "cancelled", "withdrawal"],
            ]
            await newer.audited()
        finally:
            alice.http.close()
            bob.http.close()
            await newer.kill()


async def lost_or_answered(wallet: Wallet, order_id: str) -> Reply | None:
    with suppress(Lost):
        return await wallet.cancel(order_id)
    return None


SILENT = 1_500


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * SILENT), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
async def test_1500_silent_connections_disturb_no_client(database_url: str, tmp_path: Path) -> None:
    async with running(tmp_path / "venue", "--database-url", database_url) as server:
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(SILENT)]
        alice = Wallet(server)
        try:
            await alice.comes()
            for _ in range(5):
                order_id = await alice.places("200")
                began = time.monotonic()
                cancelling = await alice.cancel(order_id)
                assert cancelling.status == 200
                assert (await alice.confirm(order_id, cancelling.body)).status == 200
                assert time.monotonic() - began < 9
            assert (await server.does("GET", "/sandbox"))["tokens"][0]["mint"] == SOL
            server.send(signal.SIGTERM)
            assert await server.ended() == 0, "silent connections do not hold up a stop"
        finally:
            alice.http.close()
            for connection in silent:
                connection.close()
