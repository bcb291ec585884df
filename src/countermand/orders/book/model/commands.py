"""The commands of the order books. Everything from outside enters as one of these."""

from typing import TypeAlias

from countermand.orders.book.model.ledger.amount import Account, Amount, Currency
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import BookTerms, Nonce, OrderId, Side
from countermand.values.structs import Struct


class Credit(Struct, frozen=True):
    account: Account
    currency: Currency
    amount: Amount


class PlaceBookOrder(Struct, frozen=True):
    uuid: str
    nonce: Nonce
    placement: bytes
    terms: BookTerms
    match_fails: bool = False
    """A fault that was switched on: its first match fails."""


class CancelBookOrder(Struct, frozen=True):
    account: Account
    order_id: OrderId


class CancelBookOrders(Struct, frozen=True):
    """The oldest orders of an account in a market that have not ended, at most `limit`."""

    account: Account
    market: MarketSymbol
    side: Side | None
    limit: int


class CancelByOperator(Struct, frozen=True):
    order_id: OrderId


class ExpireBookOrder(Struct, frozen=True):
    """Demanded by time: the order has the greatest age that its market allows."""

    order_id: OrderId


class OpenBookOrder(Struct, frozen=True):
    """Demanded by a trade: a triggered stop order enters the book."""

    order_id: OrderId
    match_fails: bool = False


class TriggerStops(Struct, frozen=True):
    """Demanded by trades that reach more stop orders than one turn triggers."""

    market: MarketSymbol


class ContinueBookOrder(Struct, frozen=True):
    """Demanded by an order that meets more makers than one turn serves: it goes on where it was."""

    order_id: OrderId
    match_fails: bool = False


Command: TypeAlias = (
    Credit
    | PlaceBookOrder
    | CancelBookOrder
    | CancelBookOrders
    | CancelByOperator
    | ExpireBookOrder
    | TriggerStops
    | OpenBookOrder
    | ContinueBookOrder
)
