"""What every store of the embedded chain's ledger must do."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from solders.pubkey import Pubkey

from countermand.solana.ledger_store import (
    LedgerBatch,
    LedgerEpoch,
    LedgerReplaced,
    LedgerSecrets,
    LedgerStore,
    LedgerUnavailable,
    LedgerWentBack,
    RecentTransaction,
    StoredAccount,
    StoredClock,
    StoredStatus,
    StoredTransaction,
)
from countermand.solana.tokens import MEMO_PROGRAMS
from countermand.store import chain_postgres
from countermand.store.chain_postgres import PostgresLedgerStore
from countermand.store.postgres import PostgresStore
from countermand.values.structs import replace
from countermand_simulator.memory_ledger import MemoryLedgerStore

SECRETS = LedgerSecrets(b"e" * 32, b"f" * 32, b"m" * 32)
CLOCK = StoredClock(slot=1_000, wall_ms=1_700_000_000_000, ceiling=1_010, block_time=1_700_000_000)
OWNER = bytes([7] * 32)


@pytest.fixture
def memory() -> LedgerStore:
    return MemoryLedgerStore()


@pytest.fixture
async def postgresql(database_url: str) -> AsyncIterator[LedgerStore]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=3) as pool:
        store = PostgresLedgerStore(database_url, pool)
        yield store
        await store.close()


@pytest.fixture(params=["memory", "postgresql"])
def store(request: pytest.FixtureRequest) -> LedgerStore:
    made: LedgerStore = request.getfixturevalue(request.param)
    return made


def account(number: int, lamports: int = 5, data: bytes = b"data") -> StoredAccount:
    return StoredAccount(bytes([number] * 32), lamports, OWNER, data, executable=False)


def transaction(position: int, *addresses: int, slot: int = 1_001, error: str | None = None) -> StoredTransaction:
    return StoredTransaction(
        signature=bytes([position] * 64),
        message_hash=bytes([position] * 32),
        position=position,
        slot=slot,
        block_time=1_700_000_001,
        raw=b"raw",
        error=error,
        meta=b"meta",
        addresses=tuple(bytes([number] * 32) for number in addresses),
    )


def status(position: int, error: str | None = None) -> StoredStatus:
    return StoredStatus(bytes([position] * 64), 1_001, error, 1_700_000_001)


async def founded(store: LedgerStore, *accounts: StoredAccount) -> tuple[LedgerEpoch, LedgerBatch]:
    """The epoch, and an empty batch to be filled."""
    epoch = await store.begin_epoch(None)
    await store.found(epoch, SECRETS, CLOCK, accounts)
    seq = (await store.load(epoch, recent_slots=0)).seq
    return epoch, LedgerBatch(epoch.number, seq, seq, CLOCK, [], [], [])


async def loaded_accounts(store: LedgerStore, epoch: LedgerEpoch) -> list[StoredAccount]:
    return sorted((await store.load(epoch, recent_slots=0)).accounts, key=lambda stored: stored.address)


async def test_a_new_ledger_has_no_secrets_until_it_is_founded(store: LedgerStore) -> None:
    epoch = await store.begin_epoch(None)
    empty = await store.load(epoch, recent_slots=151)
    assert (empty.secrets, empty.clock, list(empty.accounts), list(empty.recent)) == (None, None, [], [])
    await store.found(epoch, SECRETS, CLOCK, [account(1)])
    loaded = await store.load(epoch, recent_slots=151)
    assert (loaded.secrets, loaded.clock, list(loaded.accounts)) == (SECRETS, CLOCK, [account(1)])


async def test_a_batch_is_there_after_a_load(store: LedgerStore) -> None:
    epoch, batch = await founded(store, account(1), account(2), account(3))
    later = replace(CLOCK, slot=1_002, ceiling=1_012)
    landed = transaction(batch.seq + 1, 2, 9, error='"AccountInUse"')
    await store.commit(
        replace(
            batch,
            seq=batch.seq + 1,
            clock=later,
            written=[account(2, lamports=2**64 - 1, data=b""), account(4)],
            removed=[account(3).address],
            transactions=[landed],
        )
    )
    assert await loaded_accounts(store, epoch) == [account(1), account(2, 2**64 - 1, b""), account(4)]
    loaded = await store.load(epoch, recent_slots=151)
    assert (loaded.seq, loaded.clock) == (batch.seq + 1, later)
    assert list(loaded.recent) == [
        RecentTransaction(landed.signature, landed.message_hash, landed.slot, '"AccountInUse"')
    ]
    found, none = await store.transactions([landed.signature, bytes(64)])
    assert found is not None
    assert none is None
    assert replace(found, addresses=landed.addresses) == landed
    assert await store.status(landed.signature) == status(landed.position, '"AccountInUse"')
    assert await store.status(bytes(64)) is None
    assert await store.transactions([]) == []


async def test_a_load_tells_only_the_recent_transactions(store: LedgerStore) -> None:
    epoch, batch = await founded(store)
    old, new = transaction(batch.seq + 1, slot=800), transaction(batch.seq + 2, slot=900)
    await store.commit(replace(batch, seq=batch.seq + 2, transactions=[old, new]))
    loaded = await store.load(epoch, recent_slots=150)
    assert [recent.signature for recent in loaded.recent] == [new.signature]


async def test_an_older_epoch_writes_nothing_any_more(store: LedgerStore) -> None:
    old, batch = await founded(store, account(1))
    new = await store.begin_epoch(None)
    assert new.number > old.number
    late = replace(batch, seq=batch.seq + 1, written=[account(1, 99)], transactions=[transaction(batch.seq + 1, 1)])
    with pytest.raises(LedgerReplaced):
        await store.commit(late)
    with pytest.raises(LedgerReplaced):
        await store.load(old, recent_slots=0)
    with pytest.raises(LedgerReplaced):
        await store.found(old, SECRETS, CLOCK, [])
    assert await loaded_accounts(store, new) == [account(1)]
    assert await store.status(late.transactions[0].signature) is None
    assert await store.signatures_for(bytes([1] * 32), limit=9, before=None, until=None) == []


async def test_a_batch_fits_only_where_the_last_one_ended(store: LedgerStore) -> None:
    epoch, batch = await founded(store)
    await store.commit(replace(batch, seq=batch.seq + 1, written=[account(1)]))
    with pytest.raises(LedgerReplaced):
        await store.commit(replace(batch, seq=batch.seq + 1, written=[account(2)]))
    assert await loaded_accounts(store, epoch) == [account(1)]


async def test_only_the_present_writer_may_begin_again(store: LedgerStore) -> None:
    first = await store.begin_epoch(None)
    again = await store.begin_epoch(first.opened)
    assert again.opened == first.opened
    assert again.number > first.number
    second = await store.begin_epoch(None)
    assert second.opened not in (first.opened, None)
    with pytest.raises(LedgerReplaced):
        await store.begin_epoch(first.opened)
    await store.load(second, recent_slots=0)


async def test_neither_a_signature_nor_a_message_lands_twice(store: LedgerStore) -> None:
    epoch, batch = await founded(store)
    landed = transaction(batch.seq + 1, 1)
    await store.commit(replace(batch, seq=batch.seq + 1, transactions=[landed]))
    batch = replace(batch, seq_before=batch.seq + 1, seq=batch.seq + 2, written=[account(1, 99)])
    for twin in (replace(landed, message_hash=bytes(32)), replace(landed, signature=bytes(64))):
        with pytest.raises(LedgerUnavailable):
            await store.commit(replace(batch, transactions=[replace(twin, position=batch.seq)]))
    assert await loaded_accounts(store, epoch) == []


async def test_signatures_of_an_address_are_paged(store: LedgerStore) -> None:
    _, batch = await founded(store)
    first = batch.seq + 1
    landed = [transaction(first + n, 1, *([2] if n == 1 else [])) for n in range(4)]
    await store.commit(replace(batch, seq=batch.seq + 4, transactions=landed))
    one, two, three, four = (status(found.position) for found in landed)

    async def asked(limit: int = 9, before: bytes | None = None, until: bytes | None = None) -> list[StoredStatus]:
        return await store.signatures_for(bytes([1] * 32), limit=limit, before=before, until=until)

    assert await asked() == [four, three, two, one]
    assert await asked(limit=2) == [four, three]
    assert await asked(before=three.signature) == [two, one]
    assert await asked(until=two.signature) == [four, three]
    assert await asked(before=four.signature, until=one.signature) == [three, two]
    assert await asked(before=bytes(64)) == []
    assert await asked(until=bytes(64)) == [four, three, two, one]
    assert await store.signatures_for(bytes([2] * 32), limit=9, before=None, until=None) == [two]
    assert await store.signatures_for(bytes([3] * 32), limit=9, before=None, until=None) == []


async def test_signatures_come_with_the_bytes_that_may_hold_a_memo(store: LedgerStore) -> None:
    _, batch = await founded(store)
    programs = [bytes(Pubkey.from_string(program)) for program in MEMO_PROGRAMS]
    raws = [b"none", b"a" + programs[0] + b"b", programs[1], programs[0][1:]]
    landed = [replace(transaction(batch.seq + 1 + n, 1), raw=raw) for n, raw in enumerate(raws)]
    await store.commit(replace(batch, seq=batch.seq + 4, transactions=landed))
    found = await store.signatures_for(bytes([1] * 32), limit=9, before=None, until=None)
    assert [each.raw for each in found] == [None, raws[2], raws[1], None]
    status_alone = await store.status(landed[1].signature)
    assert status_alone is not None
    assert status_alone.raw is None


async def test_what_landed_is_listed_slot_by_slot(store: LedgerStore) -> None:
    _, batch = await founded(store)
    first = batch.seq + 1
    landed = [transaction(first + n, n, slot=slot) for n, slot in enumerate((1_000, 1_001, 1_001, 1_001, 1_004))]
    await store.commit(replace(batch, seq=batch.seq + 5, transactions=landed))

    async def asked(slot: int, after: int = 0, limit: int = 9) -> list[int]:
        found = await store.landed_in(slot, after=after, limit=limit)
        assert [replace(each, addresses=()) for each in found] == [
            replace(each, addresses=()) for each in landed if each.position in [one.position for one in found]
        ]
        return [each.position - first for each in found]

    assert await asked(1_001) == [1, 2, 3]
    assert await asked(1_001, limit=2) == [1, 2]
    assert await asked(1_001, after=first + 2, limit=2) == [3]
    assert await asked(1_001, after=first + 3) == []
    for slot in (0, 999, 1_002, 1_003, 1_005, 10**9):
        assert await asked(slot) == []
    assert await asked(1_000) == [0]
    assert await asked(1_004, limit=1) == [4]
    assert await store.count_landed(after=0) == (5, first + 4)
    assert await store.count_landed(after=first + 1) == (3, first + 4)
    assert await store.count_landed(after=first + 4) == (0, first + 4)
    assert dict(await store.count_landed_per(2, since=1_000)) == {500: 4, 502: 1}
    assert dict(await store.count_landed_per(3, since=1_002)) == {334: 1}
    assert dict(await store.count_landed_per(2, since=2_000)) == {}


async def test_lamports_are_counted_beyond_what_a_number_of_a_store_holds(store: LedgerStore) -> None:
    """They are unsigned numbers of 64 bits."""
    await founded(store, account(1, 5), account(2, 2**64 - 1), account(3, 2**63), account(4, 2**63 - 1))
    assert await store.total_lamports() == 5 + 2**64 - 1 + 2**64 - 1
    most = [(account(2).address, 2**64 - 1), (account(3).address, 2**63), (account(4).address, 2**63 - 1)]
    assert list(await store.richest(3)) == most
    assert list(await store.richest(9)) == [*most, (account(1).address, 5)]


async def test_an_empty_ledger_holds_nothing(store: LedgerStore) -> None:
    await founded(store)
    assert (await store.total_lamports(), list(await store.richest(3))) == (0, [])
    assert await store.count_landed(after=7) == (0, 7)
    assert list(await store.landed_in(5, after=0, limit=9)) == []
    assert dict(await store.count_landed_per(5, since=0)) == {}


async def test_founding_again_empties_and_positions_rise(store: LedgerStore) -> None:
    epoch, batch = await founded(store, account(1))
    await store.commit(replace(batch, seq=batch.seq + 1, transactions=[transaction(batch.seq + 1, 1)]))
    other = LedgerSecrets(b"1" * 32, b"2" * 32, b"3" * 32)
    await store.found(epoch, other, CLOCK, [account(5)])
    loaded = await store.load(epoch, recent_slots=10_000)
    assert (loaded.secrets, list(loaded.accounts), list(loaded.recent)) == (other, [account(5)], [])
    assert loaded.seq > batch.seq + 1
    assert await store.status(transaction(batch.seq + 1).signature) is None
    assert await store.signatures_for(bytes([1] * 32), limit=9, before=None, until=None) == []


async def test_postgres_a_new_epoch_waits_for_the_batch_that_is_under_way(database_url: str) -> None:
    """Without the wait, a load would miss a batch that commits a moment later."""
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        store, successor = PostgresLedgerStore(database_url, pool), PostgresLedgerStore(database_url, pool)
        _, batch = await founded(store)
        landed = transaction(batch.seq + 1, 1)
        # The statement has updated the fence when it comes upon this mention, and waits for what becomes of it.
        async with pool.acquire() as stranger:
            hold = stranger.transaction()
            await hold.start()
            await stranger.execute(
                "INSERT INTO chain_mentions (address, position) VALUES ($1, $2)", *landed.addresses, landed.position
            )
            late = asyncio.create_task(
                store.commit(replace(batch, seq=batch.seq + 1, written=[account(1)], transactions=[landed]))
            )
            await _so_many_wait(pool, 1)
            begun = asyncio.create_task(successor.begin_epoch(None))
            await _so_many_wait(pool, 2)
            assert not begun.done()
            await hold.rollback()
        await late
        loaded = await successor.load(await begun, recent_slots=151)
        assert list(loaded.accounts) == [account(1)]
        assert [recent.signature for recent in loaded.recent] == [landed.signature]
        await store.close()
        await successor.close()


async def test_postgres_that_went_back_is_not_taken_for_one_that_another_process_serves(database_url: str) -> None:
    """As after a standby that lagged was promoted."""
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        store = PostgresLedgerStore(database_url, pool)
        epoch, batch = await founded(store)
        await store.commit(replace(batch, seq=batch.seq + 1, written=[account(1)]))
        await pool.execute("UPDATE chain_ledger SET seq = $1", batch.seq)
        later = replace(batch, seq_before=batch.seq + 1, seq=batch.seq + 2, written=[account(2)])
        with pytest.raises(LedgerWentBack, match=f"the chain is at {batch.seq} of epoch {epoch.number}"):
            await store.commit(later)
        await store.close()


async def test_postgres_a_broken_connection_is_replaced(database_url: str) -> None:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        store = PostgresLedgerStore(database_url, pool)
        epoch, batch = await founded(store)
        async with pool.acquire() as stranger:
            await stranger.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        after = replace(batch, seq=batch.seq + 1, written=[account(1)])
        try:
            await store.commit(after)
        except LedgerUnavailable:  # Else it is seen to be closed before the batch is sent.
            await store.commit(after)
        assert await loaded_accounts(store, epoch) == [account(1)]
        await store.close()


async def _so_many_wait(pool: "asyncpg.Pool[asyncpg.Record]", sessions: int) -> None:
    """Returns when so many sessions wait for another."""
    waiting = 0
    while waiting < sessions:
        waiting = await pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )


async def test_a_large_ledger_is_founded_anew_while_an_audit_reads_it(
    postgresql: LedgerStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_postgres, "SMALL_BYTES", -1)
    epoch, batch = await founded(postgresql, account(1))
    await postgresql.commit(replace(batch, seq=batch.seq + 1, transactions=[transaction(batch.seq + 1, 1)]))
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        store = PostgresStore(database_url, pool)
        async with asyncio.timeout(20), store.snapshot() as snapshot:
            await snapshot.shards()
            await postgresql.found(epoch, SECRETS, CLOCK, [account(2)])
            (accounts,) = await snapshot.fetch("SELECT count(*) FROM chain_accounts")
            (transactions,) = await snapshot.fetch("SELECT count(*) FROM chain_transactions")
        assert (accounts[0], transactions[0]) == (1, 1)
    assert await loaded_accounts(postgresql, epoch) == [account(2)]
    assert list((await postgresql.load(epoch, recent_slots=10**6)).recent) == []
    await postgresql.found(epoch, SECRETS, CLOCK, [account(3)])
    assert await loaded_accounts(postgresql, epoch) == [account(3)]
