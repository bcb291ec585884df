"""The stored rows of the order books. A body is JSON that this package wrote."""

from collections.abc import Sequence
from typing import Final

import msgspec

from countermand.kernel.journal import encode
from countermand.orders.book.model.events import Traded
from countermand.orders.book.model.exchange import Counters
from countermand.orders.book.model.ledger.amount import Account, Currency
from countermand.orders.book.model.lifecycle import LIVE
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.order import BookOrder, BookTerms, Nonce, OrderId, TradeId
from countermand.values.instant import Instant


class BookOrderRow(msgspec.Struct, frozen=True):
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


class BookTradeRow(msgspec.Struct, frozen=True):
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


class BookBalanceRow(msgspec.Struct, frozen=True):
    """Both amounts in quanta, see `model.ledger.amount`."""

    account: Account
    currency: Currency
    available: int
    locked: int


class BookDraftRow(msgspec.Struct, frozen=True):
    """An order that its owner was asked to sign."""

    nonce: Nonce
    account: Account
    expires_at: Instant
    body: bytes


class BookRows(msgspec.Struct, frozen=True):
    """What one commit writes beside its journal entries. `counters` None: as they were."""

    orders: Sequence[BookOrderRow] = ()
    trades: Sequence[BookTradeRow] = ()
    balances: Sequence[BookBalanceRow] = ()
    drafts: Sequence[BookDraftRow] = ()
    counters: bytes | None = None


class Draft(msgspec.Struct, frozen=True):
    """An order that its owner was asked to sign. `msg_hash` is what the signature must be of, in hex with 0x."""

    nonce: Nonce
    terms: BookTerms
    msg_hash: str
    expires_at: Instant


class StoredCounters(msgspec.Struct, frozen=True, rename={"counters": "standing"}):
    """Those that events move, and the number of nonces that were given out."""

    counters: Counters
    nonces: int


_ORDER: Final = msgspec.json.Decoder(BookOrder)
_TRADE: Final = msgspec.json.Decoder(Traded)
_DRAFT: Final = msgspec.json.Decoder(Draft)
_COUNTERS: Final = msgspec.json.Decoder(StoredCounters)

decode_order = _ORDER.decode
decode_trade = _TRADE.decode
decode_draft = _DRAFT.decode
decode_counters = _COUNTERS.decode


def order_row(order: BookOrder, market: Market) -> BookOrderRow:
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


def trade_row(trade: Traded, at: Instant) -> BookTradeRow:
    return BookTradeRow(
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


def draft_row(draft: Draft) -> BookDraftRow:
    return BookDraftRow(draft.nonce, draft.terms.account, draft.expires_at, encode(draft))
