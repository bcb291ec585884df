"""The store of order books of the simulator: what PostgreSQL does with a venue's shard, in plain dictionaries."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

from countermand.orders.book.model.ledger.amount import Account, Currency
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import Nonce, OrderId, TradeId
from countermand.orders.book.ports import OrdersQuery, Period, StoredBookOrder, StoredTrade, TradesQuery
from countermand.orders.book.rows import BookBalanceRow, BookDraftRow, BookOrderRow, BookRows, BookTradeRow
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand_simulator.fenced import BEFORE_READ, Faults, FencedDatabase, FencedShard, FencedStore

T = TypeVar("T")


@dataclass
class MemoryBookShard(FencedShard[BookRows]):
    book_orders: dict[OrderId, BookOrderRow] = field(default_factory=dict)
    of_nonce: dict[tuple[Account, Nonce], OrderId] = field(default_factory=dict)
    of_uuid: dict[str, OrderId] = field(default_factory=dict)
    trades: dict[TradeId, BookTradeRow] = field(default_factory=dict)
    of_order: dict[OrderId, list[BookTradeRow]] = field(default_factory=dict)
    """Each order's trades."""
    balances: dict[tuple[Account, Currency], BookBalanceRow] = field(default_factory=dict)
    drafts: dict[Nonce, BookDraftRow] = field(default_factory=dict)
    standing: bytes | None = None

    def add(self, rows: BookRows) -> None:
        for row in rows.orders:
            first = self.book_orders.setdefault(row.id, row)
            self.book_orders[row.id] = replace(first, state=row.state, live=row.live, body=row.body)
            self.of_nonce[row.account, row.nonce] = row.id
            self.of_uuid[row.uuid] = row.id
        for trade in rows.trades:
            self.trades[trade.id] = trade
            for order_id in dict.fromkeys((trade.buy_order, trade.sell_order)):
                self.of_order.setdefault(order_id, []).append(trade)
        self.balances.update({(row.account, row.currency): row for row in rows.balances})
        self.drafts.update({row.nonce: row for row in rows.drafts})
        if rows.counters is not None:
            self.standing = rows.counters

    def refuse_twice(self, rows: BookRows) -> None:
        assert len({row.id for row in rows.orders}) == len(rows.orders), "an order twice in one batch"
        for row in rows.orders:
            assert self.of_nonce.get((row.account, row.nonce), row.id) == row.id, f"nonce {row.nonce} twice"
            assert self.of_uuid.get(row.uuid, row.id) == row.id, f"uuid {row.uuid} twice"
        for trade in rows.trades:
            assert trade.id not in self.trades, f"trade {trade.id} twice"
        for draft in rows.drafts:
            assert draft.nonce not in self.drafts, f"nonce {draft.nonce} is given twice"


class MemoryBookDatabase(FencedDatabase[MemoryBookShard]):
    def __init__(self) -> None:
        super().__init__(MemoryBookShard)


class MemoryBookStore(FencedStore[MemoryBookShard]):
    """`orders.book.ports.BookStore` on a `MemoryBookDatabase`."""

    database: MemoryBookDatabase

    def __init__(self, database: MemoryBookDatabase | None = None, faults: Faults | None = None) -> None:
        super().__init__(database if database is not None else MemoryBookDatabase(), faults)

    async def delete_drafts(self, expired_before: Instant) -> None:
        await self._faults.at(BEFORE_READ)
        for shard in self._shards():
            shard.drafts = {nonce: row for nonce, row in shard.drafts.items() if row.expires_at >= expired_before}

    # --- what a load reads

    async def counters(self, shard: int) -> bytes | None:
        await self._faults.at(BEFORE_READ)
        return self.database.shard(shard).standing

    async def balances(self, shard: int) -> Sequence[BookBalanceRow]:
        await self._faults.at(BEFORE_READ)
        return [row for _, row in sorted(self.database.shard(shard).balances.items())]

    async def live_orders(self, shard: int) -> Sequence[tuple[OrderId, bytes]]:
        await self._faults.at(BEFORE_READ)
        return [(row.id, row.body) for _, row in sorted(self.database.shard(shard).book_orders.items()) if row.live]

    # --- what requests read

    async def order(self, order_id: OrderId) -> bytes | None:
        return await self._first(lambda shard: shard.book_orders.get(order_id))

    async def order_of_nonce(self, account: Account, nonce: Nonce) -> bytes | None:
        return await self._first(lambda shard: _named(shard, shard.of_nonce.get((account, nonce))))

    async def draft(self, account: Account, nonce: Nonce) -> bytes | None:
        def mine(shard: MemoryBookShard) -> BookDraftRow | None:
            row = shard.drafts.get(nonce)
            return row if row is not None and row.account == account else None

        return await self._first(mine)

    async def _first(self, find: Callable[[MemoryBookShard], BookOrderRow | BookDraftRow | None]) -> bytes | None:
        await self._faults.at(BEFORE_READ)
        return next((row.body for shard in self._shards() if (row := find(shard)) is not None), None)

    async def order_with_trades(self, account: Account, which: OrderId | str) -> StoredBookOrder | None:
        await self._faults.at(BEFORE_READ)
        for shard in self._shards():
            row = _named(shard, shard.of_uuid.get(which) if isinstance(which, str) else which)
            if row is not None and row.account == account:
                return StoredBookOrder(row.body, _stored(shard.of_order.get(row.id, ())))
        return None

    async def orders(self, query: OrdersQuery) -> Sequence[bytes]:
        await self._faults.at(BEFORE_READ)
        found = [row for shard in self._shards() for row in shard.book_orders.values() if _matches(row, query)]
        found.sort(key=lambda row: row.id, reverse=not query.ascending)
        return [row.body for row in _page(found, query.limit, query.offset)]

    async def trades(self, query: TradesQuery) -> Sequence[StoredTrade]:
        await self._faults.at(BEFORE_READ)
        found = [row for row in self._trades() if _is_asked_for(row, query)]
        found.sort(key=lambda row: row.id, reverse=not query.ascending)
        return _stored(_page(found, query.limit, query.offset))

    async def periods(self, market: MarketSymbol, length_ms: int, since: Instant, until: Instant) -> Sequence[Period]:
        await self._faults.at(BEFORE_READ)

        def began(row: BookTradeRow) -> int:
            return row.at - (row.at - since) % length_ms

        wanted = [row for row in self._trades() if row.market == market and since <= row.at < until]
        wanted.sort(key=lambda row: (began(row), row.id))
        return [_period(Instant(at), list(rows)) for at, rows in groupby(wanted, key=began)]

    async def seconds(self, market: MarketSymbol, since: Instant) -> Sequence[Period]:
        return await self.periods(market, 1_000, since, Instant(2**62))

    def _trades(self) -> Iterable[BookTradeRow]:
        return (row for shard in self._shards() for row in shard.trades.values())


def _named(shard: MemoryBookShard, order_id: OrderId | None) -> BookOrderRow | None:
    return None if order_id is None else shard.book_orders.get(order_id)


def _stored(rows: Iterable[BookTradeRow]) -> list[StoredTrade]:
    return [StoredTrade(row.at, row.body) for row in rows]


def _page(found: Sequence[T], limit: int, offset: int) -> Sequence[T]:
    return found[offset : offset + limit]


def _matches(row: BookOrderRow, query: OrdersQuery) -> bool:
    wanted = (
        (row.market, query.market),
        (row.base, query.base),
        (row.quote, query.quote),
        (row.kind, None if query.kind is None else query.kind.value),
        (row.side, None if query.side is None else query.side.value),
        (row.state, None if query.state is None else query.state.value),
    )
    return (
        row.account == query.account
        and all(asked is None or there == asked for there, asked in wanted)
        and _is_between(row.created_at, query.since, query.until)
    )


def _is_asked_for(row: BookTradeRow, query: TradesQuery) -> bool:
    return (
        query.account in (None, row.buyer, row.seller)
        and query.market in (None, row.market)
        and (query.newest is None or row.id <= query.newest)
        and _is_between(row.at, query.since, query.until)
    )


def _is_between(at: Instant, since: Instant | None, until: Instant | None) -> bool:
    return (since is None or at >= since) and (until is None or at < until)


def _period(began: Instant, rows: Sequence[BookTradeRow]) -> Period:
    ticks = [row.ticks for row in rows]
    turnover = sum(row.ticks * row.lots for row in rows)
    return Period(began, ticks[0], ticks[-1], max(ticks), min(ticks), sum(row.lots for row in rows), turnover)
