"""Rows that belong to no shard: what was built for users, and the vaults that they registered."""

from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.orders.vaults.registry import VaultRow
from countermand.services.transactions.client_transactions import BuildRow
from countermand.store.builds_postgres import PostgresBuilds
from countermand.store.vaults_postgres import PostgresVaults
from countermand.values.bucket import Bucket
from countermand.values.identity import RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand_simulator.memory_store import MemoryBuilds, MemoryDatabase, MemoryVaults

Stores: TypeAlias = tuple[PostgresBuilds | MemoryBuilds, PostgresVaults | MemoryVaults]
ALICE, BOB = Wallet("alice"), Wallet("bob")


def row(number: int, last_valid_height: int) -> BuildRow:
    request_id = RequestId(f"00000000-0000-4000-8000-{number:012x}")
    return BuildRow(b"digest %d" % number, request_id, last_valid_height, b'{"build":%d}' % number)


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        yield pool


@pytest.fixture(params=["postgres", "memory"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        database = MemoryDatabase()
        return MemoryBuilds(database), MemoryVaults(database)
    pool = request.getfixturevalue("pool")
    return PostgresBuilds(pool), PostgresVaults(pool)


async def test_builds_are_kept_for_as_long_as_it_is_said(stores: Stores) -> None:
    builds, _ = stores
    again = replace(row(1, 700), body=b"other")
    await builds.add([row(1, 500), row(2, 600), again])
    await builds.add([again])
    assert await builds.find([b"digest 1"]) == {b"digest 1": b'{"build":1}'}, "the first one stays"
    await builds.delete_below(501)
    asked = [b"digest 1", b"digest 2", b"digest 3"]
    assert await builds.find(asked) == {b"digest 2": b'{"build":2}'}


async def test_a_vault_is_registered_once(stores: Stores) -> None:
    _, vaults = stores
    await vaults.add([VaultRow(ALICE, Bucket(7), Instant(5)), VaultRow(ALICE, Bucket(7), Instant(6))])
    await vaults.add([VaultRow(ALICE, Bucket(7), Instant(7)), VaultRow(BOB, Bucket(8), Instant(3))])
    assert await vaults.find([ALICE, Wallet("carol"), BOB]) == {ALICE: 5, BOB: 3}
    assert await vaults.find([Wallet("carol")]) == {}


async def test_the_newest_builds_are_those_of_the_last_blocks(stores: Stores) -> None:
    builds, _ = stores
    assert await builds.newest(150) == []
    nameless = BuildRow(b"another id", row(4, 600).request_id, 600, b"")
    await builds.add([row(1, 449), row(2, 450), row(3, 600), nameless])
    assert sorted(await builds.newest(150)) == [b'{"build":2}', b'{"build":3}']


async def test_without_a_database_nothing_is_refused_and_nothing_claimed(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    builds, vaults = PostgresBuilds(pool), PostgresVaults(pool)
    pool.terminate()
    for writing in (builds.add([row(1, 5)]), vaults.add([VaultRow(ALICE, Bucket(7), Instant(5))])):
        with pytest.raises(CommitUnknown):
            await writing
    for asking in (builds.find([b"digest 1"]), builds.newest(150), vaults.find([ALICE])):
        with pytest.raises(Unavailable):
            await asking
