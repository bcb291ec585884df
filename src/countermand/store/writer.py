"""The writer of one shard: its connection, its epochs, its commits."""

import asyncio
from typing import Any, Final

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from countermand.domain.instant import Instant
from countermand.engine.ports import Batch, CommitUnknown, Epoch, WriterReplaced
from countermand.store.connections import LOST, asking, connect, describe

COMMIT_S: Final = 10
HOLDER_S: Final = 3
"""How long a batch of an older epoch may take that is still inside PostgreSQL, before its backend is ended."""

# Every insert selects from the fence, so that nothing is written when the fence has no row.
COMMIT_STATEMENT: Final = """
WITH fence AS (
    UPDATE shards SET seq = $4, head = $5, last_at = coalesce($6, last_at)
    WHERE shard = $1 AND epoch = $2 AND seq = $3
    RETURNING shard
), journal_rows AS (
    INSERT INTO journal (shard, seq, at, kind, body, hash)
    SELECT fence.shard, added.* FROM fence CROSS JOIN
        unnest($7::bigint[], $8::bigint[], $9::text[], $10::bytea[], $11::bytea[]) AS added
), order_rows AS (
    INSERT INTO orders (shard, id, wallet, live, active, input_mint, output_mint,
                        created_at, updated_at, expires_at, body)
    SELECT fence.shard, added.* FROM fence CROSS JOIN
        unnest($12::uuid[], $13::text[], $14::boolean[], $15::boolean[], $16::text[], $17::text[],
               $18::bigint[], $19::bigint[], $20::bigint[], $21::bytea[]) AS added
    ON CONFLICT (id) DO UPDATE SET
        wallet = excluded.wallet, live = excluded.live, active = excluded.active,
        input_mint = excluded.input_mint, output_mint = excluded.output_mint, created_at = excluded.created_at,
        updated_at = excluded.updated_at, expires_at = excluded.expires_at, body = excluded.body
), history_rows AS (
    INSERT INTO order_history (shard, order_id, number, body, passing)
    SELECT fence.shard, added.* FROM fence CROSS JOIN
        unnest($22::uuid[], $23::bigint[], $24::bytea[], $33::boolean[]) AS added
), craft_rows AS (
    INSERT INTO crafts (shard, request_id, order_id, last_valid_height, body)
    SELECT fence.shard, added.* FROM fence CROSS JOIN
        unnest($25::uuid[], $26::uuid[], $27::bigint[], $28::bytea[]) AS added
    ON CONFLICT (request_id) DO NOTHING
), vault_rows AS (
    INSERT INTO vaults (shard, wallet, registered_at)
    SELECT fence.shard, added.* FROM fence CROSS JOIN unnest($29::text[], $30::bigint[]) AS added
    ON CONFLICT (wallet) DO NOTHING
), price_rows AS (
    INSERT INTO prices (shard, mint, picodollars)
    SELECT fence.shard, added.mint, added.picodollars::numeric FROM fence CROSS JOIN
        unnest($31::text[], $32::text[]) AS added (mint, picodollars)
    ON CONFLICT (shard, mint) DO UPDATE SET picodollars = excluded.picodollars
), build_rows AS (
    INSERT INTO builds (shard, digest, request_id, last_valid_height, body)
    SELECT fence.shard, added.* FROM fence CROSS JOIN
        unnest($34::bytea[], $35::uuid[], $36::bigint[], $37::bytea[]) AS added
    ON CONFLICT (digest) DO NOTHING
)
SELECT count(*) FROM fence
"""
_TAKE: Final = """
INSERT INTO shards (shard, epoch, opened, seq, head, last_at) VALUES ($1, 1, 1, 0, '', 0)
ON CONFLICT (shard) DO UPDATE SET epoch = shards.epoch + 1, opened = shards.epoch + 1
RETURNING epoch, seq, head, last_at
"""
_BEGIN_AGAIN: Final = """
UPDATE shards SET epoch = epoch + 1 WHERE shard = $1 AND opened = $2
RETURNING epoch, seq, head, last_at
"""
_END_ANY: Final = "UPDATE shards SET epoch = epoch + 1 WHERE shard = $1 RETURNING epoch"
_END_HOLDERS: Final = "SELECT count(pg_terminate_backend(pid)) FROM unnest(pg_blocking_pids($1)) AS pid"
_RESET: Final = (
    "UPDATE shards SET seq = 0, head = '', last_at = 0 WHERE shard = $1",
    "DELETE FROM journal WHERE shard = $1",
    "DELETE FROM orders WHERE shard = $1",
    "DELETE FROM order_history WHERE shard = $1",
    "DELETE FROM crafts WHERE shard = $1",
    "DELETE FROM builds WHERE shard = $1",
    "DELETE FROM vaults WHERE shard = $1",
    "DELETE FROM prices WHERE shard = $1",
)


class Writer:
    """Commits one batch at a time, on a connection of its own that is opened anew when it was lost."""

    def __init__(self, dsn: str, shard: int) -> None:
        self._dsn = dsn
        self._shard = shard
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._commit: PreparedStatement[asyncpg.Record] | None = None

    async def begin_epoch(self, opened: int | None = None) -> Epoch:
        """Waits `HOLDER_S` seconds for a batch of an older epoch that is inside PostgreSQL, then ends its backend.

        Either way that batch has committed or never will when this returns; one that comes later meets the new epoch. A
        backend that cannot be ended either (its disk hangs) makes this `Unavailable` after as long again.
        """
        connection = await self._anew()
        try:
            with asking():
                if opened is None:
                    row = await self._alone(connection, _TAKE, self._shard)
                else:
                    row = await self._alone(connection, _BEGIN_AGAIN, self._shard, opened)
        except BaseException:
            self._forget()
            raise
        if row is None:
            raise WriterReplaced(f"shard {self._shard} was taken since epoch {opened}: another process writes it")
        return Epoch(row["epoch"], row["seq"], row["head"], Instant(row["last_at"]))

    async def commit(self, batch: Batch) -> None:
        """Once there is a connection, every failure is `CommitUnknown`, also one that PostgreSQL itself reports."""
        statement = await self._prepared()
        try:
            written = await statement.fetchval(*arguments(batch), timeout=COMMIT_S)
        except LOST as error:
            self._forget()
            raise CommitUnknown(f"the answer to a commit was lost: {describe(error)}") from error
        except BaseException:
            # Cancelled: nobody may take the answer of this batch for that of the next.
            self._forget()
            raise
        if not written:
            raise WriterReplaced(
                f"shard {batch.shard} is not at {batch.seq_before} of epoch {batch.epoch}: another process writes it"
            )

    async def reset(self) -> None:
        """Deletes all of the shard's rows, and ends the term of whoever writes it: the epoch goes on rising."""
        connection = await self._anew()
        try:
            with asking():
                async with connection.transaction():
                    await self._alone(connection, _END_ANY, self._shard)
                    for statement in _RESET:
                        await connection.execute(statement, self._shard)
        except BaseException:
            self._forget()
            raise

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
                        COMMIT_STATEMENT, name="countermand_commit", timeout=COMMIT_S
                    )
            except BaseException:
                self._forget()
                raise
        return self._commit

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

    async def _alone(
        self, connection: "asyncpg.Connection[asyncpg.Record]", statement: str, *parameters: int
    ) -> asyncpg.Record | None:
        """Moves the fence, once whoever holds it lets go or is made to."""
        asked = asyncio.ensure_future(connection.fetchrow(statement, *parameters))
        try:
            try:
                return await asyncio.wait_for(asyncio.shield(asked), HOLDER_S)
            except TimeoutError:
                await self._end_holders(connection.get_server_pid())
                return await asyncio.wait_for(asked, HOLDER_S)
        finally:
            asked.cancel()

    async def _end_holders(self, waiting: int) -> None:
        """Ends the backends that the backend `waiting` waits for."""
        helper = await connect(self._dsn, f"new writer of shard {self._shard}")
        try:
            await helper.execute(_END_HOLDERS, waiting, timeout=HOLDER_S)
        finally:
            helper.terminate()

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = self._commit = None


def arguments(batch: Batch) -> tuple[Any, ...]:
    """The batch as columns, in the order of the statement's parameters. The driver checks their types."""
    journal, orders, history, crafts = batch.journal, batch.orders, batch.history, batch.crafts
    builds = batch.builds
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
        [row.id for row in orders],
        [row.wallet for row in orders],
        [row.live for row in orders],
        [row.active for row in orders],
        [row.input_mint for row in orders],
        [row.output_mint for row in orders],
        [row.created_at for row in orders],
        [row.updated_at for row in orders],
        [row.expires_at for row in orders],
        [row.body for row in orders],
        [row.order_id for row in history],
        [row.number for row in history],
        [row.body for row in history],
        [row.request_id for row in crafts],
        [row.order_id for row in crafts],
        [row.last_valid_height for row in crafts],
        [row.body for row in crafts],
        [wallet for wallet, _ in batch.vaults],
        [at for _, at in batch.vaults],
        [mint for mint, _ in batch.prices],
        [str(price.picodollars) for _, price in batch.prices],
        [row.passing for row in history],
        [row.digest for row in builds],
        [row.request_id for row in builds],
        [row.last_valid_height for row in builds],
        [row.body for row in builds],
    )
