"""The embedded chain's ledger in PostgreSQL. The tables are in `sql/0002_chain.sql`."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import asyncpg

from countermand.kernel.ports import DatabaseWentBack, Unavailable
from countermand.solana.ledger_store import (
    LedgerBatch,
    LedgerEpoch,
    LedgerReplaced,
    LedgerSecrets,
    LedgerUnavailable,
    LedgerWentBack,
    LoadedLedger,
    StoredAccount,
    StoredClock,
    StoredStatus,
    StoredTransaction,
)
from countermand.solana.memos import PROGRAM_KEYS
from countermand.store import chain_rows
from countermand.store.connections import LOAD_S, LOST, Connection, Pool, connect, describe, reading
from countermand.store.fences import TAKES_MAX, went_back

COMMIT_TIMEOUT_SECONDS: Final = 30
SMALL_BYTES: Final = 8 << 20
"""Of tables so small, rows are deleted sooner than the files of ten tables and indexes are made anew."""


_COMMIT: Final = """
WITH fence AS (
    UPDATE chain_ledger SET seq = $3, slot = $4, wall_ms = $5, ceiling = $6, block_time = $7
    WHERE epoch = $1 AND seq = $2
    RETURNING seq
), removed AS (
    DELETE FROM chain_accounts USING fence WHERE address = ANY ($8::bytea[])
), written AS (
    INSERT INTO chain_accounts (address, lamports, owner, data, executable)
    SELECT a.* FROM fence, unnest($9::bytea[], $10::bigint[], $11::bytea[], $12::bytea[], $13::boolean[]) AS a
    ON CONFLICT (address) DO UPDATE SET
        lamports = excluded.lamports, owner = excluded.owner, data = excluded.data, executable = excluded.executable
), landed AS (
    INSERT INTO chain_transactions (signature, message_hash, position, slot, block_time, raw, error, meta)
    SELECT t.* FROM fence, unnest(
        $14::bytea[], $15::bytea[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bytea[], $20::text[], $21::bytea[]
    ) AS t
), mentioned AS (
    INSERT INTO chain_mentions (address, position)
    SELECT m.* FROM fence, unnest($22::bytea[], $23::bigint[]) AS m
)
SELECT seq FROM fence
"""

_STANDS: Final = "SELECT epoch, opened, seq FROM chain_ledger"
# Moves the epoch that was read and no other: as in `writer`, a statement that was given up may come late.
_BEGIN_EPOCH: Final = """
UPDATE chain_ledger SET epoch = epoch + 1, opened = CASE WHEN $2 THEN epoch + 1 ELSE opened END
WHERE epoch = $1
RETURNING epoch, opened
"""

_FOUND: Final = """
UPDATE chain_ledger SET seq = seq + 1, entropy = $2, faucet_seed = $3, mint_authority_seed = $4,
    slot = $5, wall_ms = $6, ceiling = $7, block_time = $8, former_entropies = ''
WHERE epoch = $1
RETURNING seq
"""

_SIZE: Final = """
SELECT sum(pg_total_relation_size(name::regclass))
FROM unnest(ARRAY['chain_accounts', 'chain_transactions', 'chain_mentions']) AS name
"""
_EMPTY: Final = "DELETE FROM chain_accounts; DELETE FROM chain_transactions; DELETE FROM chain_mentions"
_EMPTY_LARGE: Final = "TRUNCATE chain_accounts, chain_transactions, chain_mentions"
_LOCK: Final = "LOCK TABLE chain_accounts, chain_transactions, chain_mentions IN ACCESS EXCLUSIVE MODE NOWAIT"
_LOCK_TRIES: Final = 10
_LOCK_PAUSE_S: Final = 0.02

_INSERT_ACCOUNTS: Final = """
INSERT INTO chain_accounts (address, lamports, owner, data, executable)
SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bytea[], $5::boolean[])
"""

_RECENT: Final = """
SELECT signature, message_hash, slot, error FROM chain_transactions WHERE slot >= $1 ORDER BY position
"""

_NEWEST: Final = "SELECT max(position) FROM chain_transactions"

_SIGNATURES_FOR: Final = """
SELECT t.signature, t.slot, t.error, t.block_time,
    CASE WHEN position($5::bytea IN t.raw) > 0 OR position($6::bytea IN t.raw) > 0 THEN t.raw END AS raw
FROM chain_mentions m JOIN chain_transactions t USING (position)
WHERE m.address = $1
  AND m.position < CASE WHEN $3::bytea IS NULL THEN 9223372036854775807
                        ELSE (SELECT position FROM chain_transactions WHERE signature = $3) END
  AND m.position > coalesce((SELECT position FROM chain_transactions WHERE signature = $4), 0)
ORDER BY m.position DESC LIMIT $2
"""

# Positions rise with slots, so the first position of a slot is found in some twenty steps. The index of slots is
# coarse, and does not know yet what landed in the last minutes: it would have all of that read.
_FIRST_POSITION: Final = """
WITH RECURSIVE halved (low, high) AS (
    SELECT $2::bigint + 1, (SELECT max(position) + 1 FROM chain_transactions)
    UNION ALL
    SELECT CASE WHEN tried.slot < $1 THEN tried.position + 1 ELSE low END,
           CASE WHEN tried.slot < $1 THEN high ELSE (low + high) / 2 END
    FROM halved CROSS JOIN LATERAL (
        SELECT slot, position FROM chain_transactions WHERE position >= (low + high) / 2 ORDER BY position LIMIT 1
    ) AS tried
    WHERE low < high
), first AS MATERIALIZED (
    SELECT min(high) AS position FROM halved
)
"""

_LANDED_IN: Final = f"""
{_FIRST_POSITION}
SELECT * FROM (
    SELECT * FROM chain_transactions WHERE position >= (SELECT position FROM first) ORDER BY position LIMIT $3
) AS page
WHERE slot = $1
ORDER BY position
"""  # noqa: S608

_COUNT_LANDED: Final = """
SELECT count(*), coalesce(max(position), $1) FROM chain_transactions WHERE position > $1
"""

_COUNT_LANDED_PER: Final = f"""
{_FIRST_POSITION}
SELECT slot / $3 AS run, count(*) AS landed FROM chain_transactions WHERE position >= (SELECT position FROM first)
GROUP BY run
"""  # noqa: S608

# What is too big for a bigint is stored as its two's complement.
_TOTAL_LAMPORTS: Final = """
SELECT coalesce(sum(lamports), 0) + count(*) FILTER (WHERE lamports < 0) * 18446744073709551616 FROM chain_accounts
"""
_RICHEST: Final = """
SELECT address, lamports FROM chain_accounts ORDER BY lamports < 0 DESC, lamports DESC, address LIMIT $1
"""


class PostgresLedgerStore:
    """Implements `LedgerStore`. It commits on a connection of its own, and reads on those of the pool."""

    def __init__(self, dsn: str, pool: Pool) -> None:
        self._dsn = dsn
        self._pool = pool
        self._writer: asyncpg.Connection[asyncpg.Record] | None = None

    async def close(self) -> None:
        """Ends the connection for commits. The pool is not its own."""
        self._cut()

    def _cut(self) -> None:
        """What a connection that failed was doing has an unknown end."""
        if self._writer is not None:
            self._writer.terminate()
        self._writer = None

    async def begin_epoch(self, opened: int | None) -> LedgerEpoch:
        async with self._writing() as connection:
            for _ in range(TAKES_MAX):
                stands = await connection.fetchrow(_STANDS, timeout=COMMIT_TIMEOUT_SECONDS)
                if stands is None or opened not in (None, stands["opened"]):
                    raise LedgerReplaced(f"the writer that opened the ledger in epoch {opened} was replaced")
                row = await connection.fetchrow(
                    _BEGIN_EPOCH, stands["epoch"], opened is None, timeout=COMMIT_TIMEOUT_SECONDS
                )
                if row is not None:
                    return LedgerEpoch(row["epoch"], row["opened"])
        raise LedgerUnavailable(f"the epoch of the ledger moved {TAKES_MAX} times while it was taken")

    async def load(self, epoch: LedgerEpoch, *, recent_slots: int) -> LoadedLedger:
        async with self._reading() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            with reading("chain_ledger"):
                fence = await connection.fetchrow("SELECT * FROM chain_ledger", timeout=COMMIT_TIMEOUT_SECONDS)
            if fence is not None and fence["epoch"] != epoch.number:
                raise LedgerReplaced(f"epoch {epoch.number} of the ledger has ended")
            with reading("chain_transactions"):
                newest = await connection.fetchval(_NEWEST, timeout=COMMIT_TIMEOUT_SECONDS)
            checked = chain_rows.checked_fence(fence, newest)
            with reading("chain_accounts"):
                accounts = await connection.fetch("SELECT * FROM chain_accounts", timeout=LOAD_S)
            since = (checked["slot"] or 0) - recent_slots
            with reading("chain_transactions"):
                recent = await connection.fetch(_RECENT, since, timeout=LOAD_S)
        founded = checked["entropy"] is not None
        return LoadedLedger(
            seq=checked["seq"],
            secrets=_secrets(checked) if founded else None,
            clock=_clock(checked) if founded else None,
            accounts=[chain_rows.account(row) for row in accounts],
            recent=[chain_rows.recent(row) for row in recent],
        )

    async def found(
        self, epoch: LedgerEpoch, secrets: LedgerSecrets, clock: StoredClock, accounts: Sequence[StoredAccount]
    ) -> None:
        async with self._writing() as connection, connection.transaction():
            seq = await connection.fetchval(
                _FOUND,
                epoch.number,
                secrets.entropy,
                secrets.faucet_seed,
                secrets.mint_authority_seed,
                *_clock_columns(clock),
                timeout=COMMIT_TIMEOUT_SECONDS,
            )
            if seq is None:
                raise LedgerReplaced(f"epoch {epoch.number} of the ledger has ended")
            size = await connection.fetchval(_SIZE, timeout=COMMIT_TIMEOUT_SECONDS)
            is_large = size > SMALL_BYTES and await _locked(connection)
            await connection.execute(_EMPTY_LARGE if is_large else _EMPTY, timeout=LOAD_S)
            await connection.execute(_INSERT_ACCOUNTS, *_account_columns(accounts), timeout=LOAD_S)

    async def commit(self, batch: LedgerBatch) -> None:
        async with self._writing() as connection:
            committed = await connection.fetchval(
                _COMMIT,
                batch.epoch,
                batch.seq_before,
                batch.seq,
                *_clock_columns(batch.clock),
                batch.removed,
                *_account_columns(batch.written),
                *_transaction_columns(batch.transactions),
                timeout=COMMIT_TIMEOUT_SECONDS,
            )
            if committed is None:
                stands = await connection.fetchrow(_STANDS, timeout=COMMIT_TIMEOUT_SECONDS)
                known = (batch.epoch, batch.seq_before)
                if stands is not None and (at := (stands["epoch"], stands["seq"])) < known:
                    raise LedgerWentBack(str(DatabaseWentBack(went_back("the chain", at, known))))
        if committed is None:
            raise LedgerReplaced(f"epoch {batch.epoch} of the ledger has ended")

    async def transactions(self, signatures: Sequence[bytes]) -> list[StoredTransaction | None]:
        async with self._reading() as connection:
            rows = await connection.fetch("SELECT * FROM chain_transactions WHERE signature = ANY ($1)", signatures)
        found = {row["signature"]: StoredTransaction(**row, addresses=()) for row in rows}
        return [found.get(signature) for signature in signatures]

    async def status(self, signature: bytes) -> StoredStatus | None:
        async with self._reading() as connection:
            row = await connection.fetchrow(
                "SELECT signature, slot, error, block_time FROM chain_transactions WHERE signature = $1", signature
            )
        return None if row is None else StoredStatus(**row)

    async def signatures_for(
        self, address: bytes, *, limit: int, before: bytes | None, until: bytes | None
    ) -> list[StoredStatus]:
        async with self._reading() as connection:
            rows = await connection.fetch(_SIGNATURES_FOR, address, limit, before, until, *PROGRAM_KEYS)
        return [StoredStatus(**row) for row in rows]

    async def landed_in(self, slot: int, *, after: int, limit: int) -> list[StoredTransaction]:
        async with self._reading() as connection:
            rows = await connection.fetch(_LANDED_IN, slot, after, limit)
        return [StoredTransaction(**row, addresses=()) for row in rows]

    async def count_landed(self, *, after: int) -> tuple[int, int]:
        async with self._reading() as connection:
            ((count, last),) = await connection.fetch(_COUNT_LANDED, after)
        return count, last

    async def count_landed_per(self, slots: int, *, since: int) -> dict[int, int]:
        async with self._reading() as connection:
            rows = await connection.fetch(_COUNT_LANDED_PER, since, 0, slots)
        return {row["run"]: row["landed"] for row in rows}

    async def total_lamports(self) -> int:
        async with self._reading() as connection:
            return int(await connection.fetchval(_TOTAL_LAMPORTS))

    async def richest(self, limit: int) -> list[tuple[bytes, int]]:
        async with self._reading() as connection:
            rows = await connection.fetch(_RICHEST, limit)
        return [(row["address"], chain_rows.lamports_of(row["lamports"])) for row in rows]

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        with _answering():
            try:
                if self._writer is None or self._writer.is_closed():  # It was idle then: nothing is in doubt.
                    self._cut()
                    # One plan for all batches, as for those of a shard.
                    self._writer = await connect(self._dsn, "writer of the chain", plan_cache_mode="force_generic_plan")
                yield self._writer
            except BaseException:
                # A commit that was cancelled may still be under way, and so may a transaction.
                self._cut()
                raise

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Connection]:
        with _answering():
            async with self._pool.acquire() as connection:
                yield connection


@contextmanager
def _answering() -> Iterator[None]:
    """Whatever the database fails in, the chain does not answer, and loads again."""
    try:
        yield
    except LOST as failure:
        raise LedgerUnavailable(f"{type(failure).__name__}: {describe(failure)}") from failure
    except Unavailable as failure:
        raise LedgerUnavailable(str(failure)) from failure


def _secrets(row: asyncpg.Record) -> LedgerSecrets:
    return LedgerSecrets(row["entropy"], row["faucet_seed"], row["mint_authority_seed"])


def _clock(row: asyncpg.Record) -> StoredClock:
    return StoredClock(row["slot"], row["wall_ms"], row["ceiling"], row["block_time"])


async def _locked(connection: Connection) -> bool:
    """Whether nothing else reads these tables. To wait with one of them for another would deadlock with a reader."""
    for _ in range(_LOCK_TRIES):
        try:
            async with connection.transaction():
                await connection.execute(_LOCK, timeout=COMMIT_TIMEOUT_SECONDS)
                return True
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(_LOCK_PAUSE_S)
    return False


def _clock_columns(clock: StoredClock) -> tuple[int, int, int, int]:
    return clock.slot, clock.wall_ms, clock.ceiling, clock.block_time


def _account_columns(accounts: Sequence[StoredAccount]) -> tuple[list[Any], ...]:
    return (
        [account.address for account in accounts],
        [chain_rows.lamports_column(account.lamports) for account in accounts],
        [account.owner for account in accounts],
        [account.data for account in accounts],
        [account.executable for account in accounts],
    )


def _transaction_columns(transactions: Sequence[StoredTransaction]) -> tuple[list[Any], ...]:
    return (
        [landed.signature for landed in transactions],
        [landed.message_hash for landed in transactions],
        [landed.position for landed in transactions],
        [landed.slot for landed in transactions],
        [landed.block_time for landed in transactions],
        [landed.raw for landed in transactions],
        [landed.error for landed in transactions],
        [landed.meta for landed in transactions],
        [address for landed in transactions for address in landed.addresses],
        [landed.position for landed in transactions for _ in landed.addresses],
    )
