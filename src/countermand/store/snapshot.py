"""One instant of the database for an audit, while commits go on."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import asyncpg

from countermand.kernel.ports import Epoch, EventRecord, EventRow, JournalRow
from countermand.orders.book.rows import BookBalanceRow, BookOrderRow, BookTradeRow
from countermand.orders.chain.rows import ChainCursorRow, ChainOrderRow, ChainTradeRow
from countermand.orders.dca.ports import OrderRow as DcaOrderRow
from countermand.orders.trigger.ports import OrderRow, WatermarkRow
from countermand.store.connections import Connection, asking
from countermand.store.writer import epoch_of
from countermand.values.bucket import Bucket
from countermand.values.identity import Mint, OrderId, Wallet
from countermand.values.instant import Instant

_ROWS_AT_A_TIME: Final = 1_000

_SHARDS: Final = "SELECT shard, epoch, seq, head, last_at, incarnation, began FROM shards ORDER BY shard"
_JOURNAL: Final = "SELECT seq, at, kind, body, hash FROM journal WHERE shard = $1 ORDER BY seq"
_ORDERS: Final = """
SELECT id, bucket, wallet, live, active, input_mint, output_mint, created_at, updated_at, expires_at, body
FROM orders WHERE shard = $1 ORDER BY id
"""
_DCA_ORDERS: Final = """
SELECT id, bucket, wallet, live, active, input_mint, output_mint, created_at, updated_at, next_fill_at, body
FROM dca_orders WHERE shard = $1 ORDER BY id
"""
_WATERMARKS: Final = "SELECT mint, direction, body FROM watermarks WHERE shard = $1 ORDER BY mint, direction"
_EVENTS: Final = "SELECT seq, n, wallet, order_id, kind, body FROM events WHERE shard = $1 ORDER BY seq, n"
_BOOK_ORDERS: Final = """
SELECT id, account, nonce, uuid, market, base, quote, kind, side, state, live, created_at, body
FROM book_orders WHERE shard = $1 ORDER BY id
"""
_BOOK_TRADES: Final = """
SELECT id, market, at, ticks, lots, buyer, seller, buy_order, sell_order, body
FROM book_trades WHERE shard = $1 ORDER BY id
"""
_BOOK_BALANCES: Final = """
SELECT account, currency, available::text, locked::text FROM book_balances WHERE shard = $1 ORDER BY account, currency
"""
_ONCHAIN_ORDERS: Final = """
SELECT
    address, opened_by, nth, family, owner, live, input_mint, output_mint, created_at, updated_at, ended_slot,
    ended_nth, body
FROM onchain_orders WHERE shard = $1 ORDER BY address, opened_by, nth
"""
_ONCHAIN_TRADES: Final = """
SELECT address, opened_by, nth, n, failed, body FROM onchain_trades WHERE shard = $1
ORDER BY address, opened_by, nth, n
"""
_ONCHAIN_CURSORS: Final = "SELECT program, body FROM onchain_cursors WHERE shard = $1 ORDER BY program"
_NONCE_MAX: Final = """
SELECT greatest(
    0, (SELECT max(nonce) FROM book_orders WHERE shard = $1), (SELECT max(nonce) FROM book_drafts WHERE shard = $1)
)
"""
_BOOK_COUNTERS: Final = "SELECT body FROM book_counters WHERE shard = $1"


class Snapshot:
    """Reads on a connection that is inside a transaction of REPEATABLE READ; other tables can be read on it, too.

    Rows come in the order of their keys, fetched a thousand at a time.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def shards(self) -> Sequence[tuple[int, Epoch]]:
        with asking():
            rows = await self.connection.fetch(_SHARDS)
        return [(row["shard"], epoch_of(row)) for row in rows]

    async def rows(
        self, statement: str, *parameters: object, at_a_time: int = _ROWS_AT_A_TIME
    ) -> AsyncIterator[asyncpg.Record]:
        """Of any table, as they come."""
        with asking():
            async for row in self.connection.cursor(statement, *parameters, prefetch=at_a_time):
                yield row

    async def fetch(self, statement: str, *parameters: object) -> Sequence[asyncpg.Record]:
        """Of a statement that finds few."""
        with asking():
            return await self.connection.fetch(statement, *parameters)

    async def journal(self, shard: int) -> AsyncIterator[JournalRow]:
        with asking():
            async for seq, at, kind, body, digest in self.connection.cursor(_JOURNAL, shard, prefetch=_ROWS_AT_A_TIME):
                yield JournalRow(seq, Instant(at), kind, body, digest)

    async def orders(self, shard: int) -> AsyncIterator[OrderRow]:
        with asking():
            async for row in self.connection.cursor(_ORDERS, shard, prefetch=_ROWS_AT_A_TIME):
                yield OrderRow(**_shared(row), expires_at=Instant(row["expires_at"]))

    async def dca_orders(self, shard: int) -> AsyncIterator[DcaOrderRow]:
        with asking():
            async for row in self.connection.cursor(_DCA_ORDERS, shard, prefetch=_ROWS_AT_A_TIME):
                due = row["next_fill_at"]
                yield DcaOrderRow(**_shared(row), next_fill_at=None if due is None else Instant(due))

    async def events(self, shard: int) -> AsyncIterator[EventRow]:
        with asking():
            async for seq, n, *record in self.connection.cursor(_EVENTS, shard, prefetch=_ROWS_AT_A_TIME):
                yield EventRow(seq, n, EventRecord(*record))

    async def book_orders(self, shard: int) -> AsyncIterator[BookOrderRow]:
        with asking():
            async for row in self.connection.cursor(_BOOK_ORDERS, shard, prefetch=_ROWS_AT_A_TIME):
                yield BookOrderRow(**{**row, "uuid": str(row["uuid"])})

    async def book_trades(self, shard: int) -> AsyncIterator[BookTradeRow]:
        with asking():
            async for row in self.connection.cursor(_BOOK_TRADES, shard, prefetch=_ROWS_AT_A_TIME):
                yield BookTradeRow(**row)

    async def book_balances(self, shard: int) -> AsyncIterator[BookBalanceRow]:
        with asking():
            async for account, currency, available, locked in self.connection.cursor(
                _BOOK_BALANCES, shard, prefetch=_ROWS_AT_A_TIME
            ):
                yield BookBalanceRow(account, currency, _units(available), _units(locked))

    async def onchain_orders(self, shard: int) -> AsyncIterator[ChainOrderRow]:
        with asking():
            async for row in self.connection.cursor(_ONCHAIN_ORDERS, shard, prefetch=_ROWS_AT_A_TIME):
                yield ChainOrderRow(**row)

    async def onchain_trades(self, shard: int) -> AsyncIterator[ChainTradeRow]:
        with asking():
            async for row in self.connection.cursor(_ONCHAIN_TRADES, shard, prefetch=_ROWS_AT_A_TIME):
                yield ChainTradeRow(**row)

    async def onchain_cursors(self, shard: int) -> AsyncIterator[ChainCursorRow]:
        with asking():
            async for row in self.connection.cursor(_ONCHAIN_CURSORS, shard, prefetch=_ROWS_AT_A_TIME):
                yield ChainCursorRow(**row)

    async def watermarks(self, shard: int) -> Sequence[WatermarkRow]:
        with asking():
            return [WatermarkRow(*row) for row in await self.connection.fetch(_WATERMARKS, shard)]

    async def book_counters(self, shard: int) -> bytes | None:
        with asking():
            body: bytes | None = await self.connection.fetchval(_BOOK_COUNTERS, shard)
        return body

    async def nonce_max(self, shard: int) -> int:
        """The greatest that an order or a draft has; 0 if there is none."""
        with asking():
            nonce: int = await self.connection.fetchval(_NONCE_MAX, shard)
        return nonce


def _shared(row: asyncpg.Record) -> dict[str, Any]:
    """The columns that all orders in vaults have."""
    return {
        "id": OrderId(str(row["id"])),
        "bucket": Bucket(row["bucket"]),
        "wallet": Wallet(row["wallet"]),
        "live": row["live"],
        "active": row["active"],
        "input_mint": Mint(row["input_mint"]),
        "output_mint": Mint(row["output_mint"]),
        "created_at": Instant(row["created_at"]),
        "updated_at": Instant(row["updated_at"]),
        "body": row["body"],
    }


def _units(stored: str) -> int:
    """PostgreSQL keeps NaN where a number is to be at least 0. No balance is below 0."""
    return -1 if stored == "NaN" else int(stored)
