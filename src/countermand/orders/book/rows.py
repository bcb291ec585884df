"""What is stored of a venue with order books. A body is JSON that the engine wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from countermand.kernel.journal import encode
from countermand.orders.book.model.events import Traded
from countermand.orders.book.model.exchange import Standing
from countermand.orders.book.model.ledger.amount import Account, Currency
from countermand.orders.book.model.lifecycle import LIVE
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.order import Nonce, Order, OrderId, Terms, TradeId
from countermand.values.instant import Instant


@dataclass(frozen=True, slots=True)
class BookOrderRow:
    """An order as it is stored: its whole state as `body`, beside what it is searched by."""

    id: OrderId
    account: Account
    nonce: Nonce
    uuid: str
    market: MarketSymbol
    base: Currency
    quote: Currency
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

    id: TradeId
    market: MarketSymbol
    at: Instant
    ticks: int
    lots: int
    buyer: Account
    seller: Account
    buy_order: OrderId
    sell_order: OrderId
    body: bytes


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """Both amounts in quanta, see `domain.ledger.amount`."""

    account: Account
    currency: Currency
    available: int
    locked: int


@dataclass(frozen=True, slots=True)
class DraftRow:
    """An order that its owner was asked to sign."""

    nonce: Nonce
    account: Account
    expires_at: Instant
    body: bytes


@dataclass(frozen=True, slots=True)
class BookRows:
    """What one commit writes beside its journal entries. `standing` None: as it was."""

    orders: Sequence[BookOrderRow] = ()
    trades: Sequence[TradeRow] = ()
    balances: Sequence[BalanceRow] = ()
    drafts: Sequence[DraftRow] = ()
    standing: bytes | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """An order that its owner was asked to sign. `msg_hash` is what the signature must be of, in hex with 0x."""

    nonce: Nonce
    terms: Terms
    msg_hash: str
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class Counters:
    """Where the counters stand: those that events move, and the nonces that were given out."""

    standing: Standing
    nonces: int


_ORDER: Final = msgspec.json.Decoder(Order)
_TRADE: Final = msgspec.json.Decoder(Traded)
_DRAFT: Final = msgspec.json.Decoder(Draft)
_COUNTERS: Final = msgspec.json.Decoder(Counters)

decode_order = _ORDER.decode
decode_trade = _TRADE.decode
decode_draft = _DRAFT.decode
decode_counters = _COUNTERS.decode


def order_row(order: Order, market: Market) -> BookOrderRow:
    terms = order.terms
    return BookOrderRow(
        id=order.id,
        account=terms.account,
        nonce=order.nonce,
        uuid=order.uuid,
        market=terms.market,
        base=market.base,
        quote=market.quote,
        kind=terms.kind.value,
        side=terms.side.value,
        state=order.state.value,
        live=order.state in LIVE,
        created_at=order.created_at,
        body=encode(order),
    )


def trade_row(trade: Traded, at: Instant) -> TradeRow:
    return TradeRow(
        id=trade.trade_id,
        market=trade.market,
        at=at,
        ticks=trade.price.ticks,
        lots=trade.lots.lots,
        buyer=trade.buy.account,
        seller=trade.sell.account,
        buy_order=trade.buy.order_id,
        sell_order=trade.sell.order_id,
        body=encode(trade),
    )


def draft_row(draft: Draft) -> DraftRow:
    return DraftRow(draft.nonce, draft.terms.account, draft.expires_at, encode(draft))
