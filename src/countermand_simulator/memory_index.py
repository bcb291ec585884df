"""The store of the chain's index of the simulator: what PostgreSQL does with its shard, in plain dictionaries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from countermand.orders.chain.model.order import IndexedOrder
from countermand.orders.chain.ports import ChainHistory, ChainHistoryQuery, OrderWithTrades
from countermand.orders.chain.rows import (
    ChainCursorRow,
    ChainOrderRow,
    ChainRows,
    ChainTradeRow,
    decode_order,
    decode_trade,
)
from countermand.values.identity import Address
from countermand_simulator.fenced import BEFORE_READ, Faults, FencedDatabase, FencedShard, FencedStore

Name: TypeAlias = tuple[str, str, int]
"""An order's address, the transaction that opened it, and its number in it."""


@dataclass
class MemoryIndexShard(FencedShard[ChainRows]):
    orders: dict[Name, ChainOrderRow] = field(default_factory=dict)
    trades: dict[Name, dict[int, ChainTradeRow]] = field(default_factory=dict)
    cursors: dict[str, ChainCursorRow] = field(default_factory=dict)

    def add(self, rows: ChainRows) -> None:
        self.orders.update({_name(row): row for row in rows.orders})
        for trade in rows.trades:
            self.trades.setdefault(_name(trade), {})[trade.n] = trade
        self.cursors.update({row.program: row for row in rows.cursors})

    def refuse_twice(self, rows: ChainRows) -> None:
        assert len({_name(row) for row in rows.orders}) == len(rows.orders), "an order twice in one batch"
        assert len({row.program for row in rows.cursors}) == len(rows.cursors), "a cursor twice in one batch"
        for trade in rows.trades:
            assert trade.n not in self.trades.get(_name(trade), {}), f"trade {trade.n} of {trade.address} twice"


class MemoryIndexStore(FencedStore[MemoryIndexShard]):
    """`orders.chain.ports.ChainIndexStore`."""

    def __init__(self, database: FencedDatabase[MemoryIndexShard] | None = None, faults: Faults | None = None) -> None:
        super().__init__(FencedDatabase(MemoryIndexShard) if database is None else database, faults)

    async def live_orders(self, shard: int) -> Sequence[tuple[str, str, str, bytes]]:
        await self._faults.at(BEFORE_READ)
        rows = self.database.shard(shard).orders.values()
        return [(row.address, row.opened_by, row.family, row.body) for row in rows if row.live]

    async def cursors(self, shard: int) -> Sequence[tuple[str, bytes]]:
        await self._faults.at(BEFORE_READ)
        return [(row.program, row.body) for row in self.database.shard(shard).cursors.values()]

    async def history(self, query: ChainHistoryQuery) -> ChainHistory:
        await self._faults.at(BEFORE_READ)
        found = [(row, shard) for row, shard in self._rows() if not row.live and _matches(row, query)]
        found.sort(key=lambda pair: _name(pair[0]))
        found.sort(key=lambda pair: (pair[0].updated_at, pair[0].ended_slot, pair[0].ended_nth), reverse=True)
        page = found[query.offset : query.offset + query.limit]
        return ChainHistory(len(found), [_traded(row, shard, with_failed=query.with_failed) for row, shard in page])

    async def open_at(self, addresses: Sequence[Address], *, with_failed: bool) -> Sequence[OrderWithTrades]:
        await self._faults.at(BEFORE_READ)
        found = [(row, shard) for row, shard in self._rows() if row.live and row.address in addresses]
        return [_traded(row, shard, with_failed=with_failed) for row, shard in found]

    async def last_at(self, address: Address) -> IndexedOrder | None:
        await self._faults.at(BEFORE_READ)
        found = [row for row, _ in self._rows() if row.address == address]
        last = max(found, key=lambda row: (row.live, row.updated_at, row.ended_slot, row.ended_nth), default=None)
        return None if last is None else decode_order(last.family, last.body)

    def _rows(self) -> Iterable[tuple[ChainOrderRow, MemoryIndexShard]]:
        for shard in self._shards():
            for row in shard.orders.values():
                yield row, shard


def _name(row: ChainOrderRow | ChainTradeRow) -> Name:
    return row.address, row.opened_by, row.nth


def _matches(row: ChainOrderRow, query: ChainHistoryQuery) -> bool:
    mints = row.input_mint, row.output_mint
    return (
        (row.owner, row.family) == (query.owner, query.family.value)
        and query.input_mint in (None, row.input_mint)
        and query.output_mint in (None, row.output_mint)
        and (query.either_mint is None or query.either_mint in mints)
    )


def _traded(row: ChainOrderRow, shard: MemoryIndexShard, *, with_failed: bool) -> OrderWithTrades:
    trades = sorted(shard.trades.get(_name(row), {}).items(), reverse=True)
    shown = [decode_trade(trade.body) for _, trade in trades if with_failed or not trade.failed]
    return OrderWithTrades(decode_order(row.family, row.body), shown)
