"""The events of the order books. The exchange is the fold of these."""

from typing import TypeAlias

from countermand.orders.book.model.ledger.amount import Account, Amount, Currency
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import BookTerms, CancelReason, Nonce, OrderId, Side, TradeId
from countermand.orders.book.model.quantities import Lots, Rate, Ticks
from countermand.values.structs import Struct


class Credited(Struct, frozen=True):
    account: Account
    currency: Currency
    amount: Amount


class BookOrderPlaced(Struct, frozen=True):
    """Accepted, and paid for: `locked` of the currency that it spends."""

    order_id: OrderId
    uuid: str
    nonce: Nonce
    placement: bytes
    terms: BookTerms
    maker_fee: Rate
    taker_fee: Rate
    reference: Ticks | None
    locked: Amount


class StopTriggered(Struct, frozen=True):
    """A trade's price was at its stop price or beyond. It enters the book in a turn of its own, soon."""

    order_id: OrderId


class BookOrderOpened(Struct, frozen=True):
    """It may trade from here on."""

    order_id: OrderId


class BookOrderRested(Struct, frozen=True):
    """What remains of it is in the book, behind all that rest at its price."""

    order_id: OrderId
    rank: int


class TradeLeg(Struct, frozen=True):
    """One order's part of a trade."""

    order_id: OrderId
    account: Account
    paid: Amount
    received: Amount
    """Before the fee."""
    rate: Rate
    fee: Amount
    """In the currency received."""
    unlocked: Amount
    """Of what the order had locked, what it does not need any more since the price was better."""


class Traded(Struct, frozen=True):
    trade_id: TradeId
    market: MarketSymbol
    price: Ticks
    lots: Lots
    taker: Side
    """The side of the order that came. The other one rested, and the price is its price."""
    buy: TradeLeg
    sell: TradeLeg


class BookOrderReduced(Struct, frozen=True):
    """Self-trade prevention took off a part of its volume."""

    order_id: OrderId
    lots: Lots
    unlocked: Amount


class BookOrderCancelled(Struct, frozen=True):
    """It never trades again, and what it had locked is its owner's to use."""

    order_id: OrderId
    reason: CancelReason
    unlocked: Amount


Event: TypeAlias = (
    Credited
    | BookOrderPlaced
    | StopTriggered
    | BookOrderOpened
    | BookOrderRested
    | Traded
    | BookOrderReduced
    | BookOrderCancelled
)

OrderEvent: TypeAlias = (
    BookOrderPlaced | StopTriggered | BookOrderOpened | BookOrderRested | Traded | BookOrderReduced | BookOrderCancelled
)
