"""What an order of the book is."""

from enum import Enum
from typing import Final, NewType

from countermand.orders.book.model.ledger.amount import Account, Amount
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.quantities import NO_LOTS, Lots, Rate, Ticks
from countermand.values.instant import Instant
from countermand.values.structs import UNSET, Struct, UnsetType

OrderId = NewType("OrderId", int)
"""Counts the orders of all markets, from 1 without a gap."""
TradeId = NewType("TradeId", int)
"""Counts the trades of all markets, from 1 without a gap."""
Nonce = NewType("Nonce", int)
"""Counts what users asked to sign. An account's nonce becomes at most one order."""


class Side(Enum):
    BUY = "buy"
    SELL = "sell"

    @property
    def other(self) -> "Side":
        return SELL if self is BUY else BUY


BUY: Final = Side.BUY
SELL: Final = Side.SELL
"""Faster to reach than the members of the enum, in the loops of the book."""


class Kind(Enum):
    LIMIT = "limit"
    MARKET = "market"
    STOP_LIMIT = "stop_limit"
    """Outside the book, until a trade's price is at its stop price or beyond; then a limit order."""
    LIMIT_MAKER = "limit_maker"
    """Post-only: ends without a trade if it would match at once."""


class OrderStatus(Enum):
    """The values are the words of stored rows, which stay as old databases have them. Dialects have their own."""

    PENDING = "pending"
    """Not in the book yet: it has just been accepted, or it is a stop order that nothing triggered."""
    OPEN = "wait"
    FILLED = "done"
    CANCELLED = "cancel"


class CancelReason(Enum):
    USER = "user"
    SLIPPAGE = "slippage"
    """A match would have been too far from the price at placement."""
    SYSTEM = "system"
    """Too old, post-only that would cross, self-trade prevention, the rest of a market order, an operator."""
    FAILED = "failed"
    """A match failed for an unforeseen reason."""


class BookTerms(Struct, frozen=True):
    """What the user asked for."""

    account: Account
    market: MarketSymbol
    side: Side
    kind: Kind
    lots: Lots
    price: Ticks | None
    """The limit. Of a market order: the worst price that it takes, if the user named one."""
    stop: Ticks | None = None


class BookOrder(Struct, frozen=True):
    """One id, one life."""

    id: OrderId
    uuid: str
    nonce: Nonce
    placement: bytes
    """A digest of the whole request, by which its repetition is recognised."""
    terms: BookTerms
    maker_fee: Rate
    taker_fee: Rate
    reference: Ticks | None
    """The best price of the other side at placement, else the last trade's: by it slippage is judged."""
    state: OrderStatus
    created_at: Instant
    updated_at: Instant
    origin: Lots
    """The volume that was asked for, less what self-trade prevention took off."""
    executed: Lots = NO_LOTS
    turnover: int = 0
    """The sum of price times volume of its trades, in ticks times lots."""
    trades: int = 0
    rank: int | None = None
    """Its place in time among those that rest, or None as long as it does not."""
    triggered_at: Instant | None = None
    cancel_reason: CancelReason | None = None
    held: Amount | UnsetType = UNSET
    """What a market order to buy has locked. Any other has what its rest needs, and is stored without."""

    @property
    def remaining(self) -> Lots:
        return self.origin - self.executed

    @property
    def average(self) -> Ticks | None:
        """The mean price of its trades, rounded down to a whole tick."""
        return Ticks(self.turnover // self.executed.lots) if self.executed else None
