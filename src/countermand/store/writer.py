"""The writer of one shard: its connection, its epochs, its commits."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from msgspec import Struct

from countermand.kernel.journal import GENESIS
from countermand.kernel.ports import Batch, CommitUnknown, DatabaseWentBack, Epoch, Unavailable, WriterReplaced
from countermand.store.connections import LOST, asking, connect, describe, reading
from countermand.store.fences import TAKES_MAX, alone, went_back
from countermand.stored_rows import check
from countermand.values.instant import Instant

COMMIT_S: Final = 10

# Every insert selects from the fence, so that nothing is written when the fence has no row. A family adds its own.
_FENCE_AND_LOGS: Final = """
WITH fence AS (
    UPDATE shards SET seq = $4, head = $5, last_at = coalesce($6, last_at)
    WHERE shard = $1 AND epoch = $2 AND seq = $3
    RETURNING shard
), journal_rows AS (
    INSERT INTO journal (shard, seq, at, kind, body, hash)
    SELECT fence.shard, added.* FROM fence CROSS JOIN
        unnest($7::bigint[], $8::bigint[], $9::text[], $10::bytea[], $11::bytea[]) AS added
), event_rows AS (
    INSERT INTO events (shard, seq, n, wallet, order_id, kind, body)
    SELECT fence.shard, added.* FROM fence CROSS JOIN
        unnest($12::bigint[], $13::integer[], $14::text[], $15::text[], $16::text[], $17::bytea[]) AS added
)"""
_DONE: Final = "\nSELECT count(*) FROM fence"
_STANDS: Final = "SELECT epoch, opened, seq FROM shards WHERE shard = $1"
# Both move the epoch that was read and no other. A statement whose answer was given up may still be waiting inside
# PostgreSQL: if it comes after a newer epoch began, it must not end that one.
_TAKE: Final = """
INSERT INTO shards (shard, epoch, opened, seq, head, last_at) VALUES ($1, 1, 1, 0, '', 0)
ON CONFLICT (shard) DO UPDATE SET epoch = shards.epoch + 1, opened = shards.epoch + 1 WHERE shards.epoch = $2
RETURNING epoch, seq, head, last_at, incarnation, began
"""
_BEGIN_AGAIN: Final = """
UPDATE shards SET epoch = epoch + 1 WHERE shard = $1 AND epoch = $2
RETURNING epoch, seq, head, last_at, incarnation, began
"""
_END_ANY: Final = "UPDATE shards SET epoch = epoch + 1 WHERE shard = $1 RETURNING epoch"
_NEWEST: Final = "SELECT seq, hash, at FROM journal WHERE shard = $1 ORDER BY seq DESC LIMIT 1"
_RESET: Final = (
    "UPDATE shards SET incarnation = incarnation + 1, began = seq, head = '', last_at = 0 WHERE shard = $1",
    "DELETE FROM journal WHERE shard = $1",
    "DELETE FROM events WHERE shard = $1",
)


class FamilyStatements(Struct, frozen=True):
    """What one family of orders writes beside the journal: parts of the statement, and their parameters.

    A part is an INSERT under a name. Its parameters are numbered from `FIRST_PARAMETER`.
    """

    parts: Mapping[str, str]
    resets: Sequence[str]
    """What deletes all that a shard wrote."""
    arguments: Callable[[Any], tuple[Any, ...]]

    def statement(self) -> str:
        """Returns one row with 1, or with 0 if the fence is elsewhere."""
        parts = "".join(f", {name} AS ({part})" for name, part in self.parts.items())
        return _FENCE_AND_LOGS + parts + _DONE

    def parameters(self, batch: Batch[Any]) -> tuple[Any, ...]:
        """The batch as columns, in the order of the statement's parameters. The driver checks their types."""
        journal, events = batch.journal, batch.events
        return (
            batch.shard,
            batch.epoch,
            batch.seq_before,
            batch.seq_after,
            batch.head,
            journal[-1].at if journal else None,
            [row.seq for row in journal],
            [row.at for row in journal],
            [row.kind for row in journal],
            [row.body for row in journal],
            [row.hash for row in journal],
            [row.seq for row in events],
            [row.n for row in events],
            [row.record.wallet for row in events],
            [row.record.order_id for row in events],
            [row.record.kind for row in events],
            [row.record.body for row in events],
            *self.arguments(batch.rows),
        )


FIRST_PARAMETER: Final = 18


class Writer:
    """Commits one batch at a time, on a connection of its own that is opened anew when it was lost."""

    def __init__(self, dsn: str, shard: int, family: FamilyStatements) -> None:
        self._dsn = dsn
        self._shard = shard
        self._family = family
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._commit: PreparedStatement[asyncpg.Record] | None = None
        self._is_idle = False
        """All that was asked on the connection is answered."""
        self._known = (0, 0)
        """The newest epoch and entry that PostgreSQL said it has."""

    async def begin_epoch(self, opened: int | None = None) -> Epoch:
        """Waits `HOLDER_S` seconds for a batch of an older epoch that is inside PostgreSQL, then ends its backend.

        Either way that batch has committed or never will when this returns; one that comes later meets the new epoch. A
        backend that cannot be ended either (its disk hangs) makes this `Unavailable` after as long again.
        """
        connection = await self._idle_or_anew()
        try:
            with reading("shards", self._shard):
                row = await self._moved(connection, opened)
            epoch = await self._checked(connection, row)
        except BaseException:
            self._forget()
            raise
        self._is_idle = True
        self._known = (epoch.number, epoch.seq)
        return epoch

    async def commit(self, batch: Batch[Any]) -> None:
        """Once there is a connection, every failure is `CommitUnknown`, also one that PostgreSQL itself reports."""
        statement = await self._prepared()
        self._is_idle = False
        try:
            written = await statement.fetchval(*self._family.parameters(batch), timeout=COMMIT_S)
        except LOST as error:
            self._forget()
            raise CommitUnknown(f"the answer to a commit was lost: {describe(error)}") from error
        except BaseException:
            # Cancelled: the answer of this batch must not be taken for that of the next.
            self._forget()
            raise
        self._is_idle = True
        if not written:
            await self._see_that_it_is_not_behind()
            raise WriterReplaced(
                f"shard {batch.shard} is not at {batch.seq_before} of epoch {batch.epoch}: another process writes it"
            )
        self._known = (batch.epoch, batch.seq_after)

    async def reset(self) -> None:
        """Deletes all of the shard's rows and begins a new incarnation. Epoch and sequence numbers go on rising."""
        connection = await self._idle_or_anew()
        try:
            with asking():
                async with connection.transaction():
                    await self._alone(connection, _END_ANY, self._shard)
                    for statement in (*_RESET, *self._family.resets):
                        await connection.execute(statement, self._shard)
        except BaseException:
            self._forget()
            raise
        self._is_idle = True

    def close(self) -> None:
        self._forget()

    async def _prepared(self) -> "PreparedStatement[asyncpg.Record]":
        """The commit, ready to be sent. Raises `Unavailable` while nothing can have been sent."""
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = await self._anew()
        if self._commit is None:
            try:
                with asking():
                    self._commit = await connection.prepare(
                        self._family.statement(), name="countermand_commit", timeout=COMMIT_S
                    )
            except BaseException:
                self._forget()
                raise
        return self._commit

    async def _idle_or_anew(self) -> "asyncpg.Connection[asyncpg.Record]":
        """Only for what is asked now to begin: it is idle no more, until it is said to be."""
        connection, is_idle, self._is_idle = self._connection, self._is_idle, False
        if is_idle and connection is not None and not connection.is_closed():
            return connection
        return await self._anew()

    async def _anew(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A new connection instead of the old one, on which something may still be under way."""
        self._forget()
        # One plan for all: the batches differ in nothing but their length, and planning costs more than it could gain.
        self._connection = await connect(
            self._dsn,
            f"writer of shard {self._shard}",
            plan_cache_mode="force_generic_plan",
        )
        return self._connection

    async def _moved(self, connection: "asyncpg.Connection[asyncpg.Record]", opened: int | None) -> asyncpg.Record:
        """The shard's row in its next epoch. Raises `WriterReplaced` if it is no longer the one opened in `opened`."""
        for _ in range(TAKES_MAX):
            stands = await connection.fetchrow(_STANDS, self._shard, timeout=COMMIT_S)
            if opened is not None and (stands is None or stands["opened"] != opened):
                self._check_known(stands)
                raise WriterReplaced(f"shard {self._shard} was taken since epoch {opened}: another process writes it")
            statement = _TAKE if opened is None else _BEGIN_AGAIN
            row = await self._alone(connection, statement, self._shard, 0 if stands is None else stands["epoch"])
            if row is not None:
                return row
        raise Unavailable(f"the epoch of shard {self._shard} moved {TAKES_MAX} times while it was taken")

    async def _alone(
        self, connection: "asyncpg.Connection[asyncpg.Record]", statement: str, *parameters: int
    ) -> asyncpg.Record | None:
        """Moves the fence, once its holder lets go or is made to."""
        row: asyncpg.Record | None = await alone(
            self._dsn, connection, lambda: connection.fetchrow(statement, *parameters)
        )
        return row

    async def _see_that_it_is_not_behind(self) -> None:
        """Why nothing was written, if another process is not the reason."""
        connection = self._connection
        try:
            stands = None if connection is None else await connection.fetchrow(_STANDS, self._shard, timeout=COMMIT_S)
        except LOST:
            return
        self._check_known(stands)

    def _check_known(self, stands: asyncpg.Record | None) -> None:
        """Epochs and entries only rise, also over a reset, a restore of a snapshot and a takeover."""
        if stands is not None and (at := (stands["epoch"], stands["seq"])) < self._known:
            raise DatabaseWentBack(went_back(f"shard {self._shard}", at, self._known))

    async def _checked(self, connection: "asyncpg.Connection[asyncpg.Record]", row: asyncpg.Record) -> Epoch:
        """Where the shard stands, if its row and its journal say the same."""
        epoch = epoch_of(row)
        with reading("journal"):
            newest = await connection.fetchrow(_NEWEST, self._shard, timeout=COMMIT_S)
        seq, head, at = (epoch.began, GENESIS, 0) if newest is None else newest
        other = f"it says that the journal ends with entry {epoch.seq}, and the journal ends with {seq}"
        check("shards", self._shard, that=epoch.seq == seq, otherwise=other)
        same = (epoch.head or GENESIS, epoch.last_at) == (head, at)
        check("shards", self._shard, that=same, otherwise=f"it has not the hash and the instant of entry {seq}")
        if (before := (epoch.number - 1, epoch.seq)) < self._known:
            raise DatabaseWentBack(went_back(f"shard {self._shard}", before, self._known))
        return epoch

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = self._commit = None
        self._is_idle = False


def epoch_of(row: asyncpg.Record) -> Epoch:
    return Epoch(row["epoch"], row["seq"], row["head"], Instant(row["last_at"]), row["incarnation"], row["began"])
