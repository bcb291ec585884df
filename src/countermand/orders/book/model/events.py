"""The events of the order books. The exchange is the fold of these."""

from dataclasses import dataclass
from typing import TypeAlias

from countermand.orders.book.model.ledger.amount import Account, Amount, Currency
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import BookTerms, CancelReason, Nonce, OrderId, Side, TradeId
from countermand.orders.book.model.quantities import Lots, Rate, Ticks


@dataclass(frozen=True, slots=True)
class Credited:
    account: Account
    currency: Currency
    amount: Amount


@dataclass(frozen=True, slots=True)
class BookOrderPlaced:
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


@dataclass(frozen=True, slots=True)
class StopTriggered:
    """A trade's price was at its stop price or beyond. It enters the book in a turn of its own, soon."""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class BookOrderOpened:
    """It may trade from here on."""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class BookOrderRested:
    """What remains of it is in the book, behind all that rest at its price."""

    order_id: OrderId
    rank: int


@dataclass(frozen=True, slots=True)
class TradeLeg:
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


@dataclass(frozen=True, slots=True)
class Traded:
    trade_id: TradeId
    market: MarketSymbol
    price: Ticks
    lots: Lots
    taker: Side
    """The side of the order that came. The other one rested, and the price is its price."""
    buy: TradeLeg
    sell: TradeLeg


@dataclass(frozen=True, slots=True)
class BookOrderReduced:
    """Self-trade prevention took off a part of its volume."""

    order_id: OrderId
    lots: Lots
    unlocked: Amount


@dataclass(frozen=True, slots=True)
class BookOrderCancelled:
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
