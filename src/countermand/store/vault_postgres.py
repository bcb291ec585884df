"""What the stores of all orders in vaults have in common: PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, TypeVar

from countermand.orders.vaults.ports import HistoryQuery, OrderBody, ShownEvents, StoredHistory, StoredOrder
from countermand.store.connections import LOAD_S, asking, reading
from countermand.store.shard_postgres import ShardPostgres
from countermand.values.bucket import BucketRange
from countermand.values.identity import OrderId, RequestId

R = TypeVar("R")

_HOLD_BACK_COMMITS: Final = "SELECT FROM shards FOR SHARE"
# In each statement, {0} is the prefix of the family's tables, and {1} the column that it alone has.
_LIVE_ORDERS: Final = """
SELECT id, body FROM {0}orders WHERE shard = $1 AND bucket BETWEEN $2 AND $3 AND live ORDER BY id
"""
_ORDERS: Final = "SELECT id, bucket, body FROM {0}orders WHERE id = ANY ($1::uuid[])"
_CRAFTS: Final = "SELECT request_id, body FROM {0}crafts WHERE request_id = ANY ($1::uuid[])"
_ORDER_HISTORY: Final = """
SELECT body, shown_history(id::text, $2, $3, $4, $5) AS history FROM {0}orders WHERE id = $1
"""
# One statement, so that the page and the number of all are of one instant. The left join yields a row, and with it the
# number, even where the page is empty. What matches is counted anyway, so an index that sorts would save nothing.
_HISTORY: Final = """
WITH matching AS MATERIALIZED (
    SELECT id, CASE $4::text
        WHEN 'updated_at' THEN updated_at WHEN 'created_at' THEN created_at WHEN '{1}' THEN {1}
    END AS key
    FROM {0}orders
    WHERE wallet = $1 AND ($2::boolean IS NULL OR active = $2)
        AND ($3::text IS NULL OR input_mint = $3 OR output_mint = $3)
), page AS (
    SELECT id, key FROM matching
    ORDER BY CASE WHEN $5::boolean THEN key END DESC NULLS LAST, CASE WHEN $5 THEN id END DESC, key, id
    LIMIT $6 OFFSET $7
)
SELECT (SELECT count(*) FROM matching) AS total,
    (SELECT {0}orders.body FROM {0}orders WHERE {0}orders.id = page.id) AS body,
    shown_history(page.id::text, $8, $9, $10, $11) AS history
FROM (VALUES (1)) AS always LEFT JOIN page ON true
ORDER BY CASE WHEN $5 THEN page.key END DESC NULLS LAST, CASE WHEN $5 THEN page.id END DESC, page.key, page.id
"""
_KEEP_USED_CRAFTS: Final = """
UPDATE {0}crafts SET last_valid_height = NULL
WHERE last_valid_height < $1 AND EXISTS (SELECT FROM {0}orders WHERE {0}orders.id = {0}crafts.order_id)
"""
_ANY_DEAD_CRAFT: Final = "SELECT EXISTS (SELECT FROM {0}crafts WHERE last_valid_height < $1)"
_DELETE_DEAD_CRAFTS: Final = """
DELETE FROM {0}crafts
WHERE last_valid_height < $1 AND NOT EXISTS (SELECT FROM {0}orders WHERE {0}orders.id = {0}crafts.order_id)
"""


class VaultPostgres(ShardPostgres[R]):
    """`orders.vaults.ports.OrderStore`. Expects the schema to be there: `migrate` comes first."""

    prefix: ClassVar[str]
    """That of the family's tables."""
    instant: ClassVar[str]
    """The column that it alone has."""
    shown: ClassVar[ShownEvents]

    def _sql(self, statement: str) -> str:
        return statement.format(self.prefix, self.instant)

    def _shown(self) -> tuple[Sequence[str], str, int, int]:
        """As `shown_history` takes it."""
        shown = self.shown
        return shown.kinds, shown.passing, shown.passing_most, shown.most

    # --- writing

    async def delete_dead_crafts(self, below_height: int) -> None:
        """Each craft is judged once; those that became orders stay.

        Commits are held back while the others are deleted: one could make an order of a craft that is being judged.
        """
        with asking():
            async with self._readers.acquire() as connection:
                await connection.execute(self._sql(_KEEP_USED_CRAFTS), below_height)
                if not await connection.fetchval(self._sql(_ANY_DEAD_CRAFT), below_height):
                    return
                async with connection.transaction():
                    await connection.execute("SET LOCAL lock_timeout = '1s'")
                    await connection.execute(_HOLD_BACK_COMMITS)
                    await connection.execute(self._sql(_DELETE_DEAD_CRAFTS), below_height)

    # --- reading

    async def live_orders(self, shard: int, buckets: BucketRange) -> Sequence[tuple[OrderId, bytes]]:
        """The oldest first, since ids rise with time. It may take a while."""
        with reading(f"{self.prefix}orders"):
            async with self._readers.acquire() as connection:
                statement = self._sql(_LIVE_ORDERS)
                rows = await connection.fetch(statement, shard, buckets.first, buckets.last, timeout=LOAD_S)
        return [(OrderId(str(order_id)), body) for order_id, body in rows]

    async def orders(self, order_ids: Sequence[OrderId]) -> Mapping[OrderId, OrderBody]:
        with asking():
            rows = await self._readers.fetch(self._sql(_ORDERS), order_ids)
        return {OrderId(str(key)): OrderBody(bucket, body) for key, bucket, body in rows}

    async def crafts(self, request_ids: Sequence[RequestId]) -> Mapping[RequestId, bytes]:
        with asking():
            rows = await self._readers.fetch(self._sql(_CRAFTS), request_ids)
        return {RequestId(str(key)): body for key, body in rows}

    async def history(self, query: HistoryQuery) -> StoredHistory:
        with asking():
            rows = await self._readers.fetch(
                self._sql(_HISTORY),
                query.wallet,
                query.active,
                query.mint,
                query.sort.value,
                query.descending,
                query.limit,
                query.offset,
                *self._shown(),
            )
        orders = [StoredOrder(body, history) for _, body, history in rows if body is not None]
        return StoredHistory(rows[0]["total"], orders)

    async def order_history(self, order_id: OrderId) -> StoredOrder | None:
        with asking():
            row = await self._readers.fetchrow(self._sql(_ORDER_HISTORY), order_id, *self._shown())
        return None if row is None else StoredOrder(row["body"], row["history"])
