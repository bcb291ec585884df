"""What all orders in vaults have in common in the simulator's stores: what PostgreSQL does, in plain dictionaries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from countermand.orders.vaults.ports import (
    CraftRow,
    HistoryQuery,
    OrderBody,
    ShownEvents,
    StoredHistory,
    StoredOrder,
    VaultOrderRow,
)
from countermand.values.bucket import BucketRange
from countermand.values.identity import OrderId, RequestId
from countermand.values.instant import Instant
from countermand_simulator.fenced import BEFORE_READ, FencedShard, FencedStore

Row_co = TypeVar("Row_co", bound=VaultOrderRow, covariant=True)
Row = TypeVar("Row", bound=VaultOrderRow)


class VaultRows(Protocol[Row_co]):
    """What one commit writes of a family."""

    @property
    def orders(self) -> Sequence[Row_co]: ...

    @property
    def crafts(self) -> Sequence[CraftRow]: ...


Rows = TypeVar("Rows", bound=VaultRows[Any])


@dataclass
class MemoryVaultShard(FencedShard[Rows], Generic[Rows, Row]):
    orders: dict[OrderId, Row] = field(default_factory=dict)
    crafts: dict[RequestId, CraftRow] = field(default_factory=dict)

    def add(self, rows: Rows) -> None:
        self.orders.update({row.id: row for row in rows.orders})
        for craft in rows.crafts:
            self.crafts.setdefault(craft.request_id, craft)

    def refuse_twice(self, rows: Rows) -> None:
        assert len({order.id for order in rows.orders}) == len(rows.orders), "an order twice in one batch"

    def forget_dead_crafts(self, below_height: int) -> None:
        self.crafts = {
            request_id: craft
            for request_id, craft in self.crafts.items()
            if craft.last_valid_height >= below_height or craft.order_id in self.orders
        }

    def with_history(self, row: Row, shown: ShownEvents) -> StoredOrder:
        bodies, passing = [], 0
        for at in sorted(self.story.get(row.id, ()), reverse=True):
            record = self.events[at].record
            passing += record.kind == shown.passing
            if record.kind in shown.kinds or (record.kind == shown.passing and passing <= shown.passing_most):
                bodies.append(record.body)
        return StoredOrder(row.body, bodies[: shown.most])


Shard = TypeVar("Shard", bound=MemoryVaultShard[Any, Any])


class MemoryVaultStore(FencedStore[Shard]):
    """`orders.vaults.ports.OrderStore`."""

    shown: ClassVar[ShownEvents]

    async def delete_dead_crafts(self, below_height: int) -> None:
        await self._faults.at(BEFORE_READ)
        for shard in self._shards():
            shard.forget_dead_crafts(below_height)

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
        found.sort(key=lambda pair: (_instant(pair[0], query.sort) or 0, pair[0].id), reverse=query.descending)
        found.sort(key=lambda pair: _instant(pair[0], query.sort) is None)
        page = found[query.offset : query.offset + query.limit]
        return StoredHistory(len(found), [shard.with_history(row, self.shown) for row, shard in page])

    async def order_history(self, order_id: OrderId) -> StoredOrder | None:
        await self._faults.at(BEFORE_READ)
        found = ((row, shard) for shard in self._shards() if (row := shard.orders.get(order_id)))
        return next((shard.with_history(row, self.shown) for row, shard in found), None)


def _matches(row: VaultOrderRow, query: HistoryQuery) -> bool:
    return (
        row.wallet == query.wallet
        and (query.active is None or row.active == query.active)
        and (query.mint is None or query.mint in (row.input_mint, row.output_mint))
    )


def _instant(row: VaultOrderRow, sort: Enum) -> Instant | None:
    value: Instant | None = getattr(row, sort.value)
    return value
