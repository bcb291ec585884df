"""A house of order books over a store in memory that can be troubled, under a clock that the test sets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.kernel.ports import Batch, CommitUnknown
from countermand.orders.book import journal as book_journal
from countermand.orders.book.model.order import BUY, SELL, BookOrder
from countermand.orders.book.rows import BookRows
from countermand.orders.shards import BOOK_SHARD
from countermand.values.instant import Instant
from countermand_simulator.book.store import MemoryBookDatabase, MemoryBookStore
from tests.orders.book.house import ALICE, BOB, BookHouse, book_house
from tests.orders.trigger.stubs import Trouble

START = 1_700_000_000_000
UNKNOWN = CommitUnknown("the answer to a commit was lost")


class CountingStore(MemoryBookStore):
    """Remembers the batches that it was given."""

    def __init__(self, database: MemoryBookDatabase, trouble: Trouble) -> None:
        super().__init__(database, trouble)
        self.batches: list[Batch[BookRows]] = []

    async def commit(self, batch: Batch[Any]) -> None:
        self.batches.append(batch)
        await super().commit(batch)


@dataclass
class Place:
    """A house, and what is around it."""

    house: BookHouse
    store: CountingStore
    trouble: Trouble

    def journal(self) -> list[str]:
        return [row.kind for row in self.store.database.shard(BOOK_SHARD).journal.values()]

    def event_kinds(self) -> list[str]:
        """The events of the newest entry."""
        *_, newest = self.store.database.shard(BOOK_SHARD).journal.values()
        return [book_journal.EVENTS.name_of(event) for event in book_journal.read(newest).events]

    async def bid(self, price: int = 100, lots: int = 5, **more: Any) -> BookOrder:
        return await self.house.place(ALICE, BUY, price, lots, **more)

    async def ask(self, price: int | None = 100, lots: int = 5, **more: Any) -> BookOrder:
        return await self.house.place(BOB, SELL, price, lots, **more)

    def freeze(self, at: int) -> None:
        self.house.clock.setting = ClockSetting(frozen_at=at)


@asynccontextmanager
async def opened(database: MemoryBookDatabase | None = None, *, rich: bool = True) -> AsyncIterator[Place]:
    loop = asyncio.get_running_loop()
    trouble = Trouble()
    store = CountingStore(MemoryBookDatabase() if database is None else database, trouble)
    clock = VenueClock(ClockSetting(frozen_at=START), wall=lambda: Instant(round(loop.time() * 1000)))
    async with book_house(store, clock=clock) as house:
        if rich and database is None:
            await house.rich(ALICE, BOB)
        await house.shard.loaded()
        yield Place(house, store, trouble)
