"""Orders as whoever runs a venue looks at them: of any wallet or account, with all that ever happened to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from countermand.domain.book.events import Credited
from countermand.domain.book.events import OrderPlaced as BookOrderPlaced
from countermand.domain.book.lifecycle import evolve as evolve_book_order
from countermand.domain.book.lifecycle import place as place_book_order
from countermand.domain.book.market import MarketSymbol
from countermand.domain.book.order import Order
from countermand.domain.book.order import OrderId as BookOrderId
from countermand.domain.book.order import State as BookState
from countermand.domain.book.quantities import Ticks
from countermand.domain.identity import OrderId
from countermand.domain.instant import Instant
from countermand.domain.trigger.events import OrderPlaced
from countermand.domain.trigger.lifecycle import evolve, place
from countermand.domain.trigger.order import OrderGroup, State
from countermand.engine import book_journal, order_news, trigger_journal
from countermand.engine.book_rows import decode_order
from countermand.engine.book_shard import BookShard
from countermand.engine.ports import JournalRow, TimelineEntry
from countermand.engine.trigger_bodies import decode_group
from countermand.engine.trigger_shard import TriggerShard

T = TypeVar("T")


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

    async def journal(
        self, shard: int, mentioning: Sequence[bytes], since: Instant, until: Instant
    ) -> Sequence[JournalRow]:
        """The entries of that time whose bodies hold one of these texts. It reads all entries of that time."""


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
        rows = await self._records.journal(
            self._trigger.number, [order_id.encode()], group.created_at, group.updated_at
        )
        return Inspected(group, _trigger_timeline(rows, group))

    async def trigger_orders(
        self, wallet: str | None, states: Sequence[State] | None, limit: int
    ) -> Sequence[OrderGroup]:
        """The newest first."""
        await self._trigger.barrier()
        names = None if states is None else [state.value for state in states]
        return [decode_group(body) for body in await self._records.trigger_orders(wallet, names, limit)]

    async def book_order(self, which: BookOrderId | str) -> Inspected[Order] | None:
        """By its id, or by its uuid."""
        await self._book.barrier()
        body = await self._records.book_order(which)
        if body is None:
            return None
        order = decode_order(body)
        named = [b'"order_id":%d%b' % (order.id, end) for end in (b",", b"}")]
        rows = await self._records.journal(self._book.number, named, order.created_at, order.updated_at)
        return Inspected(order, _book_timeline(rows, order))

    async def book_orders(self, account: str | None, states: Sequence[BookState] | None, limit: int) -> Sequence[Order]:
        """The newest first."""
        await self._book.barrier()
        names = None if states is None else [state.value for state in states]
        return [decode_order(body) for body in await self._records.book_orders(account, names, limit)]

    async def last_trade(self, market: MarketSymbol) -> Ticks | None:
        """The price of the newest trade."""
        return await self._book.look(lambda memory: memory.desk.pits[market].last)


def _trigger_timeline(rows: Sequence[JournalRow], until: OrderGroup) -> list[TimelineEntry]:
    """Of the order's events up to its version `until`: what happened while the journal was read is another reading."""
    timeline: list[TimelineEntry] = []
    group: OrderGroup | None = None
    for row in rows:
        entry = trigger_journal.read(row)
        for order_id, event in entry.happened:
            if order_id != until.id or (group is not None and group.version >= until.version):
                continue
            if isinstance(event, OrderPlaced):
                group = place(order_id, event, row.at)
            else:
                assert group is not None, f"the journal tells of order {order_id} before its placement"
                group = evolve(group, event, row.at)
            news = order_news.trigger_news(group, event, entry.command)
            signature = getattr(event, "signature", None)
            timeline.append(TimelineEntry(row.at, news.event, news.cause, news.reason, row.seq, signature))
    return timeline


def _book_timeline(rows: Sequence[JournalRow], until: Order) -> list[TimelineEntry]:
    timeline: list[TimelineEntry] = []
    order: Order | None = None
    for row in rows:
        entry = book_journal.read(row)
        for event in entry.happened:
            if isinstance(event, Credited) or until.id not in tuple(order_news.orders_of(event)):
                continue
            if isinstance(event, BookOrderPlaced):
                order = place_book_order(event, row.at)
            else:
                assert order is not None, f"the journal tells of order {until.id} before its placement"
                order = evolve_book_order(order, event, row.at)
            news = order_news.book_news(order, event, entry.command)
            timeline.append(TimelineEntry(row.at, news.event, news.cause, news.reason, row.seq))
    return timeline
