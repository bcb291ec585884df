"""How a venue is shown: prices are decimal strings of US dollars, amounts of base units, times Unix milliseconds."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType


class TokenWire(msgspec.Struct):
    symbol: str
    mint: str
    decimals: int
    price: str | None


class TimelineWire(msgspec.Struct, rename="camel", omit_defaults=True):
    """`seq`: of the journal entry; what happened on the chain has none. `cause`: the command, or a transaction."""

    at: int
    event: str
    cause: str
    seq: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    tx_signature: str | UnsetType = UNSET


class OrderWire(msgspec.Struct, rename="camel"):
    """With more fields: the terms of its family. `wallet`, or `account` for an order of the book.

    `waiting`: what it waits for, as data: `for` says what, and the other fields are its own. Null: for nothing.
    """

    id: str | int
    family: Literal["trigger", "dca", "book", "limit", "recurring"]
    state: str
    waits_for: str | None
    waiting: dict[str, Any] | None
    timeline: list[TimelineWire] | UnsetType = UNSET
    wallet: str | UnsetType = UNSET
    account: str | UnsetType = UNSET


class OrdersWire(msgspec.Struct):
    """Without timelines."""

    orders: list[OrderWire]


class EventWire(msgspec.Struct, rename="camel"):
    """`n`: of the events of the journal entry `seq`. `told`: all of the event, with `at`, `cause` and `reason`."""

    family: str
    order_id: str | None
    wallet: str | None
    seq: int
    n: int
    event: str
    told: Raw


class PriceEventWire(msgspec.Struct):
    mint: str
    at: int
    price: str


class PricePointWire(msgspec.Struct):
    at: int
    price: str


class PricesWire(msgspec.Struct):
    """The oldest first."""

    mint: str
    prices: list[PricePointWire]


class LevelWire(msgspec.Struct):
    """In the market's decimals."""

    price: str
    volume: str
    orders: int


class BookTradeWire(msgspec.Struct):
    id: int
    at: int
    price: str
    volume: str
    taker: str


class BookWire(msgspec.Struct):
    """The best levels first, the newest trades first."""

    market: str
    last: str | None
    asks: list[LevelWire]
    bids: list[LevelWire]
    trades: list[BookTradeWire]


class BooksWire(msgspec.Struct):
    books: list[BookWire]
