"""The order books as an operator sees them: depth and the newest trades of every market."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from countermand.inspection import wire
from countermand.inspection.wording import ticks_text
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.order import BookOrder
from countermand.orders.book.model.quantities import Lots
from countermand.orders.book.service import BookService, BookTrade
from countermand.values.quantities import decimal_text

_ORDERS: Final = 200
"""Of each side: the levels shown are made of these."""
_TRADES: Final = 30


async def books_of(service: BookService) -> wire.BooksWire:
    """May raise `Unavailable`."""
    books = []
    for symbol, seen in (await service.books(_ORDERS, _TRADES)).items():
        market = service.markets[symbol]
        last = None if seen.last is None else ticks_text(seen.last, market)
        levels = list(_levels(seen.asks, market)), list(_levels(seen.bids, market))
        books.append(wire.BookWire(symbol, last, *levels, [_trade(each, market) for each in seen.trades]))
    return wire.BooksWire(books)


def _levels(orders: Sequence[BookOrder], market: Market) -> Iterator[wire.LevelWire]:
    """Orders in the book come sorted by their price."""
    for price, there in groupby(orders, lambda order: order.terms.price):
        assert price is not None, "an order that rests has a price"
        left = [order.remaining.lots for order in there]
        yield wire.LevelWire(ticks_text(price, market), _volume(Lots(sum(left)), market), len(left))


def _trade(trade: BookTrade, market: Market) -> wire.BookTradeWire:
    event = trade.event
    price, volume = ticks_text(event.price, market), _volume(event.lots, market)
    return wire.BookTradeWire(event.trade_id, trade.at, price, volume, event.taker.value)


def _volume(lots: Lots, market: Market) -> str:
    return decimal_text(lots.lots, market.volume_decimals)
