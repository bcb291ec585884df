"""The part that the stores of all families share: writers with their fences, and a pool of readers.

Each shard commits on a connection of its own; reads share a small pool.
"""

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Final, Generic, Self, TypeVar

from countermand.kernel.ports import Batch, Epoch, EventRecord, EventRow
from countermand.store.connections import Pool, asking, open_pool
from countermand.store.writer import FamilyStatements, Writer

CLOSE_S: Final = 3

_EVENTS: Final = """
SELECT seq, n, wallet, order_id, kind, body FROM events
WHERE shard = $1 AND (seq, n) > ($2, $3) AND seq <= $4 ORDER BY seq, n LIMIT $5
"""
_EPOCH: Final = "SELECT epoch FROM shards WHERE shard = $1"
_LOOK: Final = f"SELECT current_setting('transaction_read_only') = 'on', ({_EPOCH})"

R = TypeVar("R")


class ShardPostgres(Generic[R]):
    """`kernel.ports.ShardStore`. Expects the schema to be there: `migrate` comes first."""

    family: ClassVar[FamilyStatements]

    def __init__(self, dsn: str, readers: Pool) -> None:
        self._dsn = dsn
        self._readers = readers
        self._writers: dict[int, Writer] = {}

    @classmethod
    async def connect(cls, dsn: str) -> Self:
        return cls(dsn, await open_pool(dsn, "reader"))

    @property
    def readers(self) -> Pool:
        """For what reads beside the shard."""
        return self._readers

    async def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        try:
            await asyncio.wait_for(self._readers.close(), CLOSE_S)
        except TimeoutError:
            self._readers.terminate()

    async def begin_epoch(self, shard: int, opened: int | None = None) -> Epoch:
        return await self._writer(shard).begin_epoch(opened)

    async def commit(self, batch: Batch[R]) -> None:
        await self._writer(batch.shard).commit(batch)

    async def epoch(self, shard: int) -> int:
        """The number of the newest one; 0 for a shard that was never written."""
        with asking():
            return await self._readers.fetchval(_EPOCH, shard) or 0

    async def look(self, shard: int) -> tuple[int, bool]:
        """The number of the newest epoch, and whether the database takes no writes."""
        with asking():
            row = await self._readers.fetchrow(_LOOK, shard)
        assert row is not None
        return row[1] or 0, row[0]

    async def events(self, shard: int, after: tuple[int, int], until: int, limit: int) -> Sequence[EventRow]:
        with asking():
            rows = await self._readers.fetch(_EVENTS, shard, *after, until, limit)
        return [EventRow(seq, n, EventRecord(*record)) for seq, n, *record in rows]

    async def reset(self, shard: int) -> None:
        """An empty shard again. Its writer is replaced, and begins with a new epoch."""
        await self._writer(shard).reset()

    def _writer(self, shard: int) -> Writer:
        writer = self._writers.get(shard)
        if writer is None:
            writer = self._writers[shard] = Writer(self._dsn, shard, self.family)
        return writer
