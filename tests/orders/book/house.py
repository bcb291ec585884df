"""A venue with order books over a real store, for tests: users by short names, prices and volumes as whole numbers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from countermand.dialects.tanx.signing import msg_hash
from countermand.kernel.clock import VenueClock
from countermand.kernel.ids import Ids
from countermand.kernel.ports import WriterReplaced
from countermand.orders.book.model.ledger.amount import AMOUNT_SCALE, Account, Amount, Currency
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.model.order import BookOrder, BookTerms, Kind, OrderId, Side
from countermand.orders.book.model.quantities import Lots, Ticks
from countermand.orders.book.model.refusals import BookRefused
from countermand.orders.book.ports import BookStore
from countermand.orders.book.rows import Draft
from countermand.orders.book.service import BookService
from countermand.orders.book.shard import BookShard
from countermand.orders.shards import BOOK_SHARD

BTCUSDC = MarketSymbol("btcusdc")
ALICE, BOB = Account("0xa11ce"), Account("0xb0b")


@dataclass(slots=True)
class MatchesFail:
    """The next so many matches fail."""

    due: int = 0

    def failing(self) -> bool:
        return self.due > 0

    def failed(self) -> None:
        self.due -= 1


@dataclass(slots=True)
class BookHouse:
    shard: BookShard
    venue: BookService
    clock: VenueClock
    running: asyncio.Task[None]
    faults: MatchesFail = field(default_factory=MatchesFail)

    def has(self, order_id: int) -> bool:
        """In memory."""
        writer = self.shard._epoch
        return writer is not None and OrderId(order_id) in writer.state.exchange.orders

    async def rich(self, *accounts: Account) -> None:
        for account in accounts:
            for currency in ("btc", "eth", "usdc", "usdt"):
                await self.venue.credit(account, Currency(currency), Amount(10**6 * 10**AMOUNT_SCALE))

    async def draft(
        self,
        account: Account,
        side: Side,
        price: int | None,
        lots: int,
        kind: Kind = Kind.LIMIT,
        stop: int | None = None,
        market: MarketSymbol = BTCUSDC,
    ) -> Draft:
        limit = None if price is None else Ticks(price)
        terms = BookTerms(account, market, side, kind, Lots(lots), limit, None if stop is None else Ticks(stop))
        draft = await self.venue.draft(terms, lambda nonce: msg_hash(terms, self.venue.markets[market], nonce))
        assert not isinstance(draft, BookRefused), draft
        return draft

    async def place(self, account: Account, side: Side, price: int | None, lots: int, **more: object) -> BookOrder:
        order = await self.venue.place(await self.draft(account, side, price, lots, **more), b"signed")  # type: ignore[arg-type]
        assert not isinstance(order, BookRefused), order
        return order

    async def order(self, order: BookOrder) -> BookOrder:
        """As it is now."""
        view = await self.venue.order(order.terms.account, order.id)
        assert view is not None
        return view.order


@asynccontextmanager
async def book_house(
    store: BookStore, markets: tuple[Market, ...] = MARKETS, clock: VenueClock | None = None
) -> AsyncIterator[BookHouse]:
    """One life of a venue. Leaving it is a crash: nothing is drained."""
    clock, faults = clock or VenueClock(), MatchesFail()
    shard = BookShard(BOOK_SHARD, store, clock, markets, faults)
    running = asyncio.create_task(shard.run())
    try:
        yield BookHouse(shard, BookService(shard, store, Ids()), clock, running, faults)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError, WriterReplaced):
            await running
