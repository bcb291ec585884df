"""The store of the index of orders on the chain: PostgreSQL."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from countermand.orders.chain.model.order import IndexedOrder
from countermand.orders.chain.ports import ChainHistory, ChainHistoryQuery, OrderWithTrades
from countermand.orders.chain.rows import ChainRows, decode_order, decode_trade
from countermand.store.connections import LOAD_S, asking, reading
from countermand.store.rows_inserted import as_columns, inserted
from countermand.store.shard_postgres import ShardPostgres
from countermand.store.writer import FIRST_PARAMETER, FamilyStatements
from countermand.values.identity import Address

TRADES_SHOWN: Final = 1_000
"""Of one order, the newest."""

_LIVE_ORDERS: Final = "SELECT address, opened_by, family, body FROM onchain_orders WHERE shard = $1 AND live"
_CURSORS: Final = "SELECT program, body FROM onchain_cursors WHERE shard = $1"
_TRADES: Final = """
ARRAY(
    SELECT body FROM onchain_trades
    WHERE address = page.address AND opened_by = page.opened_by AND nth = page.nth AND ({failed} OR NOT failed)
    ORDER BY n DESC LIMIT {limit}
) AS trades
"""
# One statement, so that the page and the number of all are of one instant. The left join yields a row, and with it the
# number, even where the page is empty.
_HISTORY: Final = f"""
WITH page AS (
    SELECT address, opened_by, nth, updated_at, ended_slot, ended_nth, body FROM onchain_orders
    WHERE owner = $1 AND family = $2 AND NOT live
        AND ($3::text IS NULL OR input_mint = $3) AND ($4::text IS NULL OR output_mint = $4)
        AND ($5::text IS NULL OR input_mint = $5 OR output_mint = $5)
    ORDER BY updated_at DESC, ended_slot DESC, ended_nth DESC, address, opened_by, nth LIMIT $6 OFFSET $7
)
SELECT (
    SELECT count(*) FROM onchain_orders
    WHERE owner = $1 AND family = $2 AND NOT live
        AND ($3::text IS NULL OR input_mint = $3) AND ($4::text IS NULL OR output_mint = $4)
        AND ($5::text IS NULL OR input_mint = $5 OR output_mint = $5)
) AS total, page.body, {_TRADES.format(failed="$8::boolean", limit=TRADES_SHOWN)}
FROM (VALUES (1)) AS always LEFT JOIN page ON true
ORDER BY page.updated_at DESC, page.ended_slot DESC, page.ended_nth DESC, page.address, page.opened_by, page.nth
"""  # noqa: S608
_OPEN_AT: Final = f"""
SELECT family, body, {_TRADES.format(failed="$2::boolean", limit=TRADES_SHOWN)}
FROM onchain_orders AS page WHERE address = ANY ($1::text[]) AND live
"""  # noqa: S608
_LAST_AT: Final = """
SELECT family, body FROM onchain_orders WHERE address = $1
ORDER BY live DESC, updated_at DESC, ended_slot DESC, ended_nth DESC LIMIT 1
"""

_ORDER: Final = {
    "address": "text",
    "opened_by": "text",
    "nth": "integer",
    "family": "text",
    "owner": "text",
    "live": "boolean",
    "input_mint": "text",
    "output_mint": "text",
    "created_at": "bigint",
    "updated_at": "bigint",
    "ended_slot": "bigint",
    "ended_nth": "integer",
    "body": "bytea",
}
_TRADE: Final = {
    "address": "text",
    "opened_by": "text",
    "nth": "integer",
    "n": "integer",
    "failed": "boolean",
    "body": "bytea",
}
_CURSOR: Final = {"program": "text", "body": "bytea"}


_OF_ORDERS, _OF_TRADES, _OF_CURSORS = as_columns(_ORDER), as_columns(_TRADE), as_columns(_CURSOR)


def _arguments(rows: ChainRows) -> tuple[Any, ...]:
    return (*_OF_ORDERS(rows.orders), *_OF_TRADES(rows.trades), *_OF_CURSORS(rows.cursors))


CHAIN_FAMILY: Final = FamilyStatements(
    {
        "order_rows": inserted("onchain_orders", _ORDER, FIRST_PARAMETER)
        + " ON CONFLICT (address, opened_by, nth) DO UPDATE SET live = excluded.live, updated_at = excluded.updated_at,"
        " ended_slot = excluded.ended_slot, ended_nth = excluded.ended_nth, body = excluded.body",
        "trade_rows": inserted("onchain_trades", _TRADE, FIRST_PARAMETER + len(_ORDER)),
        "cursor_rows": inserted("onchain_cursors", _CURSOR, FIRST_PARAMETER + len(_ORDER) + len(_TRADE))
        + " ON CONFLICT (shard, program) DO UPDATE SET body = excluded.body",
    },
    (
        "DELETE FROM onchain_orders WHERE shard = $1",
        "DELETE FROM onchain_trades WHERE shard = $1",
        "DELETE FROM onchain_cursors WHERE shard = $1",
    ),
    _arguments,
)


class PostgresChainIndexStore(ShardPostgres[ChainRows]):
    """`orders.chain.ports.ChainIndexStore`. Expects the schema to be there: `migrate` comes first."""

    family = CHAIN_FAMILY

    async def live_orders(self, shard: int) -> Sequence[tuple[str, str, str, bytes]]:
        with reading("onchain_orders"):
            rows = await self._readers.fetch(_LIVE_ORDERS, shard, timeout=LOAD_S)
        return [tuple(row) for row in rows]

    async def cursors(self, shard: int) -> Sequence[tuple[str, bytes]]:
        with reading("onchain_cursors"):
            rows = await self._readers.fetch(_CURSORS, shard)
        return [tuple(row) for row in rows]

    async def history(self, query: ChainHistoryQuery) -> ChainHistory:
        with asking():
            rows = await self._readers.fetch(
                _HISTORY,
                query.owner,
                query.family.value,
                query.input_mint,
                query.output_mint,
                query.either_mint,
                query.limit,
                query.offset,
                query.with_failed,
            )
        orders = [_traded(query.family.value, row) for row in rows if row["body"] is not None]
        return ChainHistory(rows[0]["total"], orders)

    async def open_at(self, addresses: Sequence[Address], *, with_failed: bool) -> Sequence[OrderWithTrades]:
        with asking():
            rows = await self._readers.fetch(_OPEN_AT, list(addresses), with_failed)
        return [_traded(row["family"], row) for row in rows]

    async def last_at(self, address: Address) -> IndexedOrder | None:
        with asking():
            row = await self._readers.fetchrow(_LAST_AT, address)
        return None if row is None else decode_order(row["family"], row["body"])


def _traded(family: str, row: asyncpg.Record) -> OrderWithTrades:
    return OrderWithTrades(decode_order(family, row["body"]), [decode_trade(body) for body in row["trades"]])
