"""`countermand audit` as an operator runs it: what it prints, with which status, and what it does not disturb (B2)."""

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from countermand.audit.not_checked import sentences
from countermand.store import beside
from countermand.store.beside import database_beside
from countermand.store.embedded import EmbeddedPostgres, PostgresUnavailable
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import JUP, SOL, USDC, LostAnswer, Venue, running_venue
from tests.forked import COUNTERMAND, run

ROUNDS = 4


def audited(data: Path, *options: str) -> tuple[int, str]:
    done = run(COUNTERMAND, "audit", "--data", str(data), *options, seconds=60)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data, tmp_path / "copy"))


def test_all_agrees_and_what_is_not_checked_is_told(copy: Path) -> None:
    status, words = audited(copy)
    assert (status, words.splitlines()[-1]) == (0, "Everything agrees.")
    for sentence in sentences():
        assert sentence in words
    assert words.index(list(sentences())[-1]) < words.index("journal entries replayed"), "the sums stand by the verdict"
    assert "seed_fingerprint" not in words, "the seed is in the data directory"


async def test_the_rows_of_the_shards_are_gone(copy: Path) -> None:
    async with EmbeddedPostgres(copy) as server:
        connection = await asyncpg.connect(server.dsn)
        await connection.execute("DELETE FROM shards")
        await connection.close()
    status, words = audited(copy)
    assert status == 1
    assert "DIFFERS: shards 0: the row is missing\n" in words
    assert "DIFFERS: shards 1: the row is missing\n" in words


def test_another_master_seed(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other-seed"
    other.write_bytes(bytes(32))
    other.chmod(0o600)
    status, words = audited(copy, "--master-seed", str(other))
    assert status == 1
    assert "DIFFERS: venue: its vaults belong to the master seed " in words


def test_a_master_seed_that_is_not_there(copy: Path, tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert audited(copy, "--master-seed", str(missing)) == (2, f"countermand: there is no master seed {missing}\n")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DROP TABLE api_keys", "the database has no table api_keys: "),
        (
            "ALTER TABLE onchain_orders DROP COLUMN ended_nth; DELETE FROM migrations WHERE number > 10",
            "migrations 11: the database lacks 0011_ended_in_a_slot.sql: it is of an older Countermand; ",
        ),
    ],
)
async def test_a_database_of_another_version(copy: Path, change: str, found: str) -> None:
    async with EmbeddedPostgres(copy) as server:
        connection = await asyncpg.connect(server.dsn)
        await connection.execute(change)
        await connection.close()
    status, words = audited(copy)
    assert status == 2
    assert words.startswith(f"countermand: {found}")
    assert words.count("\n") == 1


HALF_RESET = """
INSERT INTO sandbox_settings (name, body) VALUES ('resetting', '7');
DELETE FROM orders; DELETE FROM journal WHERE shard = 0; DELETE FROM events WHERE shard = 0; DELETE FROM vaults;
"""
SETTINGS = "SELECT name FROM sandbox_settings"


async def test_a_reset_that_was_cut_short_is_no_difference(copy: Path) -> None:
    async with EmbeddedPostgres(copy) as server:
        connection = await asyncpg.connect(server.dsn)
        await connection.execute(HALF_RESET)
        await connection.close()
    status, words = audited(copy)
    assert status == 2
    assert words.startswith("countermand: a reset of this sandbox was cut short, so nothing can be compared; ")
    assert words.count("\n") == 1


async def test_a_start_or_a_reset_that_ended_before_its_first_prices_is_no_difference(tmp_path: Path) -> None:
    data = tmp_path / "data"
    ended, writing = os.pipe()
    os.close(writing)
    options = ("--data", str(data), "--port", "0", "--end-with-stdin")
    done = run(COUNTERMAND, "serve", *options, seconds=60, redirected={"stdin": ended})
    os.close(ended)
    assert (done.returncode, done.stdout) == (0, "")
    assert await settings(data) == {"beginning"}
    status, words = audited(data)
    assert (status, "prices: those of the first tokens" in words) == (0, True)
    with running_venue(tmp_path) as venue:
        assert venue.audit()["ok"] is True
        assert await settings(data) == set()
        venue.resets()
        assert await settings(data) == {"seed"}
        assert venue.audit()["ok"] is True


async def settings(data: Path) -> set[str]:
    async with database_beside(data, None) as dsn:
        connection = await asyncpg.connect(dsn)
        found = {name for (name,) in await connection.fetch(SETTINGS)}
        await connection.close()
    return found


async def test_a_command_waits_for_another_that_has_started_the_database(copy: Path) -> None:
    """What the first one started would end under the second."""
    other_ended, begun = asyncio.Event(), asyncio.Event()

    async def looks() -> int:
        async with database_beside(copy, None) as dsn:
            begun.set()
            await other_ended.wait()
            connection = await asyncpg.connect(dsn)
            shards: int = await connection.fetchval("SELECT count(*) FROM shards")
            await connection.close()
        return shards

    async with database_beside(copy, None):
        second = asyncio.create_task(looks())
        with suppress(TimeoutError):
            await asyncio.wait_for(begun.wait(), 0.2)
    other_ended.set()
    assert await second > 1


async def test_a_command_does_not_wait_for_ever(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "TURN_S_MAX", 0)
    async with database_beside(copy, None):
        with pytest.raises(PostgresUnavailable, match="another command has been at work in "):
            async with database_beside(copy, None):
                pass


def test_no_false_alarm_while_much_happens(tmp_path: Path) -> None:
    """Orders of two families, prices that cross them, a clock that leaps, resets in between."""
    with running_venue(tmp_path) as venue:
        with busy(venue):
            for each in range(ROUNDS):
                venue.price(SOL, "151" if each % 2 else "149")
                venue.advances(2)
                if each == ROUNDS // 2:
                    venue.resets()
                assert (found := venue.audit())["ok"] is True, found
                status, words = audited(tmp_path / "data")
                assert status == 0, words
        assert venue.audit()["ok"] is True
    assert audited(tmp_path / "data")[0] == 0


@contextmanager
def busy(venue: Venue) -> Iterator[None]:
    """Traders come and go. A reset takes their money, and all that they wanted with it."""
    done = threading.Event()

    def trade() -> None:
        while not done.is_set():
            try:
                _trades_once(venue)
            except (AssertionError, LostAnswer, KeyError):
                continue

    threads = [threading.Thread(target=trade) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _trades_once(venue: Venue) -> None:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    trader.joins()
    order = trader.places(single(1 * SOL, above=200))
    trader.places(single(1 * SOL, above=150.5))
    trader.places(single(10 * USDC, JUP, below=0.1, lives_ms=3_000))
    trader.withdraws(order, trader.cancels(order))
    LimitTrader(venue, trader).places(10 * USDC, JUP)
