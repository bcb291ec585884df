"""Orders of the books as an operator looks at them: of any account, with all that ever happened to them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from countermand.kernel.ports import EventRow
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import BookOrder, OrderId, OrderStatus
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.book.records import BookRecord, decode_book_record
from countermand.orders.book.rows import decode_order
from countermand.orders.book.shard import BookShard
from countermand.values.timeline import TIMELINE_MAX, Inspected, TimelineEntry


class BookRecords(Protocol):
    """What is stored, as it is looked through. Every method may raise `Unavailable`."""

    async def book_orders(self, account: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        """The newest first. None: any."""

    async def book_order(self, which: OrderId | str, limit: int) -> tuple[bytes, Sequence[EventRow]] | None:
        """By its id, or by its uuid, and its newest events, the oldest of them first, as they are at one instant."""


class BookInspection:
    """Every method may raise `Unavailable`."""

    def __init__(self, shard: BookShard, records: BookRecords) -> None:
        self._shard = shard
        self._records = records

    async def order(self, which: OrderId | str) -> Inspected[BookOrder] | None:
        """By its id, or by its uuid."""
        await self._shard.barrier()
        found = await self._records.book_order(which, TIMELINE_MAX)
        if found is None:
            return None
        body, story = found
        return Inspected(decode_order(body), [_entry(row.seq, decode_book_record(row.record.body)) for row in story])

    async def orders(
        self, account: str | None, states: Sequence[OrderStatus] | None, limit: int
    ) -> Sequence[BookOrder]:
        """The newest first."""
        await self._shard.barrier()
        names = None if states is None else [state.value for state in states]
        return [decode_order(body) for body in await self._records.book_orders(account, names, limit)]

    async def last_trades(self) -> Mapping[MarketSymbol, Ticks | None]:
        """The price of the newest trade of each market."""
        return await self._shard.look(
            lambda memory: {symbol: market_state.last for symbol, market_state in memory.exchange.markets.items()}
        )


def _entry(seq: int, told: BookRecord) -> TimelineEntry:
    return TimelineEntry(told.at, told.event, told.cause, told.reason, seq)
