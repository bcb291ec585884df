"""What is stored, as whoever runs a venue looks through it: `engine.inspection.Records`."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from countermand.domain.book.order import OrderId
from countermand.domain.instant import Instant
from countermand.engine.ports import JournalRow
from countermand.store.connections import Connection, asking

_TRIGGER_ORDERS: Final = """
SELECT body FROM orders
WHERE ($1::text IS NULL OR wallet = $1)
    AND ($2::text[] IS NULL OR convert_from(body, 'UTF8')::jsonb ->> 'state' = ANY ($2))
ORDER BY id DESC LIMIT $3
"""
_BOOK_ORDERS: Final = """
SELECT body FROM book_orders
WHERE ($1::text IS NULL OR account = $1) AND ($2::text[] IS NULL OR state = ANY ($2))
ORDER BY id DESC LIMIT $3
"""
_BY_ID: Final = "SELECT body FROM book_orders WHERE id = $1"
_BY_UUID: Final = "SELECT body FROM book_orders WHERE uuid = $1"
_LAST_SEQ: Final = "SELECT coalesce(max(seq), 0) FROM journal WHERE shard = $1"
_AT: Final = "SELECT at FROM journal WHERE shard = $1 AND seq = $2"
_JOURNAL: Final = """
SELECT seq, at, kind, body, hash FROM journal
WHERE shard = $1 AND seq >= $2 AND seq < $3
    AND EXISTS (SELECT FROM unnest($4::bytea[]) AS mention WHERE position(mention IN body) > 0)
ORDER BY seq
"""


class PostgresRecords:
    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def trigger_orders(self, wallet: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        with asking():
            return [body for (body,) in await self._pool.fetch(_TRIGGER_ORDERS, wallet, states, limit)]

    async def book_orders(self, account: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        with asking():
            return [body for (body,) in await self._pool.fetch(_BOOK_ORDERS, account, states, limit)]

    async def book_order(self, which: OrderId | str) -> bytes | None:
        with asking():
            body: bytes | None = await self._pool.fetchval(_BY_UUID if isinstance(which, str) else _BY_ID, which)
        return body

    async def journal(
        self, shard: int, mentioning: Sequence[bytes], since: Instant, until: Instant
    ) -> Sequence[JournalRow]:
        """Instants rise with the sequence numbers, which have no gap: the first entry of an instant is soon found."""
        with asking():
            async with self._pool.acquire() as connection:
                end = await connection.fetchval(_LAST_SEQ, shard) + 1
                first = await _first_at(connection, shard, since, end)
                last = await _first_at(connection, shard, Instant(until + 1), end)
                rows = await connection.fetch(_JOURNAL, shard, first, last, list(mentioning))
        return [JournalRow(row["seq"], Instant(row["at"]), row["kind"], row["body"], row["hash"]) for row in rows]


async def _first_at(connection: Connection, shard: int, at: Instant, end: int) -> int:
    """The first sequence number of an entry at that instant or later, or `end`."""
    low, high = 1, end
    while low < high:
        middle = (low + high) // 2
        if await connection.fetchval(_AT, shard, middle) < at:
            low = middle + 1
        else:
            high = middle
    return low
