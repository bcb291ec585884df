"""What users ask of a process, as the dialect asks it, and the answers in plain words."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from countermand.kernel.journal import encode
from countermand.orders.book.model.ledger.amount import Account, Amount, Currency
from countermand.orders.book.model.ledger.ledger import Balance
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import BookOrder, BookTerms, Nonce, OrderId, Side
from countermand.orders.book.model.refusals import BookRefused
from countermand.orders.book.ports import OrdersQuery, Period, TradesQuery, Turnover
from countermand.orders.book.rows import Draft
from countermand.orders.book.service import BookTrade
from countermand.values.instant import Instant
from countermand_simulator.book.process import BookProcess

Answer = dict[str, Any]


def plain(thing: object) -> Any:
    """As JSON says it."""
    return msgspec.json.decode(encode(thing))


def _refused(told: BookRefused, **more: Any) -> Answer:
    body = None if told.order is None else plain(told.order)
    return {"kind": "refused", "refusal": told.refusal.name, "body": body, **more}


def _ordered(kind: str, told: BookOrder | BookRefused) -> Answer:
    return _refused(told) if isinstance(told, BookRefused) else {"kind": kind, "body": plain(told)}


# --- changes


async def drafts(process: BookProcess, terms: BookTerms) -> Answer:
    draft = await process.venue.draft(terms, hex)
    if isinstance(draft, BookRefused):
        return _refused(draft)
    expires_at = draft.expires_at
    told = {"kind": "drafted", "nonce": draft.nonce, "terms": plain(terms), "draft": draft}
    return {**told, "expires_at": expires_at, "now": await process.venue.now()}


async def creates(process: BookProcess, account: Account, nonce: Nonce, placement: bytes) -> Answer:
    """In the steps in which the dialect does it."""
    venue = process.venue
    draft = await venue.drafted(account, nonce)
    if draft is not None and draft.expires_at <= await venue.now():
        draft = None
    order = await venue.placed(account, nonce)
    if order is None:
        if draft is None:
            return {"kind": "refused", "refusal": "NONCE_UNKNOWN", "body": None, "now": await venue.now()}
        return _ordered("placed", await venue.place(draft, placement))
    if order.placement != placement:
        return {"kind": "refused", "refusal": "NONCE_USED", "body": None}
    return _ordered("placed", order)


async def places(process: BookProcess, draft: Draft, placement: bytes) -> Answer:
    """Straight to the shard."""
    return _ordered("placed", await process.venue.place(draft, placement))


async def cancels(process: BookProcess, account: Account, order_id: OrderId) -> Answer:
    return _ordered("cancelled", await process.venue.cancel(account, order_id))


async def cancels_many(
    process: BookProcess, account: Account, market: MarketSymbol, side: Side | None, limit: int
) -> Answer:
    return {"kind": "cancelled many", "count": await process.venue.cancel_many(account, market, side, limit)}


async def cancels_by_operator(process: BookProcess, order_id: OrderId) -> Answer:
    return _ordered("cancelled", await process.venue.cancel_by_operator(order_id))


async def credits_to(process: BookProcess, account: Account, currency: Currency, amount: Amount) -> Answer:
    told = await process.venue.credit(account, currency, amount)
    if isinstance(told, BookRefused):
        return _refused(told)
    available, locked = _pair(told)
    return {"kind": "credited", "available": available, "locked": locked}


async def forgets(process: BookProcess) -> Answer:
    """Drafts that were not signed in time."""
    await process.store.delete_drafts(await process.venue.now())
    return {"kind": "forgotten"}


# --- reads


async def recalls(process: BookProcess, account: Account, nonce: Nonce) -> Answer:
    draft = await process.venue.drafted(account, nonce)
    terms = None if draft is None else plain(draft.terms)
    return {"kind": "draft", "terms": terms, "now": await process.venue.now()}


async def became(process: BookProcess, account: Account, nonce: Nonce) -> Answer:
    order = await process.venue.placed(account, nonce)
    return {"kind": "became", "body": None if order is None else plain(order)}


async def views(process: BookProcess, account: Account, name: int | str) -> Answer:
    view = await process.venue.order(account, UUID(name) if isinstance(name, str) else OrderId(name))
    if view is None:
        return {"kind": "view", "body": None}
    return {"kind": "view", "body": plain(view.order), "trades": _events(view.trades)}


async def lists(process: BookProcess, query: OrdersQuery) -> Answer:
    return {"kind": "orders", "orders": [plain(order) for order in await process.venue.orders(query)]}


async def trades(process: BookProcess, query: TradesQuery) -> Answer:
    return {"kind": "trades", "trades": _events(await process.venue.trades(query))}


async def balances(process: BookProcess, account: Account) -> Answer:
    told = await process.venue.balances(account)
    return {"kind": "balances", "of": {currency: _pair(balance) for currency, balance in told.items()}}


async def front(process: BookProcess, market: MarketSymbol, depth: int) -> Answer:
    asks, bids = await process.venue.resting(market, depth, depth)
    return {"kind": "resting", "sell": [_rests(order) for order in asks], "buy": [_rests(order) for order in bids]}


async def tickers(process: BookProcess) -> Answer:
    told, at = {}, 0
    for symbol, ticker in (await process.venue.tickers()).items():
        last, at = None if ticker.last is None else ticker.last.ticks, ticker.at
        told[symbol] = (last, None if ticker.day is None else _sums(ticker.day))
    return {"kind": "tickers", "of": told, "at": at}


async def periods(process: BookProcess, market: MarketSymbol, length_ms: int, since: Instant, until: Instant) -> Answer:
    told = await process.venue.periods(market, length_ms, since, until)
    return {"kind": "periods", "periods": [[each.began, _sums(each)] for each in told]}


def _sums(told: Turnover | Period) -> tuple[int, ...]:
    return told.first, told.last, told.high, told.low, told.lots, told.turnover


def _pair(balance: Balance) -> tuple[int, int]:
    return balance.available.quanta, balance.locked.quanta


def _events(told: Sequence[BookTrade]) -> list[Any]:
    return [plain(trade.event) for trade in told]


def _rests(order: BookOrder) -> tuple[int, int, int]:
    assert order.terms.price is not None, f"order {order.id} rests without a price"
    return order.id, order.terms.price.ticks, order.remaining.lots
