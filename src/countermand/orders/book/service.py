"""What a dialect may ask of the order books: draft, place, cancel, look."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from uuid import UUID

from msgspec import Struct

from countermand.kernel.ids import Ids
from countermand.orders.book.model.book import resting
from countermand.orders.book.model.commands import (
    CancelBookOrder,
    CancelBookOrders,
    CancelByOperator,
    Credit,
    PlaceBookOrder,
)
from countermand.orders.book.model.decide import flaw
from countermand.orders.book.model.events import Traded
from countermand.orders.book.model.ledger.amount import Account, Amount, Currency
from countermand.orders.book.model.ledger.ledger import Balance
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.order import BUY, SELL, BookOrder, BookTerms, Nonce, OrderId, Side, TradeId
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.book.model.refusals import BookRefusal, BookRefused
from countermand.orders.book.ports import BookStore, OrdersQuery, Period, StoredTrade, TradesQuery, Turnover
from countermand.orders.book.rows import Draft, decode_order, decode_trade
from countermand.orders.book.shard import BookShard
from countermand.orders.book.state import BookState
from countermand.values.instant import Instant
from countermand.values.structs import replace


class BookTrade(Struct, frozen=True):
    event: Traded
    at: Instant


class BookOrderView(Struct, frozen=True):
    """An order with its trades, the oldest first."""

    order: BookOrder
    trades: Sequence[BookTrade]


class MarketTicker(Struct, frozen=True):
    """A market's last 24 hours, and the price of its newest trade whenever that was. None: nothing was traded."""

    at: Instant
    day: Turnover | None
    last: Ticks | None


class MarketBook(Struct, frozen=True):
    """A market at one instant: its newest trade's price, what is matched first in the book, its newest trades."""

    last: Ticks | None
    asks: Sequence[BookOrder]
    bids: Sequence[BookOrder]
    trades: Sequence[BookTrade]


class BookService:
    """Every method may raise `Unavailable` or `CommitUnknown`."""

    def __init__(self, shard: BookShard, store: BookStore, ids: Ids) -> None:
        self.markets: Mapping[MarketSymbol, Market] = shard.markets
        self._currencies = sorted({currency for each in self.markets.values() for currency in (each.base, each.quote)})
        self._shard = shard
        self._store = store
        self._ids = ids

    async def now(self) -> Instant:
        return await self._shard.now()

    # --- orders

    async def draft(self, terms: BookTerms, hash_of: Callable[[Nonce], str]) -> Draft | BookRefused:
        """Remembers an order for its owner to sign, unless something is wrong with it. Nothing is locked yet."""
        refused = await self._shard.look(lambda memory: _flaw(memory, terms))
        return refused or await self._shard.draft(terms, hash_of)

    async def drafted(self, account: Account, nonce: Nonce) -> Draft | None:
        """None: never given to this account, or forgotten since it expired or became an order."""
        return await self._shard.drafted(account, nonce)

    async def placed(self, account: Account, nonce: Nonce) -> BookOrder | None:
        """The order that a nonce became."""
        return await self._shard.placed(account, nonce)

    async def place(self, draft: Draft, placement: bytes) -> BookOrder | BookRefused:
        """The order as it is now. A repetition of the request, which `placement` is a digest of, gives the same one."""
        command = PlaceBookOrder(self._ids.request_id(), draft.nonce, placement, draft.terms)
        return await self._shard.place(command)

    async def cancel(self, account: Account, order_id: OrderId) -> BookOrder | BookRefused:
        """The order as it stood before. Nothing of it trades any more."""
        return await self._shard.cancel(CancelBookOrder(account, order_id))

    async def cancel_many(self, account: Account, market: MarketSymbol, side: Side | None, limit: int) -> int:
        """Cancels the oldest ones, in one turn. How many there were."""
        return await self._shard.cancel_many(CancelBookOrders(account, market, side, limit))

    async def cancel_by_operator(self, order_id: OrderId) -> BookOrder | BookRefused:
        return await self._shard.cancel(CancelByOperator(order_id))

    async def credit(self, account: Account, currency: Currency, amount: Amount) -> Balance | BookRefused:
        """From outside into an account. The balance after it."""
        return await self._shard.credit(Credit(account, currency, amount))

    # --- reads: they show what is committed

    async def balances(self, account: Account) -> Mapping[Currency, Balance]:
        """Of every currency that is traded here."""
        return await self._shard.look(
            lambda memory: {each: memory.exchange.ledger.balance(account, each) for each in self._currencies}
        )

    async def resting(self, market: MarketSymbol, asks: int, bids: int) -> tuple[list[BookOrder], list[BookOrder]]:
        """The orders in the book that are matched first, sellers and buyers."""
        return await self._shard.look(
            lambda memory: (_front(memory, market, SELL, asks), _front(memory, market, BUY, bids))
        )

    async def books(self, orders: int, trades: int) -> Mapping[MarketSymbol, MarketBook]:
        """Of every market at most so many orders of each side, and so many trades, the newest first."""
        seen, made = await self._shard.look(lambda memory: (_books(memory, orders), memory.exchange.trades_made))
        books = {}
        for symbol, book in seen.items():
            query = TradesQuery(market=symbol, newest=TradeId(made), limit=trades)
            books[symbol] = replace(book, trades=await self.trades(query))
        return books

    async def order(self, account: Account, which: OrderId | UUID) -> BookOrderView | None:
        await self._shard.barrier()
        stored = await self._store.order_with_trades(account, str(which) if isinstance(which, UUID) else which)
        if stored is None:
            return None
        return BookOrderView(decode_order(stored.order), [_trade(each) for each in stored.trades])

    async def orders(self, query: OrdersQuery) -> Sequence[BookOrder]:
        await self._shard.barrier()
        return [decode_order(body) for body in await self._store.orders(query)]

    async def trades(self, query: TradesQuery) -> Sequence[BookTrade]:
        await self._shard.barrier()
        return [_trade(each) for each in await self._store.trades(query)]

    async def tickers(self) -> Mapping[MarketSymbol, MarketTicker]:
        now = await self._shard.now()
        return await self._shard.look(
            lambda memory: {
                symbol: MarketTicker(now, memory.days[symbol].turnover(now), market_state.last)
                for symbol, market_state in memory.exchange.markets.items()
            }
        )

    async def periods(self, market: MarketSymbol, length_ms: int, since: Instant, until: Instant) -> Sequence[Period]:
        """The periods in which something was traded, the oldest first. `since` is the beginning of one."""
        await self._shard.barrier()
        return await self._store.periods(market, length_ms, since, until)


def _flaw(memory: BookState, terms: BookTerms) -> BookRefused | None:
    market_state = memory.exchange.markets.get(terms.market)
    return (
        BookRefused(BookRefusal.MARKET_UNKNOWN, detail="market") if market_state is None else flaw(market_state, terms)
    )


def _books(memory: BookState, orders: int) -> Mapping[MarketSymbol, MarketBook]:
    return {
        symbol: MarketBook(
            market_state.last, _front(memory, symbol, SELL, orders), _front(memory, symbol, BUY, orders), ()
        )
        for symbol, market_state in memory.exchange.markets.items()
    }


def _front(memory: BookState, market: MarketSymbol, side: Side, count: int) -> list[BookOrder]:
    exchange = memory.exchange
    front = islice(resting(exchange.markets[market].book, side), count)
    return [exchange.orders[OrderId(order_id)] for order_id, _, _ in front]


def _trade(stored: StoredTrade) -> BookTrade:
    return BookTrade(decode_trade(stored.body), stored.at)
