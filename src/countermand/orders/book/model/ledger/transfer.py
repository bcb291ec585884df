"""How money moves: in two phases. What may be spent is reserved first; then it is posted to others, or voided."""

from enum import Enum, auto
from typing import NewType, TypeAlias

from countermand.orders.book.model.ledger.amount import Account, Amount, Currency
from countermand.values.structs import Struct

HoldId = NewType("HoldId", int)
"""Names what is reserved for one purpose: the number of the order that it pays for."""


class Deposit(Struct, frozen=True):
    """From outside into an account. The only transfer that changes what there is in all."""

    account: Account
    currency: Currency
    amount: Amount


class Reserve(Struct, frozen=True):
    """From what an account can use into a new hold."""

    hold: HoldId
    account: Account
    currency: Currency
    amount: Amount


class Post(Struct, frozen=True):
    """Out of a hold to the account that it is paid to."""

    hold: HoldId
    to: Account
    amount: Amount


class Void(Struct, frozen=True):
    """Out of a hold back to its owner."""

    hold: HoldId
    amount: Amount


Transfer: TypeAlias = Deposit | Reserve | Post | Void


class Shortfall(Enum):
    """Why a requested transfer cannot be."""

    INSUFFICIENT_FUNDS = auto()
    TOO_MUCH = auto()
    """There would be more of the currency than an amount can say."""
