"""The store of a venue with order books: PostgreSQL."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from countermand.orders.book.day import SECOND_MS
from countermand.orders.book.model.ledger.amount import Account, Currency
from countermand.orders.book.model.lifecycle import LIVE
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import Nonce, OrderId
from countermand.orders.book.ports import OrdersQuery, Period, StoredBookOrder, StoredTrade, TradesQuery
from countermand.orders.book.rows import BookBalanceRow, BookRows
from countermand.store.book_rows import BOOK_FAMILY
from countermand.store.connections import LOAD_S, asking, reading
from countermand.store.shard_postgres import ShardPostgres
from countermand.stored_rows import check, unreadable
from countermand.values.instant import Instant

_COUNTERS: Final = "SELECT body FROM book_counters WHERE shard = $1"
_BALANCES: Final = """
SELECT account, currency, available::text, locked::text FROM book_balances WHERE shard = $1 ORDER BY account, currency
"""
_LIVE_ORDERS: Final = "SELECT id, body FROM book_orders WHERE shard = $1 AND live ORDER BY id"
_ORDER: Final = "SELECT body FROM book_orders WHERE id = $1"
_ORDER_OF_NONCE: Final = "SELECT body FROM book_orders WHERE account = $1 AND nonce = $2"
_DRAFT: Final = "SELECT body FROM book_drafts WHERE account = $1 AND nonce = $2"
_DELETE_DRAFTS: Final = "DELETE FROM book_drafts WHERE expires_at < $1"
# The order and its trades are of one instant, since they are one statement.
_WITH_TRADES: Final = """
SELECT body, ARRAY(
    SELECT ROW(at, body) FROM book_trades WHERE buy_order = book_orders.id OR sell_order = book_orders.id ORDER BY id
) AS trades
FROM book_orders WHERE account = $1 AND """
_BY_ID: Final = _WITH_TRADES + "id = $2"
_BY_UUID: Final = _WITH_TRADES + "uuid = $2::uuid"
_ORDERS: Final = """
SELECT body FROM book_orders
WHERE account = $1 AND ($2::text IS NULL OR market = $2) AND ($3::text IS NULL OR base = $3)
    AND ($4::text IS NULL OR quote = $4) AND ($5::text IS NULL OR kind = $5) AND ($6::text IS NULL OR side = $6)
    AND ($7::text IS NULL OR state = $7) AND ($8::bigint IS NULL OR created_at >= $8)
    AND ($9::bigint IS NULL OR created_at < $9) {live}
ORDER BY id {way} LIMIT $10 OFFSET $11
"""
# Each of these walks along one index, in its order, and stops at the limit.
_TRADES_OF_ALL: Final = """
SELECT at, body FROM book_trades
WHERE $1::text IS NULL AND $2::text IS NULL AND ($3::bigint IS NULL OR at >= $3) AND ($4::bigint IS NULL OR at < $4)
    AND ($5::bigint IS NULL OR id <= $5)
ORDER BY id {way} LIMIT $6 OFFSET $7
"""
# In a market, ids and instants rise together.
_TRADES_OF_MARKET: Final = """
SELECT at, body FROM book_trades
WHERE $1::text IS NULL AND market = $2 AND at >= coalesce($3::bigint, 0) AND at < coalesce($4, 9223372036854775807)
    AND ($5::bigint IS NULL OR id <= $5)
ORDER BY at {way}, id {way} LIMIT $6 OFFSET $7
"""
# No account trades with itself.
_TRADES_OF_ACCOUNT: Final = """
SELECT at, body FROM ({bought} UNION ALL {sold}) AS own ORDER BY id {way} LIMIT $6 OFFSET $7
"""
_OWN: Final = """(
    SELECT id, at, body FROM book_trades
    WHERE {party} = $1 AND ($2::text IS NULL OR market = $2)
        AND ($3::bigint IS NULL OR at >= $3) AND ($4::bigint IS NULL OR at < $4)
        AND ($5::bigint IS NULL OR id <= $5)
    ORDER BY id {way} LIMIT $6::bigint + $7::bigint
)"""
_PERIODS: Final = """
SELECT at - (at - $3) % $2 AS began, (array_agg(ticks ORDER BY id))[1] AS first,
    (array_agg(ticks ORDER BY id DESC))[1] AS last, max(ticks) AS high, min(ticks) AS low, sum(lots)::text AS lots,
    sum(ticks::numeric * lots)::text AS turnover
FROM book_trades WHERE market = $1 AND at >= $3 AND at < $4 GROUP BY began ORDER BY began
"""

_BAD_TRADE: Final = """
SELECT (array_agg(id))[1] FROM book_trades WHERE market = $1 AND at >= $2 AND (ticks <= 0 OR lots <= 0)
"""

_NEVER: Final = 2**62


class PostgresBookStore(ShardPostgres[BookRows]):
    """`orders.book.ports.BookStore`. Expects the schema to be there: `migrate` comes first."""

    family = BOOK_FAMILY

    async def delete_drafts(self, expired_before: Instant) -> None:
        with asking():
            await self._readers.execute(_DELETE_DRAFTS, expired_before)

    async def counters(self, shard: int) -> bytes | None:
        with reading("book_counters", shard):
            body: bytes | None = await self._readers.fetchval(_COUNTERS, shard)
        return body

    async def balances(self, shard: int) -> Sequence[BookBalanceRow]:
        with reading("book_balances"):
            rows = await self._readers.fetch(_BALANCES, shard, timeout=LOAD_S)
        return [_balance(row) for row in rows]

    async def live_orders(self, shard: int) -> Sequence[tuple[OrderId, bytes]]:
        """It may take a while."""
        with reading("book_orders"):
            rows = await self._readers.fetch(_LIVE_ORDERS, shard, timeout=LOAD_S)
        return [(OrderId(order_id), body) for order_id, body in rows]

    async def order(self, order_id: OrderId) -> bytes | None:
        with asking():
            body: bytes | None = await self._readers.fetchval(_ORDER, order_id)
        return body

    async def order_of_nonce(self, account: Account, nonce: Nonce) -> bytes | None:
        with asking():
            body: bytes | None = await self._readers.fetchval(_ORDER_OF_NONCE, account, nonce)
        return body

    async def draft(self, account: Account, nonce: Nonce) -> bytes | None:
        with asking():
            body: bytes | None = await self._readers.fetchval(_DRAFT, account, nonce)
        return body

    async def order_with_trades(self, account: Account, which: OrderId | str) -> StoredBookOrder | None:
        statement = _BY_UUID if isinstance(which, str) else _BY_ID
        with asking():
            row = await self._readers.fetchrow(statement, account, which)
        if row is None:
            return None
        return StoredBookOrder(row["body"], [StoredTrade(Instant(at), body) for at, body in row["trades"]])

    async def orders(self, query: OrdersQuery) -> Sequence[bytes]:
        with asking():
            rows = await self._readers.fetch(
                orders_statement(query),
                query.account,
                query.market,
                query.base,
                query.quote,
                None if query.kind is None else query.kind.value,
                None if query.side is None else query.side.value,
                None if query.state is None else query.state.value,
                query.since,
                query.until,
                query.limit,
                query.offset,
            )
        return [body for (body,) in rows]

    async def trades(self, query: TradesQuery) -> Sequence[StoredTrade]:
        with asking():
            rows = await self._readers.fetch(
                trades_statement(query),
                query.account,
                query.market,
                query.since,
                query.until,
                query.newest,
                query.limit,
                query.offset,
            )
        return [StoredTrade(Instant(at), body) for at, body in rows]

    async def periods(self, market: MarketSymbol, length_ms: int, since: Instant, until: Instant) -> Sequence[Period]:
        with asking():
            return [_period(row) for row in await self._readers.fetch(_PERIODS, market, length_ms, since, until)]

    async def seconds(self, market: MarketSymbol, since: Instant) -> Sequence[Period]:
        with reading("book_trades"):
            bad = await self._readers.fetchval(_BAD_TRADE, market, since, timeout=LOAD_S)
            check("book_trades", bad, that=bad is None, otherwise="its price or its volume is not positive")
            rows = await self._readers.fetch(_PERIODS, market, SECOND_MS, since, _NEVER, timeout=LOAD_S)
        return [_period(row) for row in rows]


def _balance(row: asyncpg.Record) -> BookBalanceRow:
    account, currency, available, locked = row
    try:
        return BookBalanceRow(Account(account), Currency(currency), int(available), int(locked))
    except ValueError as problem:
        raise unreadable("book_balances", f"{account} {currency}", problem) from problem


def _period(row: asyncpg.Record) -> Period:
    prices = row["first"], row["last"], row["high"], row["low"]
    return Period(Instant(row["began"]), *prices, int(row["lots"]), int(row["turnover"]))


def orders_statement(query: OrdersQuery) -> str:
    """What is run with account, market, base, quote, kind, side, state, since, until, limit and offset."""
    return _ORDERS.format(live="AND live" if query.state in LIVE else "", way=_way(query))


def trades_statement(query: TradesQuery) -> str:
    """What is run with account, market, since, until, newest, limit and offset."""
    way = _way(query)
    if query.account is not None:
        bought, sold = (_OWN.format(party=party, way=way) for party in ("buyer", "seller"))
        return _TRADES_OF_ACCOUNT.format(bought=bought, sold=sold, way=way)
    return (_TRADES_OF_ALL if query.market is None else _TRADES_OF_MARKET).format(way=way)


def _way(query: OrdersQuery | TradesQuery) -> str:
    return "ASC" if query.ascending else "DESC"
