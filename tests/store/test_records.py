"""What an operator sees of an order and of its events is of one instant, whatever is committed meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.orders.book.inspection import BookInspection
from countermand.orders.book.model.order import BUY, OrderStatus
from countermand.store.book_postgres import PostgresBookStore
from countermand.store.connections import open_pool
from countermand.store.records_postgres import PostgresRecords
from tests.orders.book.house import ALICE, book_house

NOW = 1_700_000_000_000


class Overtaken:
    """A pool between whose statements something happens."""

    def __init__(self, pool: Any, happens: Callable[[], Awaitable[object]]) -> None:
        self._pool = pool
        self._happens = happens

    def __getattr__(self, name: str) -> Any:
        async def ask(*asked: Any) -> Any:
            answer = await getattr(self._pool, name)(*asked)
            await self._happens()
            return answer

        return ask


@pytest.mark.parametrize("by", ["id", "uuid"])
async def test_an_order_of_the_book_shows_no_event_that_came_after_it(database_url: str, by: str) -> None:
    """While the clock is frozen, the times of events tell nothing: an order that rests showed its cancel."""
    pool = await open_pool(database_url, "test")
    clock = VenueClock(ClockSetting(frozen_at=NOW))
    async with book_house(PostgresBookStore(database_url, pool), clock=clock) as house:
        await house.rich(ALICE)
        order = await house.place(ALICE, BUY, 100, 5)
        records = PostgresRecords(Overtaken(pool, lambda: house.venue.cancel(ALICE, order.id)))  # type: ignore[arg-type]
        async with asyncio.timeout(30):
            found = await BookInspection(house.shard, records).order(order.id if by == "id" else order.uuid)
        assert found is not None
        assert found.order.state is OrderStatus.OPEN
        assert [entry.event for entry in found.timeline] == ["order_placed", "order_opened", "order_rested"]
    pool.terminate()
