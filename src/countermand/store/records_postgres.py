"""What is stored, as an operator looks through it: the `Records` of each family's `inspection`."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from countermand.kernel.ports import EventRecord, EventRow
from countermand.orders.book.inspection import StoredBookStory
from countermand.orders.book.model.order import OrderId
from countermand.store.connections import Pool, asking

_TRIGGER_ORDERS: Final = """
SELECT body FROM orders
WHERE ($1::text IS NULL OR wallet = $1)
    AND ($2::text[] IS NULL OR convert_from(body, 'UTF8')::jsonb ->> 'state' = ANY ($2))
ORDER BY id DESC LIMIT $3
"""
_DCA_ORDERS: Final = """
SELECT body FROM dca_orders
WHERE ($1::text IS NULL OR wallet = $1)
    AND ($2::text[] IS NULL OR convert_from(body, 'UTF8')::jsonb ->> 'state' = ANY ($2))
ORDER BY id DESC LIMIT $3
"""
_BOOK_ORDERS: Final = """
SELECT body FROM book_orders
WHERE ($1::text IS NULL OR account = $1) AND ($2::text[] IS NULL OR state = ANY ($2))
ORDER BY id DESC LIMIT $3
"""
_BOOK_ORDER: Final = """
SELECT o.body, ARRAY(
    SELECT (e.seq, e.n, e.wallet, e.order_id, e.kind, e.body) FROM events e
    WHERE e.order_id = o.id::text ORDER BY e.seq DESC, e.n DESC LIMIT $2
) AS events
FROM book_orders o WHERE
"""
BY_ID: Final = f"{_BOOK_ORDER} o.id = $1"
BY_UUID: Final = f"{_BOOK_ORDER} o.uuid = $1"
_STORY: Final = """
SELECT seq, n, wallet, order_id, kind, body FROM events WHERE order_id = $1 ORDER BY seq DESC, n DESC LIMIT $2
"""
_NEWEST: Final = """
SELECT e.* FROM unnest($1::text[]) AS wanted (id), LATERAL (
    SELECT seq, n, wallet, order_id, kind, body FROM events
    WHERE order_id = wanted.id AND kind = $2 ORDER BY seq DESC, n DESC LIMIT 1
) AS e
"""


class PostgresRecords:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def trigger_orders(self, wallet: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        with asking():
            return [body for (body,) in await self._pool.fetch(_TRIGGER_ORDERS, wallet, states, limit)]

    async def dca_orders(self, wallet: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        with asking():
            return [body for (body,) in await self._pool.fetch(_DCA_ORDERS, wallet, states, limit)]

    async def book_orders(self, account: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        with asking():
            return [body for (body,) in await self._pool.fetch(_BOOK_ORDERS, account, states, limit)]

    async def book_order(self, which: OrderId | str, events_most: int) -> StoredBookStory | None:
        with asking():
            row = await self._pool.fetchrow(BY_UUID if isinstance(which, str) else BY_ID, which, events_most)
        return None if row is None else StoredBookStory(row["body"], _oldest_first(row["events"]))

    async def story(self, order_id: str, limit: int) -> Sequence[EventRow]:
        with asking():
            return _oldest_first(await self._pool.fetch(_STORY, order_id, limit))

    async def newest(self, order_ids: Sequence[str], kind: str) -> Sequence[EventRow]:
        with asking():
            return _oldest_first(await self._pool.fetch(_NEWEST, order_ids, kind))


def _oldest_first(rows: Sequence[asyncpg.Record]) -> Sequence[EventRow]:
    return [EventRow(seq, n, EventRecord(*record)) for seq, n, *record in reversed(rows)]
