"""What is stored of a venue with order books. A body is JSON that the engine wrote."""

from collections.abc import Sequence
from dataclasses import dataclass

from countermand.domain.book.market import MarketSymbol
from countermand.domain.book.order import Nonce
from countermand.domain.instant import Instant
from countermand.domain.ledger.amount import Account, Currency


@dataclass(frozen=True, slots=True)
class BookOrderRow:
    """An order of the book as it is stored: its whole state as `body`, beside what it is searched by."""

    id: int
    account: Account
    market: MarketSymbol
    base: Currency
    quote: Currency
    nonce: Nonce
    uuid: str
    kind: str
    side: str
    state: str
    live: bool
    """It belongs in memory."""
    created_at: Instant
    body: bytes


@dataclass(frozen=True, slots=True)
class TradeRow:
    """A trade: the whole event as `body`, beside what it is searched by and summed up from."""

    id: int
    market: MarketSymbol
    at: Instant
    price: int
    """In ticks."""
    lots: int
    buyer: Account
    seller: Account
    buy_order: int
    sell_order: int
    body: bytes


@dataclass(frozen=True, slots=True)
class BalanceRow:
    account: Account
    currency: Currency
    available: int
    locked: int
    """Both in quanta, see `domain.ledger.amount`."""


@dataclass(frozen=True, slots=True)
class DraftRow:
    """An order that somebody was asked to sign."""

    nonce: Nonce
    account: Account
    expires_at: Instant
    body: bytes


@dataclass(frozen=True, slots=True)
class BookRows:
    """What one commit writes of a venue with order books, beside its journal entries. `standing` None: as it was."""

    orders: Sequence[BookOrderRow] = ()
    trades: Sequence[TradeRow] = ()
    balances: Sequence[BalanceRow] = ()
    drafts: Sequence[DraftRow] = ()
    standing: bytes | None = None
