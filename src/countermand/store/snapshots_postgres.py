"""Snapshots of a whole sandbox in PostgreSQL: its tables are copied into a schema, and back.

Each is one transaction, so a crash leaves it done or not begun. A restore begins a new incarnation: the entries that
come back get the sequence numbers after the newest there ever was, in a new chain of hashes, and positions, slots,
epochs and nonces go on rising.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import asyncpg
from msgspec import Struct

from countermand.kernel import journal
from countermand.kernel.ports import CommitUnknown, JournalRow, Unavailable, WriterReplaced
from countermand.orders.book.model.exchange import Counters
from countermand.orders.book.rows import StoredCounters, decode_counters
from countermand.orders.shards import BOOK_SHARD, TRIGGER_SHARD
from countermand.solana.ledger_store import LedgerReplaced, StoredClock
from countermand.store.connections import asking, connect
from countermand.store.migrations import packaged
from countermand.stored_rows import UNREADABLE

SCHEMA: Final = "countermand_snapshot_"
COPIED: Final = (
    "orders",
    "crafts",
    "watermarks",
    "dca_orders",
    "dca_crafts",
    "book_orders",
    "book_trades",
    "book_balances",
    "book_drafts",
    "onchain_orders",
    "onchain_trades",
    "onchain_cursors",
    "builds",
    "vaults",
    "prices",
    "members",
    "sandbox_tokens",
    "chain_accounts",
    "chain_transactions",
    "chain_mentions",
)
"""As they are, and back again."""
CHANGED: Final = ("shards", "journal", "events", "book_counters", "chain_ledger")
"""What comes back of them is renumbered."""
LEFT_OUT: Final[Mapping[str, str]] = {
    "api_keys": "they belong to an operator",
    "member_sessions": "all tokens end",
    "migrations": "they tell of the database itself",
    "sandbox_settings": "the clock and the seed are in the snapshot's body",
    "sandbox_snapshots": "a snapshot holds no snapshots",
    "venue": "it tells whose vaults these are, and which tokens count",
}
"""With the reasons."""

_LOCK_S: Final = 3
_RESTORE_S: Final = 600
_AT_A_TIME: Final = 500

_ALL: Final = "SELECT name, number, layout, seq, taken_at, body FROM sandbox_snapshots ORDER BY number"
_DELETE: Final = "DELETE FROM sandbox_snapshots WHERE name = $1 RETURNING number"
_ADD: Final = """
INSERT INTO sandbox_snapshots (name, layout, seq, taken_at, body)
VALUES ($1, $2, (SELECT coalesce(max(seq), 0) FROM shards WHERE shard = $5), $3, $4)
RETURNING name, number, layout, seq, taken_at, body
"""
_TAKE_SHARD: Final = """
UPDATE shards SET epoch = epoch + 1, incarnation = incarnation + 1, began = seq
WHERE shard = $1 AND opened = $2 RETURNING seq
"""
_MOVE_SHARD: Final = "UPDATE shards SET seq = $2, head = $3, last_at = $4 WHERE shard = $1"
_EVENTS: Final = """
INSERT INTO events (shard, seq, n, wallet, order_id, kind, body)
SELECT shard, seq + $2, n, wallet, order_id, kind, body FROM {schema}.events WHERE shard = $1
"""
_JOURNAL: Final = "SELECT seq, at, kind, body FROM {schema}.journal WHERE shard = $1 ORDER BY seq"
_INSERT: Final = """
INSERT INTO journal (shard, seq, at, kind, body, hash)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bytea[], $6::bytea[])
"""
_LEDGER: Final = """
UPDATE chain_ledger AS ledger SET seq = ledger.seq + 1, entropy = $2, slot = $3, wall_ms = $4, ceiling = $5,
    block_time = greatest($6, taken.block_time), faucet_seed = taken.faucet_seed,
    mint_authority_seed = taken.mint_authority_seed, former_entropies = taken.former_entropies || taken.entropy
FROM {schema}.chain_ledger AS taken WHERE ledger.epoch = $1
RETURNING ledger.seq
"""
_KEEP: Final = "CREATE TABLE {schema}.{table} AS SELECT * FROM {table}"
_EMPTY: Final = "DELETE FROM {table}"
_COPY_BACK: Final = "INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {schema}.{table}"
"""The layout is the same, so are the columns. Numbers that a table gave out itself stay what they were."""
_END_TOKENS: Final = "UPDATE venue SET token_incarnation = token_incarnation + 1"
_SET: Final = "INSERT INTO sandbox_settings (name, body) VALUES ($1, $2)"

_Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class SnapshotRefused(Exception):
    """This database or this snapshot does not allow it; the message says why."""


class SnapshotRow(Struct, frozen=True):
    """`seq`: the last of the trigger shard. `taken_at`: by the venue's clock."""

    name: str
    number: int
    layout: int
    seq: int
    taken_at: int
    body: bytes

    @property
    def schema(self) -> str:
        return f"{SCHEMA}{self.number}"


class Beginning(Struct, frozen=True):
    """What a restored sandbox begins with: its fences, as this process holds them, and what is new.

    `shards`: the epochs in which they were opened. `chain`: the present epoch of the chain's ledger.
    """

    shards: Mapping[int, int]
    chain: int
    entropy: bytes
    clock: StoredClock
    settings: Mapping[str, bytes]


class PostgresSnapshots:
    """Each method may raise `Unavailable`."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def all(self) -> Sequence[SnapshotRow]:
        """The oldest first."""
        async with self._asking() as connection:
            return [SnapshotRow(*row) for row in await connection.fetch(_ALL)]

    async def take(self, name: str, taken_at: int, body: bytes) -> SnapshotRow:
        """Of one instant, while commits go on. It takes the place of another one of this name.

        Raises `SnapshotRefused`.
        """
        async with self._asking() as connection:
            try:
                async with connection.transaction(isolation="repeatable_read"):
                    await _drop(connection, name)
                    added = await connection.fetchrow(_ADD, name, len(packaged()), taken_at, body, TRIGGER_SHARD)
                    assert added is not None
                    row = SnapshotRow(*added)
                    tables = (*COPIED, *CHANGED)
                    copies = [_KEEP.format(schema=row.schema, table=table) for table in tables]
                    await connection.execute(";".join([f"CREATE SCHEMA {row.schema}", *copies]), timeout=_RESTORE_S)
            except asyncpg.InsufficientPrivilegeError as refused:
                raise SnapshotRefused(
                    f"the database refuses a schema for the snapshot ({refused}); GRANT CREATE ON DATABASE to its role"
                ) from refused
        return row

    async def delete(self, name: str) -> bool:
        """False: there is none of this name."""
        async with self._asking() as connection, connection.transaction():
            return await _drop(connection, name)

    async def restore(self, taken: SnapshotRow, beginning: Beginning) -> None:
        """While no shard and no chain writes. Raises `SnapshotRefused`, also for one that is damaged, and changes
        nothing then.

        Raises `WriterReplaced` or `LedgerReplaced` if another process has taken a fence, and `CommitUnknown`.
        """
        check_layout(taken)
        begun = False
        try:
            async with self._asking() as connection, connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_S}s'")
                begun = True
                await _restore(connection, taken.schema, beginning)
        except Unavailable as lost:
            if begun:
                raise CommitUnknown(str(lost)) from lost
            raise
        except (*UNREADABLE, asyncpg.PostgresError) as problem:
            raise damaged(taken, " ".join(str(problem).split()) or type(problem).__name__) from problem

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[_Connection]:
        connection = await connect(self._dsn, "snapshots")
        try:
            with asking():
                yield connection
        finally:
            connection.terminate()


def damaged(taken: SnapshotRow, reason: str) -> SnapshotRefused:
    return SnapshotRefused(
        f"row {taken.name} of table sandbox_snapshots, or its tables in {taken.schema}, cannot be read: {reason}; "
        "nothing was restored; delete the snapshot, or take it anew"
    )


def check_layout(taken: SnapshotRow) -> None:
    """Raises `SnapshotRefused`."""
    if taken.layout != len(packaged()):
        raise SnapshotRefused(
            f"the snapshot {taken.name} is of another version of Countermand: its tables are laid out otherwise; "
            "take it anew"
        )


async def _drop(connection: _Connection, name: str) -> bool:
    number = await connection.fetchval(_DELETE, name)
    if number is not None:
        await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA}{number} CASCADE")
    return number is not None


async def _restore(connection: _Connection, schema: str, beginning: Beginning) -> None:
    taken = await _take_shards(connection, beginning.shards)
    await _restore_ledger(connection, schema, beginning)
    nonces = await _nonces(connection, "book_counters")
    emptied = ("journal", "events", "book_counters", "member_sessions", "sandbox_settings", *COPIED)
    # An audit that goes on meanwhile sees what was deleted, but would miss what was truncated.
    deletes = [_EMPTY.format(table=table) for table in emptied]
    copies = [_COPY_BACK.format(schema=schema, table=table) for table in COPIED]
    await connection.execute(";".join([*deletes, *copies]), timeout=_RESTORE_S)
    for shard, began in taken.items():
        await _restore_shard(connection, schema, shard, began)
    await _restore_counters(connection, schema, nonces)
    await connection.execute(_END_TOKENS)
    await connection.executemany(_SET, list(beginning.settings.items()))


async def _take_shards(connection: _Connection, opened: Mapping[int, int]) -> Mapping[int, int]:
    """The sequence number of each, after which it begins anew."""
    taken: dict[int, int] = {}
    for shard, epoch in sorted(opened.items()):
        seq = await connection.fetchval(_TAKE_SHARD, shard, epoch)
        if seq is None:
            raise WriterReplaced(f"shard {shard} was taken since epoch {epoch}: another process writes it")
        taken[shard] = seq
    return taken


async def _restore_ledger(connection: _Connection, schema: str, beginning: Beginning) -> None:
    clock = beginning.clock
    columns = (clock.slot, clock.wall_ms, clock.ceiling, clock.block_time)
    kept = await connection.fetchval(f"SELECT count(*) FROM {schema}.chain_ledger")  # noqa: S608
    assert kept == 1, "the snapshot has no ledger of the chain"
    statement = _LEDGER.format(schema=schema)
    if await connection.fetchval(statement, beginning.chain, beginning.entropy, *columns) is None:
        raise LedgerReplaced(f"epoch {beginning.chain} of the ledger has ended")


async def _restore_shard(connection: _Connection, schema: str, shard: int, began: int) -> None:
    """Its journal and its events after the entry `began`."""
    was = await connection.fetchrow(f"SELECT began, last_at FROM {schema}.shards WHERE shard = $1", shard)  # noqa: S608
    assert was is not None, f"the snapshot has no shard {shard}"
    shift, head, seq = began - was["began"], journal.GENESIS, began
    entries: list[JournalRow] = []
    async for old, at, kind, body in connection.cursor(_JOURNAL.format(schema=schema), shard, prefetch=_AT_A_TIME):
        entry = journal.link(head, old + shift, at, kind, body)
        head, seq = entry.hash, entry.seq
        entries.append(entry)
        if len(entries) == _AT_A_TIME:
            await _insert(connection, shard, entries)
            entries.clear()
    await _insert(connection, shard, entries)
    await connection.execute(_EVENTS.format(schema=schema), shard, shift, timeout=_RESTORE_S)
    await connection.execute(_MOVE_SHARD, shard, seq, head if seq > began else b"", was["last_at"])


async def _insert(connection: _Connection, shard: int, entries: Sequence[JournalRow]) -> None:
    """Not by COPY: the driver waits out its whole timeout where it loses its connection in the middle of one."""
    await connection.execute(
        _INSERT,
        shard,
        [entry.seq for entry in entries],
        [entry.at for entry in entries],
        [entry.kind for entry in entries],
        [entry.body for entry in entries],
        [entry.hash for entry in entries],
        timeout=_RESTORE_S,
    )


async def _nonces(connection: _Connection, table: str) -> int:
    """How many were given out."""
    body = await connection.fetchval(f"SELECT body FROM {table} WHERE shard = $1", BOOK_SHARD)  # noqa: S608
    return 0 if body is None else decode_counters(body).nonces


async def _restore_counters(connection: _Connection, schema: str, nonces: int) -> None:
    """No nonce is given out again that was given out after the snapshot."""
    body = await connection.fetchval(f"SELECT body FROM {schema}.book_counters WHERE shard = $1", BOOK_SHARD)  # noqa: S608
    was = StoredCounters(Counters(), 0) if body is None else decode_counters(body)
    if body is None and not nonces:
        return
    counters = StoredCounters(was.counters, max(was.nonces, nonces))
    insert = "INSERT INTO book_counters (shard, body) VALUES ($1, $2)"
    await connection.execute(insert, BOOK_SHARD, journal.encode(counters))
