"""The store of recurring orders of the simulator: what PostgreSQL does with their shard, in plain dictionaries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from countermand.orders.dca.ports import DcaRows, OrderRow
from countermand.orders.dca.records import ENTRIES_SHOWN, PASSING_KIND, PASSING_SHOWN, SHOWN_KINDS
from countermand.orders.vaults.ports import CraftRow, HistoryQuery, OrderBody, StoredHistory, StoredOrder
from countermand.values.bucket import BucketRange
from countermand.values.identity import OrderId, RequestId
from countermand.values.instant import Instant
from countermand_simulator.fenced import BEFORE_READ, Faults, FencedDatabase, FencedShard, FencedStore


@dataclass
class MemoryDcaShard(FencedShard[DcaRows]):
    orders: dict[OrderId, OrderRow] = field(default_factory=dict)
    crafts: dict[RequestId, CraftRow] = field(default_factory=dict)

    def add(self, rows: DcaRows) -> None:
        self.orders.update({row.id: row for row in rows.orders})
        for craft in rows.crafts:
            self.crafts.setdefault(craft.request_id, craft)

    def refuse_twice(self, rows: DcaRows) -> None:
        assert len({order.id for order in rows.orders}) == len(rows.orders), "an order twice in one batch"


class MemoryDcaStore(FencedStore[MemoryDcaShard]):
    """`orders.dca.ports.Store`."""

    def __init__(self, database: FencedDatabase[MemoryDcaShard] | None = None, faults: Faults | None = None) -> None:
        super().__init__(FencedDatabase(MemoryDcaShard) if database is None else database, faults)

    async def delete_dead_crafts(self, below_height: int) -> None:
        await self._faults.at(BEFORE_READ)
        for shard in self.database.shards.values():
            shard.crafts = {
                request_id: craft
                for request_id, craft in shard.crafts.items()
                if craft.last_valid_height >= below_height or craft.order_id in shard.orders
            }

    # --- reading

    async def live_orders(self, shard: int, buckets: BucketRange) -> Sequence[tuple[OrderId, bytes]]:
        await self._faults.at(BEFORE_READ)
        rows = [row for _, row in sorted(self.database.shard(shard).orders.items()) if row.live]
        return [(row.id, row.body) for row in rows if row.bucket in buckets]

    async def orders(self, order_ids: Sequence[OrderId]) -> Mapping[OrderId, OrderBody]:
        await self._faults.at(BEFORE_READ)
        rows = [row for shard in self._shards() for key in order_ids if (row := shard.orders.get(key))]
        return {row.id: OrderBody(row.bucket, row.body) for row in rows}

    async def crafts(self, request_ids: Sequence[RequestId]) -> Mapping[RequestId, bytes]:
        await self._faults.at(BEFORE_READ)
        return {key: row.body for shard in self._shards() for key in request_ids if (row := shard.crafts.get(key))}

    async def history(self, query: HistoryQuery) -> StoredHistory:
        await self._faults.at(BEFORE_READ)
        found = [(row, shard) for shard in self._shards() for row in shard.orders.values() if _matches(row, query)]
        found.sort(key=lambda pair: (_sort_key(pair[0], query.sort), pair[0].id), reverse=query.descending)
        page = found[query.offset : query.offset + query.limit]
        return StoredHistory(len(found), [_with_history(row, shard) for row, shard in page])

    async def order_history(self, order_id: OrderId) -> StoredOrder | None:
        await self._faults.at(BEFORE_READ)
        found = ((row, shard) for shard in self._shards() if (row := shard.orders.get(order_id)))
        return next((_with_history(row, shard) for row, shard in found), None)


def _with_history(row: OrderRow, shard: MemoryDcaShard) -> StoredOrder:
    shown, passing = [], 0
    for at in sorted(shard.story.get(row.id, ()), reverse=True):
        record = shard.events[at].record
        passing += record.kind == PASSING_KIND
        if record.kind in SHOWN_KINDS or (record.kind == PASSING_KIND and passing <= PASSING_SHOWN):
            shown.append(record.body)
    return StoredOrder(row.body, shown[:ENTRIES_SHOWN])


def _matches(row: OrderRow, query: HistoryQuery) -> bool:
    return (
        row.wallet == query.wallet
        and (query.active is None or row.active == query.active)
        and (query.mint is None or query.mint in (row.input_mint, row.output_mint))
    )


def _sort_key(row: OrderRow, sort: Enum) -> Instant:
    value: Instant = getattr(row, sort.value)
    return value
