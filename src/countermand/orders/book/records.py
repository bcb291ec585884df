"""The records of the event log about orders in the books: one for each event and order, complete by itself.

A story begins with the order's terms. Bodies are JSON in camelCase; prices are in ticks and volumes in lots of the
market, times milliseconds since the epoch. A trade has a record for each of its two orders.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from countermand.kernel.journal import encode
from countermand.kernel.ports import EventRecord
from countermand.orders.book.journal import COMMANDS, EVENTS
from countermand.orders.book.model import events
from countermand.orders.book.model.commands import Command
from countermand.orders.book.model.events import OrderEvent
from countermand.orders.book.model.exchange import Exchange
from countermand.orders.book.model.order import BUY, BookOrder, OrderId
from countermand.orders.book.words import book_reason
from countermand.values.instant import Instant
from countermand.values.structs import replace


class BookRecordTerms(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    market: str
    side: str
    kind: str
    lots: int
    ticks: int | None = None
    stop_ticks: int | None = None


class BookRecord(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """What an event does not have is left out. `ticks` and `lots` are what was traded, or taken off the order."""

    event: str
    at: Instant
    cause: str
    reason: str | None = None
    trade_id: int | None = None
    ticks: int | None = None
    lots: int | None = None
    taker: bool = False
    """The order was the incoming one."""
    terms: BookRecordTerms | None = None


_TOLD: Final = msgspec.json.Decoder(BookRecord)

decode_book_record = _TOLD.decode


def records_of(exchange: Exchange, event: events.Event, command: Command, at: Instant) -> Iterator[EventRecord]:
    """One for each order that the event is about. `exchange`: as it is after the event."""
    if not isinstance(event, events.Credited):
        for order_id in orders_of(event):
            order = exchange.orders[order_id]
            record = _record(order, event, command, at)
            yield EventRecord(order.terms.account, str(order.id), record.event, encode(record))


def orders_of(event: OrderEvent) -> tuple[OrderId, ...]:
    if isinstance(event, events.Traded):
        return event.buy.order_id, event.sell.order_id
    return (event.order_id,)


def _record(order: BookOrder, event: OrderEvent, command: Command, at: Instant) -> BookRecord:
    record = BookRecord(EVENTS.name_of(event), at, COMMANDS.name_of(command), book_reason(order, event, command))
    match event:
        case events.BookOrderPlaced(terms=terms):
            told = BookRecordTerms(
                terms.market,
                terms.side.value,
                terms.kind.value,
                terms.lots.lots,
                None if terms.price is None else terms.price.ticks,
                None if terms.stop is None else terms.stop.ticks,
            )
            return replace(record, terms=told)
        case events.Traded():
            is_buyer = event.buy.order_id == order.id
            return replace(
                record,
                trade_id=event.trade_id,
                ticks=event.price.ticks,
                lots=event.lots.lots,
                taker=(event.taker is BUY) is is_buyer,
            )
        case events.BookOrderReduced():
            return replace(record, lots=event.lots.lots)
        case _:
            return record
