"""Recurring orders as an operator looks at them: of any wallet, with all that ever happened to them."""

from collections.abc import Sequence
from typing import Protocol

from countermand.kernel.ports import EventRow
from countermand.orders.dca.bodies import decode_order
from countermand.orders.dca.model.order import DcaOrder, State
from countermand.orders.dca.records import ToldEvent, decode_told
from countermand.orders.dca.shard import DcaShard
from countermand.values.identity import OrderId
from countermand.values.timeline import TIMELINE_MAX, Inspected, TimelineEntry


class DcaRecords(Protocol):
    """What is stored, as it is looked through. Every method may raise `Unavailable`."""

    async def dca_orders(self, wallet: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        """The newest first. None: any."""

    async def story(self, order_id: str, limit: int) -> Sequence[EventRow]:
        """The newest events of an order, the oldest of them first."""


class DcaInspection:
    """Every method may raise `Unavailable`."""

    def __init__(self, shard: DcaShard, records: DcaRecords) -> None:
        self._shard = shard
        self._records = records

    async def order(self, order_id: OrderId) -> Inspected[DcaOrder] | None:
        order = await self._shard.committed(order_id)
        if order is None:
            return None
        story = await self._records.story(order_id, TIMELINE_MAX)
        told = [(row.seq, decode_told(row.record.body)) for row in story]
        # What happened since the order was read is another reading.
        return Inspected(order, [_entry(seq, each) for seq, each in told if each.version <= order.version])

    async def orders(self, wallet: str | None, states: Sequence[State] | None, limit: int) -> Sequence[DcaOrder]:
        """The newest first."""
        await self._shard.barrier()
        names = None if states is None else [state.value for state in states]
        return [decode_order(body) for body in await self._records.dca_orders(wallet, names, limit)]


def _entry(seq: int, told: ToldEvent) -> TimelineEntry:
    return TimelineEntry(told.at, told.event, told.cause, told.reason, seq, told.signature)
