"""Orders as an operator looks at them: of any wallet or account, with all that ever happened to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from countermand.kernel.ports import EventRow
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import BookOrder
from countermand.orders.book.model.order import OrderId as BookOrderId
from countermand.orders.book.model.order import OrderStatus as BookState
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.book.records import BookRecord, decode_book_record
from countermand.orders.book.rows import decode_order
from countermand.orders.book.shard import BookShard
from countermand.orders.trigger.bodies import decode_group
from countermand.orders.trigger.model.order import OrderGroup, State
from countermand.orders.trigger.ports import TimelineEntry
from countermand.orders.trigger.records import ToldEvent, decode_told
from countermand.orders.trigger.shard import TriggerShard
from countermand.values.identity import OrderId

T = TypeVar("T")

TIMELINE_MAX: Final = 1_000
"""A failed fill that is tried again for a week makes more entries than these."""


@dataclass(frozen=True, slots=True)
class Inspected(Generic[T]):
    """An order, and its timeline, the oldest entry first."""

    order: T
    timeline: Sequence[TimelineEntry]


class Records(Protocol):
    """What is stored, as it is looked through. Every method may raise `Unavailable`."""

    async def trigger_orders(self, wallet: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        """The newest first. None: any."""

    async def book_orders(self, account: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]: ...

    async def book_order(self, which: BookOrderId | str) -> bytes | None:
        """By its id, or by its uuid."""

    async def story(self, order_id: str, limit: int) -> Sequence[EventRow]:
        """The newest events of an order, the oldest of them first."""


class Inspection:
    """Every method may raise `Unavailable`."""

    def __init__(self, trigger: TriggerShard, book: BookShard, records: Records) -> None:
        self._trigger = trigger
        self._book = book
        self._records = records

    async def trigger_order(self, order_id: OrderId) -> Inspected[OrderGroup] | None:
        group = await self._trigger.committed(order_id)
        if group is None:
            return None
        story = await self._records.story(order_id, TIMELINE_MAX)
        told = [(row.seq, decode_told(row.record.body)) for row in story]
        # What happened since the order was read is another reading.
        return Inspected(group, [_entry(seq, each) for seq, each in told if each.version <= group.version])

    async def trigger_orders(
        self, wallet: str | None, states: Sequence[State] | None, limit: int
    ) -> Sequence[OrderGroup]:
        """The newest first."""
        await self._trigger.barrier()
        names = None if states is None else [state.value for state in states]
        return [decode_group(body) for body in await self._records.trigger_orders(wallet, names, limit)]

    async def book_order(self, which: BookOrderId | str) -> Inspected[BookOrder] | None:
        """By its id, or by its uuid."""
        await self._book.barrier()
        body = await self._records.book_order(which)
        if body is None:
            return None
        order = decode_order(body)
        story = await self._records.story(str(order.id), TIMELINE_MAX)
        told = [(row.seq, decode_book_record(row.record.body)) for row in story]
        return Inspected(order, [_entry(seq, each) for seq, each in told if each.at <= order.updated_at])

    async def book_orders(
        self, account: str | None, states: Sequence[BookState] | None, limit: int
    ) -> Sequence[BookOrder]:
        """The newest first."""
        await self._book.barrier()
        names = None if states is None else [state.value for state in states]
        return [decode_order(body) for body in await self._records.book_orders(account, names, limit)]

    async def last_trade(self, market: MarketSymbol) -> Ticks | None:
        """The price of the newest trade."""
        return await self._book.look(lambda memory: memory.exchange.markets[market].last)


def _entry(seq: int, told: ToldEvent | BookRecord) -> TimelineEntry:
    signature = told.signature if isinstance(told, ToldEvent) else None
    return TimelineEntry(told.at, told.event, told.cause, told.reason, seq, signature)
