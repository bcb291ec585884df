"""Processes that replace each other on one database while many trade: each client is told what is true."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import asyncpg
import pytest

from tests.end_to_end.crash_load import Kept, Trader, all_is_well, meanwhile, move_prices, trader, trading
from tests.end_to_end.crash_support import JUP, Http, Lost, Reply, Server, Wallet, until

TRADERS = 6
LOAD_S = 0.8
"""Between one start and the next."""
CANNOT_GO_ON = 2
REPLACED = 3

Database: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Event = tuple[Any, ...]
"""Its shard, the number of its journal entry, its number in that, its order, its kind and its body."""


@dataclass(frozen=True, slots=True)
class Said:
    """A process on this port answered a request that began at this moment."""

    port: int
    began: float
    request: str
    reply: Reply

    @property
    def changes(self) -> bool:
        return not self.request.startswith("GET")


class WitnessedHttp(Http):
    """A connection that remembers its answers."""

    def __init__(self, wallet: Wallet, said: list[Said]) -> None:
        super().__init__(lambda: wallet.server.port)
        self._said = said

    async def ask(self, method: str, path: str, body: object = None, token: str | None = None) -> Reply:
        port, began = self._port(), time.monotonic()
        reply = await super().ask(method, path, body, token)
        self._said.append(Said(port, began, f"{method} {path}", reply))
        return reply


class Follower:
    """Reads the event log as any reader does: it asks for what is after its positions, and never looks back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._positions: dict[int, tuple[int, int]] = {}
        self.read: list[Event] = []

    async def follow(self) -> None:
        while True:
            await self.read_on()
            await asyncio.sleep(0.02)

    async def read_on(self) -> None:
        for row in await self._database.fetch("SELECT shard FROM shards"):
            shard: int = row["shard"]
            rows = await self._database.fetch(EVENTS_AFTER, shard, *self._positions.get(shard, (0, -1)))
            self.read += map(tuple, rows)
            if rows:
                self._positions[shard] = rows[-1]["seq"], rows[-1]["n"]


EVENTS_AFTER = """
SELECT shard, seq, n, order_id, kind, body FROM events WHERE shard = $1 AND (seq, n) > ($2, $3) ORDER BY seq, n
"""
TAKEN = "SELECT opened FROM chain_ledger"
"""It rises when a process takes the fences, all in one transaction."""
EVENTS = "SELECT shard, seq, n, order_id, kind, body FROM events ORDER BY shard, seq, n"
JOURNALS = """
SELECT shard, shards.seq AS fence, array_remove(array_agg(journal.seq ORDER BY journal.seq), NULL) AS entries
FROM shards LEFT JOIN journal USING (shard) GROUP BY shard
"""


async def test_processes_replace_each_other_while_many_trade(database_url: str, tmp_path: Path, random: Random) -> None:
    """The first is replaced while it works, the second while it hangs."""
    said: list[Said] = []
    async with (
        asyncpg.create_pool(database_url, min_size=1, max_size=1) as database,
        processes(tmp_path, database_url) as (first, second, third),
        trading_at(first, random, said) as traders,
    ):
        follower = Follower(database)
        leaving, staying = traders[::2], traders[1::2]
        async with meanwhile(follower.follow()), trading(first, traders, random):
            await under_load(first, said)
            second_took = await takes_over(second, database, leaving)
            assert await first.ended() == REPLACED
            moved_to(second, staying)
            async with meanwhile(move_prices(second, random)):
                await under_load(second, said)
                second.send(signal.SIGSTOP)
                third_took = await takes_over(third, database, leaving)
                asking = asyncio.gather(*(asked_all_again(second, one, said) for one in staying))
                await asyncio.sleep(0.3)
                second.send(signal.SIGCONT)
                assert await second.ended() == REPLACED
                await asking
                moved_to(third, staying)
                async with meanwhile(move_prices(third, random)):
                    await under_load(third, said)
        was_silent(first, second_took, said)
        was_silent(second, third_took, said)
        await all_is_well(third, traders)
        await everything_fills_that_was_not_cancelled(third, traders)
        third.send(signal.SIGTERM)
        assert await third.ended() == 0
        assert "Everything agrees." in await third.audited_from_outside()
        await the_log_has_no_gap(database, follower)


@pytest.mark.parametrize("act", [Trader.amend, Trader.create], ids=["amends", "repeated creates"])
async def test_a_replaced_process_acknowledges_nothing_more(
    database_url: str, tmp_path: Path, random: Random, act: Callable[[Trader, Kept], Awaitable[None]]
) -> None:
    """Nothing is to be done on the chain meanwhile: its fence would end the process, too. A repeated create changes
    nothing at all, and still passes the fence before it is answered.
    """
    said: list[Said] = []
    async with (
        asyncpg.create_pool(database_url, min_size=1, max_size=1) as database,
        processes(tmp_path, database_url) as (first, second, _),
        trading_at(first, random, said) as traders,
    ):
        await first.price("100")
        await first.price("0.9", JUP)  # No order is due.
        for one in traders:
            for _ in range(3):
                await one.place()
        await first.settled()
        async with meanwhile(*(goes_on(one, act) for one in traders)):
            await under_load(first, said)
            took = await takes_over(second, database, leaving=())
            assert await first.ended() == REPLACED
            await until(partial(all_were_cut, traders))
        was_silent(first, took, said)
        moved_to(second, traders)
        await all_is_well(second, traders)


async def under_load(server: Server, said: Sequence[Said]) -> None:
    """For a while, and until it has answered some changes."""

    async def has_answered() -> bool:
        return sum(each.port == server.port and each.changes for each in said) > 10

    await asyncio.sleep(LOAD_S)
    await until(has_answered)


async def all_were_cut(traders: Sequence[Trader]) -> bool:
    """Each asked until the process ended, and once more."""
    return all(one.cut for one in traders)


async def goes_on(one: Trader, act: Callable[[Trader, Kept], Awaitable[None]]) -> None:
    while True:
        for kept in one.orders:
            await act(one, kept)
            await asyncio.sleep(0)


@pytest.fixture
def random() -> Random:
    seed = int(os.environ.get("COUNTERMAND_CRASH_SEED", "0")) or int.from_bytes(os.urandom(4))
    print(f"COUNTERMAND_CRASH_SEED={seed}")  # Shown if the test fails.
    return Random(seed)


@asynccontextmanager
async def processes(tmp_path: Path, database_url: str) -> AsyncIterator[tuple[Server, Server, Server]]:
    """Each as if on a machine of its own: they share the database and the master seed."""
    shared = ("--database-url", database_url, "--master-seed", str(tmp_path / "master-seed"))
    first, second, third = (Server(tmp_path / name, *shared) for name in ("first", "second", "third"))
    try:
        yield first, second, third
    finally:
        for server in (first, second, third):
            await server.kill()


@asynccontextmanager
async def trading_at(server: Server, random: Random, said: list[Said]) -> AsyncIterator[list[Trader]]:
    """Traders of a new venue, each with a wallet of its own."""
    await server.start()
    traders = await asyncio.gather(*(trader(server, Random(random.random())) for _ in range(TRADERS)))
    for one in traders:
        one.wallet.http.close()
        one.wallet.http = WitnessedHttp(one.wallet, said)
    try:
        yield traders
    finally:
        for one in traders:
            one.wallet.http.close()


async def takes_over(newer: Server, database: Database, leaving: Sequence[Trader]) -> float:
    """When it was seen to have the fences. Once it serves, some traders go there at once, and the others stay."""
    before = await database.fetchval(TAKEN)
    starting = asyncio.create_task(newer.start())
    while await database.fetchval(TAKEN) == before and not starting.done():
        await asyncio.sleep(0.005)
    took = time.monotonic()
    await starting
    moved_to(newer, leaving)
    return took


def moved_to(server: Server, traders: Sequence[Trader]) -> None:
    for one in traders:
        one.wallet.server = server


async def asked_all_again(older: Server, one: Trader, said: list[Said]) -> None:
    """Repeats each create, and asks to cancel each order."""
    assert one.orders, "there is nothing to ask for"
    await asyncio.gather(
        *(asked_apart(older, one.wallet, said, partial(Wallet.create, creation=kept.creation)) for kept in one.orders),
        *(
            asked_apart(older, one.wallet, said, partial(Wallet.cancel, order_id=kept.id))
            for kept in one.orders
            if kept.id
        ),
    )


async def asked_apart(
    older: Server, wallet: Wallet, said: list[Said], request: Callable[[Wallet], Awaitable[Reply]]
) -> None:
    """On a connection of its own."""
    twin = Wallet(older, wallet.keypair, wallet.token)
    twin.http = WitnessedHttp(twin, said)
    try:
        with suppress(Lost):
            await request(twin)
    finally:
        twin.http.close()


def was_silent(older: Server, newer_took: float, said: Sequence[Said]) -> None:
    """What it showed came from the database, and is true. It acknowledged and refused nothing."""
    for each in said:
        late = each.port == older.port and each.began > newer_took
        assert not (late and each.changes and each.reply.is_definite), f"it was replaced, and answered: {each}"


async def everything_fills_that_was_not_cancelled(server: Server, traders: Sequence[Trader]) -> None:
    await server.price("180")
    await server.price("0.3", JUP)
    await all_is_well(server, traders)
    orders = [kept for one in traders for kept in one.orders]
    for kept in orders:  # A cancel that was not answered may be effective, or not.
        assert kept.filled is None if kept.stopped else kept.filled or kept.newer_cancel_asked, kept
    assert any(kept.stopped for kept in orders)
    assert any(kept.filled for kept in orders)


async def the_log_has_no_gap(database: Database, follower: Follower) -> None:
    """Each journal counts from 1 to where its fence stands, and a reader was told all events of its entries, once."""
    entries = set()
    for shard, fence, numbers in await database.fetch(JOURNALS):
        assert numbers == list(range(1, fence + 1)), f"the journal of shard {shard}"
        entries |= {(shard, number) for number in numbers}
    await follower.read_on()
    events = [tuple(row) for row in await database.fetch(EVENTS)]
    assert sorted(follower.read) == events, "the reader missed events, or read them twice"
    numbered: dict[tuple[int, int], list[int]] = {}
    for shard, seq, n, *_ in events:
        numbered.setdefault((shard, seq), []).append(n)
    assert set(numbered) == entries
    assert all(numbers == list(range(len(numbers))) for numbers in numbered.values())


async def test_a_database_that_went_back_ends_the_venue_without_a_commit(tmp_path: Path, database_url: str) -> None:
    """As to what it was before this start. It said that it was ready, and refused every order."""
    server = Server(tmp_path / "venue", "--database-url", database_url)
    operator = await asyncpg.connect(database_url)
    try:
        await server.start()
        await operator.execute("UPDATE shards SET epoch = epoch - 1 WHERE shard = 0")
        assert await server.ended() == CANNOT_GO_ON
        assert "the database went back: shard 0 is in epoch 1, and was in 2." in server.log()
    finally:
        await operator.close()
        await server.kill()
