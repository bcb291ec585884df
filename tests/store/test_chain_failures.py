"""What a connection that breaks under the chain's ledger means to the chain."""

import asyncio
from typing import Any, Final

import asyncpg
import pytest

from countermand.kernel.ports import Unavailable
from countermand.solana.ledger_store import LedgerUnavailable
from countermand.store.chain_postgres import PostgresLedgerStore
from countermand.store.connections import asking

CUT_S: Final = 0.3
"""Within that the driver has seen the end of a connection."""


async def test_a_server_that_dies_in_the_middle_of_an_answer_is_only_unavailable(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver then sometimes speaks of its own state instead of the connection."""

    async def confused(*_args: Any, **_kwargs: Any) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        store = PostgresLedgerStore(database_url, pool)
        before = await store.begin_epoch(None)
        with monkeypatch.context() as patched:
            patched.setattr(asyncpg.Connection, "fetchrow", confused)
            with pytest.raises(LedgerUnavailable, match="InternalClientError"):
                await store.begin_epoch(before.opened)
        again = await store.begin_epoch(before.opened)  # On a connection of which nothing is in doubt.
        assert again.number == before.number + 1
        await store.close()


async def test_a_failure_is_told_on_one_line(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL adds details and hints on lines of their own, and the log has one line an event."""
    full = asyncpg.DiskFullError("could not extend file")
    full.hint = "Check free\ndisk space."

    async def fails(*_args: Any, **_kwargs: Any) -> None:
        raise full

    assert str(full).count("\n") == 2
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        store = PostgresLedgerStore(database_url, pool)
        monkeypatch.setattr(asyncpg.Connection, "fetchrow", fails)
        with pytest.raises(LedgerUnavailable) as told:
            await store.begin_epoch(None)
        await store.close()
    with pytest.raises(Unavailable) as answered, asking():
        raise full
    words = "could not extend file HINT: Check free disk space."
    assert str(told.value) == f"DiskFullError: {words}"
    assert str(answered.value) == f"the database does not answer: {words}"


async def test_a_server_that_dies_in_the_middle_of_a_load_is_only_unavailable(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain loads again after that alone. Any other exception ended it for good."""

    async def lost(*_args: Any, **_kwargs: Any) -> None:
        raise ConnectionResetError("gone")

    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        store = PostgresLedgerStore(database_url, pool)
        epoch = await store.begin_epoch(None)
        for asks in ("fetchrow", "fetchval", "fetch"):
            with monkeypatch.context() as patched:
                patched.setattr(asyncpg.Connection, asks, lost)
                with pytest.raises(LedgerUnavailable, match="gone"):
                    await store.load(epoch, recent_slots=1)
        assert (await store.load(epoch, recent_slots=1)).accounts == []
        await store.close()


async def test_an_idle_connection_that_was_cut_is_opened_anew(database_url: str) -> None:
    """As a server does that ends idle sessions, or a proxy. The next commit failed, and the chain was loaded again."""
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        store = PostgresLedgerStore(database_url, pool)
        epoch = await store.begin_epoch(None)
        own = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'countermand writer of"
        assert await pool.fetchval(f"SELECT pg_terminate_backend(pid) {own} the chain'")
        while await pool.fetchval(f"SELECT count(*) {own} the chain'"):
            await asyncio.sleep(0.01)
        await asyncio.sleep(CUT_S)
        again = await store.begin_epoch(epoch.opened)
        assert again.number == epoch.number + 1
        await store.close()
