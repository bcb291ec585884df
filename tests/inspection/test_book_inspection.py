"""An order of the books and its timeline, while both change."""

import asyncio

from countermand.inspection.books import books_of
from countermand.inspection.wire import BookWire
from countermand.orders.book.inspection import BookInspection
from countermand.orders.book.model.exchange import ORDERS_PER_TURN
from countermand.orders.book.model.order import BUY, SELL, BookOrder, OrderId
from countermand.store.book_postgres import PostgresBookStore
from countermand.store.postgres import PostgresStore
from countermand.store.records_postgres import PostgresRecords
from countermand.values.timeline import Inspected
from tests.orders.book.house import ALICE, BOB, book_house

MANY = 10 * ORDERS_PER_TURN


async def test_what_is_seen_of_a_sweep_from_inside_agrees_with_itself(database_url: str) -> None:
    """All slices of an order's way through the book are of one instant, and each has its own commit."""
    books, trigger = await PostgresBookStore.connect(database_url), await PostgresStore.connect(database_url)
    taker = OrderId(MANY + 1)
    seen: list[Inspected[BookOrder]] = []
    books_seen: list[BookWire] = []
    async with book_house(books) as house:
        house.shard.per_slice = 1  # Each slice waits for its commit.
        inspection = BookInspection(house.shard, PostgresRecords(trigger.readers))

        async def looks_on() -> None:
            while not seen or seen[-1].order.trades < MANY:
                shown = await inspection.order(taker)
                seen.extend([] if shown is None else [shown])
                books_seen.append((await books_of(house.venue)).books[0])

        await house.rich(ALICE, BOB)
        for n in range(MANY):
            await house.place(BOB, SELL, 100 + n, 1)
        draft = await house.draft(ALICE, BUY, 100 + MANY, MANY)
        await asyncio.gather(house.venue.place(draft, b"signed"), *(looks_on() for _ in range(3)))
    assert len({each.order.trades for each in seen}) > 1, "it was seen on its way"
    for each in seen:
        assert [entry.event for entry in each.timeline].count("traded") == each.order.trades
        assert each.timeline[0].event == "order_placed"
    assert [book.last for book in books_seen] == [book.trades[0].price if book.trades else None for book in books_seen]
    await books.close()
    await trigger.close()
