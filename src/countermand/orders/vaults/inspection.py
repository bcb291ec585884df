"""Orders in vaults as an operator looks at them: of any wallet, with all that ever happened to them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Generic, Protocol, TypeVar

from countermand.kernel.ports import EventRow
from countermand.orders.vaults.model.order import VaultOrder
from countermand.values.identity import OrderId
from countermand.values.instant import Instant
from countermand.values.timeline import TIMELINE_MAX, Inspected, TimelineEntry

Order = TypeVar("Order", bound=VaultOrder)
Order_co = TypeVar("Order_co", bound=VaultOrder, covariant=True)


class VaultRecord(Protocol):
    """An event as readers are told of it. `version` is the order's after it."""

    @property
    def event(self) -> str: ...

    @property
    def at(self) -> Instant: ...

    @property
    def version(self) -> int: ...

    @property
    def cause(self) -> str: ...

    @property
    def reason(self) -> str | None: ...

    @property
    def signature(self) -> str | None: ...


class Stories(Protocol):
    """What is stored of any order's events. Every method may raise `Unavailable`."""

    async def story(self, order_id: str, limit: int) -> Sequence[EventRow]:
        """The newest events of an order, the oldest of them first."""

    async def newest(self, order_ids: Sequence[str], kind: str) -> Sequence[EventRow]:
        """The newest event of a kind of each order that has one, by one query."""


class CommittedOrders(Protocol[Order_co]):
    async def committed(self, order_id: OrderId) -> Order_co | None:
        """The order as it is, once that is committed."""

    async def barrier(self) -> None:
        """Reads of the store that start after this see everything that memory shows now."""


class VaultInspection(ABC, Generic[Order]):
    """Every method may raise `Unavailable`."""

    def __init__(self, shard: CommittedOrders[Order], stories: Stories) -> None:
        self._shard = shard
        self._stories = stories

    # --- what a family adds

    @abstractmethod
    def _decode_record(self, body: bytes) -> VaultRecord: ...

    @abstractmethod
    def _decode_order(self, body: bytes) -> Order: ...

    @abstractmethod
    async def _stored(self, wallet: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        """The newest first. None: any."""

    def _as_committed(self, order: Order) -> Order:
        """With what is not written to each order."""
        return order

    # --- reads

    async def order(self, order_id: OrderId) -> Inspected[Order] | None:
        order = await self._shard.committed(order_id)
        if order is None:
            return None
        order = self._as_committed(order)
        story = await self._stories.story(order_id, TIMELINE_MAX)
        records = [(row.seq, self._decode_record(row.record.body)) for row in story]
        # What happened since the order was read is another reading.
        return Inspected(order, [_entry(seq, each) for seq, each in records if each.version <= order.version])

    async def orders(self, wallet: str | None, states: Sequence[Enum] | None, limit: int) -> Sequence[Order]:
        """The newest first."""
        await self._shard.barrier()
        names = None if states is None else [state.value for state in states]
        bodies = await self._stored(wallet, names, limit)
        return [self._as_committed(self._decode_order(body)) for body in bodies]

    async def newest(self, orders: Sequence[Order], event: str) -> Mapping[OrderId, TimelineEntry]:
        """The newest event of this name of each order that has one, of those that had happened when it was read."""
        if not orders:
            return {}
        versions = {order.id: order.version for order in orders}
        rows = await self._stories.newest(list(versions), event)
        found = ((OrderId(row.record.order_id), row.seq, self._decode_record(row.record.body)) for row in rows)
        return {name: _entry(seq, each) for name, seq, each in found if each.version <= versions[name]}


def _entry(seq: int, record: VaultRecord) -> TimelineEntry:
    return TimelineEntry(record.at, record.event, record.cause, record.reason, seq, record.signature)
