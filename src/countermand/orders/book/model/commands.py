"""The commands of the order books. Everything from outside enters as one of these."""

from dataclasses import dataclass
from typing import TypeAlias

from countermand.orders.book.model.ledger.amount import Account, Amount, Currency
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import BookTerms, Nonce, OrderId, Side


@dataclass(frozen=True, slots=True)
class Credit:
    account: Account
    currency: Currency
    amount: Amount


@dataclass(frozen=True, slots=True)
class PlaceBookOrder:
    uuid: str
    nonce: Nonce
    placement: bytes
    terms: BookTerms
    match_fails: bool = False
    """A fault that was switched on: its first match fails."""


@dataclass(frozen=True, slots=True)
class CancelBookOrder:
    account: Account
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class CancelBookOrders:
    """The oldest orders of an account in a market that have not ended, at most `limit`."""

    account: Account
    market: MarketSymbol
    side: Side | None
    limit: int


@dataclass(frozen=True, slots=True)
class CancelByOperator:
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class ExpireBookOrder:
    """Demanded by time: the order has the greatest age that its market allows."""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class OpenBookOrder:
    """Demanded by a trade: a triggered stop order enters the book."""

    order_id: OrderId
    match_fails: bool = False


Command: TypeAlias = (
    Credit | PlaceBookOrder | CancelBookOrder | CancelBookOrders | CancelByOperator | ExpireBookOrder | OpenBookOrder
)
