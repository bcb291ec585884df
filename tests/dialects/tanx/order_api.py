"""tanX's endpoints over an exchange in memory: real decisions, real signatures, no shard and no store."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from countermand.answering import Answer
from countermand.curves import stark
from countermand.dialects.tanx import absent, public_routes, routes
from countermand.dialects.tanx.envelope import ACCESS_REFUSED, NO_CREDENTIALS
from countermand.dialects.tanx.render import Renderer
from countermand.gateway.falcon_app import new_app
from countermand.orders.book.model.book import resting
from countermand.orders.book.model.commands import (
    CancelBookOrder,
    CancelBookOrders,
    CancelByOperator,
    Command,
    Credit,
    PlaceBookOrder,
)
from countermand.orders.book.model.decide import decide, flaw
from countermand.orders.book.model.events import BookOrderCancelled, Traded
from countermand.orders.book.model.exchange import Exchange
from countermand.orders.book.model.ledger.amount import AMOUNT_SCALE, Account, Amount, Currency
from countermand.orders.book.model.ledger.ledger import Balance
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.model.order import BUY, SELL, BookOrder, BookTerms, Nonce, OrderId, Side
from countermand.orders.book.model.refusals import BookRefused
from countermand.orders.book.ports import OrdersQuery, Period, TradesQuery, Turnover
from countermand.orders.book.rows import Draft
from countermand.orders.book.service import BookOrderView, BookService, BookTrade, MarketTicker
from countermand.values.instant import Instant
from tests.dialects.mounted import Mounted
from tests.dialects.tanx.keys import sign_message

NOW = Instant(1_717_138_920_000)
"""2024-05-31T07:02:00 UTC."""
DAY_MS = 24 * 3_600_000
ALICE, BOB = Account("0x" + "a" * 40), Account("0x" + "b" * 40)
STARK_KEYS = {ALICE: 0x64004F706C1EAA39348AFB3191C74812D86E5B14B967E578ADDB4D89CE1234C, BOB: 0xB0B}


class MemoryBook:
    """`BookService`, as far as that goes without a store. Its clock stands still."""

    def __init__(self) -> None:
        self.markets = {market.symbol: market for market in MARKETS}
        self.exchange = Exchange(MARKETS)
        self.at = NOW
        self.matches_fail = False
        self.drafts: dict[tuple[Account, Nonce], Draft] = {}
        self.made: list[BookTrade] = []

    def turn(self, command: Command) -> BookRefused | None:
        while (due := self.exchange.command_due(self.at)) is not None:
            self._decide(due[1])
        return self._decide(command)

    def _decide(self, command: Command) -> BookRefused | None:
        decided = decide(self.exchange, command, self.at)
        if isinstance(decided, BookRefused):
            return decided
        for event in decided:
            self.exchange.apply(event, self.at)
            if isinstance(event, Traded):
                self.made.append(BookTrade(event, self.at))
        return None

    async def now(self) -> Instant:
        return self.at

    async def draft(self, terms: BookTerms, hash_of: Callable[[Nonce], str]) -> Draft | BookRefused:
        if refused := flaw(self.exchange.markets[terms.market], terms):
            return refused
        nonce = Nonce(len(self.drafts) + 931)
        draft = Draft(nonce, terms, hash_of(nonce), Instant(self.at + DAY_MS))
        self.drafts[terms.account, nonce] = draft
        return draft

    async def drafted(self, account: Account, nonce: Nonce) -> Draft | None:
        return self.drafts.get((account, nonce))

    async def placed(self, account: Account, nonce: Nonce) -> BookOrder | None:
        return self.exchange.placed(account, nonce)

    async def place(self, draft: Draft, placement: bytes) -> BookOrder | BookRefused:
        uuid = str(UUID(int=draft.nonce, version=4))
        command = PlaceBookOrder(uuid, draft.nonce, placement, draft.terms, match_fails=self.matches_fail)
        if refused := self.turn(command):
            return refused
        order = self.exchange.placed(draft.terms.account, draft.nonce)
        assert order is not None
        return order

    async def cancel(self, account: Account, order_id: OrderId) -> BookOrder | BookRefused:
        before = self.exchange.orders.get(order_id)
        return self.turn(CancelBookOrder(account, order_id)) or cast("BookOrder", before)

    async def cancel_many(self, account: Account, market: MarketSymbol, side: Side | None, limit: int) -> int:
        events = decide(self.exchange, CancelBookOrders(account, market, side, limit), self.at)
        self.turn(CancelBookOrders(account, market, side, limit))
        assert not isinstance(events, BookRefused)
        return sum(isinstance(event, BookOrderCancelled) for event in events)

    async def cancel_by_operator(self, order_id: OrderId) -> BookOrder | BookRefused:
        before = self.exchange.orders.get(order_id)
        return self.turn(CancelByOperator(order_id)) or cast("BookOrder", before)

    async def balances(self, account: Account) -> Mapping[Currency, Balance]:
        currencies = (Currency(each) for each in ("btc", "eth", "usdc", "usdt"))
        return {currency: self.exchange.ledger.balance(account, currency) for currency in currencies}

    async def resting(self, market: MarketSymbol, asks: int, bids: int) -> tuple[list[BookOrder], list[BookOrder]]:
        book = self.exchange.markets[market].book
        sides = (list(resting(book, SELL))[:asks], list(resting(book, BUY))[:bids])
        found = [[self.exchange.orders[OrderId(order_id)] for order_id, _, _ in side] for side in sides]
        return found[0], found[1]

    async def order(self, account: Account, which: OrderId | UUID) -> BookOrderView | None:
        for order in self.exchange.orders.values():
            if order.terms.account == account and which in (order.id, UUID(order.uuid)):
                mine = [t for t in self.made if order.id in (t.event.buy.order_id, t.event.sell.order_id)]
                return BookOrderView(order, mine)
        return None

    async def orders(self, query: OrdersQuery) -> Sequence[BookOrder]:
        self.asked = query
        found = [
            order
            for order in self.exchange.orders.values()
            if order.terms.account == query.account
            and query.market in (None, order.terms.market)
            and query.state in (None, order.state)
            and query.side in (None, order.terms.side)
            and query.kind in (None, order.terms.kind)
        ]
        return (found if query.ascending else found[::-1])[query.offset :][: query.limit]

    async def trades(self, query: TradesQuery) -> Sequence[BookTrade]:
        self.asked_trades = query
        found = [
            trade
            for trade in self.made
            if query.account in (None, trade.event.buy.account, trade.event.sell.account)
            and query.market in (None, trade.event.market)
            and (query.until is None or trade.at < query.until)
        ]
        return (found if query.ascending else found[::-1])[query.offset :][: query.limit]

    async def tickers(self) -> Mapping[MarketSymbol, MarketTicker]:
        return {
            symbol: MarketTicker(self.at, self._day(symbol), self.exchange.markets[symbol].last)
            for symbol in self.markets
        }

    async def periods(self, market: MarketSymbol, length_ms: int, since: Instant, until: Instant) -> Sequence[Period]:
        self.asked_periods = (length_ms, since, until)
        found: dict[int, list[Traded]] = {}
        for trade in self.made:
            if trade.event.market == market and since <= trade.at < until:
                found.setdefault(trade.at // length_ms * length_ms, []).append(trade.event)
        return [
            Period(
                Instant(began),
                first=trades[0].price.ticks,
                last=trades[-1].price.ticks,
                high=max(trade.price.ticks for trade in trades),
                low=min(trade.price.ticks for trade in trades),
                lots=sum(trade.lots.lots for trade in trades),
                turnover=sum(trade.price.ticks * trade.lots.lots for trade in trades),
            )
            for began, trades in found.items()
        ]

    def _day(self, symbol: MarketSymbol) -> Turnover | None:
        prices = [t.event.price.ticks for t in self.made if t.event.market == symbol]
        lots = [t.event.lots.lots for t in self.made if t.event.market == symbol]
        if not prices:
            return None
        turnover = sum(price * volume for price, volume in zip(prices, lots, strict=True))
        return Turnover(symbol, prices[0], prices[-1], max(prices), min(prices), sum(lots), turnover)


class TokensByName:
    """The token is the account."""

    async def account(self, authorization: str | None) -> Account | Answer:
        if authorization is None:
            return NO_CREDENTIALS
        account = Account(authorization.removeprefix("JWT "))
        return account if account in STARK_KEYS else ACCESS_REFUSED


@dataclass(frozen=True, slots=True)
class Got:
    status: int
    raw: str

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    def ok(self) -> Any:
        """The payload of an answer that must be a good one."""
        assert self.status == 200, self.raw
        assert self.body["status"] == "success"
        return self.body["payload"]

    @property
    def problem(self) -> tuple[int, str]:
        assert list(self.body) == ["status", "message", "payload"]
        assert self.body["status"] == "error"
        return self.status, self.body["message"]


class OrderApi:
    """What a client sees."""

    def __init__(self) -> None:
        self.venue = MemoryBook()
        self.verified: list[tuple[int, int, int, int]] = []
        self.keys = {account: stark.public_key(key) for account, key in STARK_KEYS.items()}
        renderer = Renderer(self.venue.markets)
        service = cast("BookService", self.venue)
        context = routes.TanxContext(service, TokensByName(), self._stark_key_of, self._verify, renderer)
        mounted = (*routes.resources(context), *public_routes.resources(service, renderer), *absent.resources())
        self.paths = [path for path, _ in mounted]
        self._api = Mounted(mounted, new_app)

    async def _stark_key_of(self, account: Account) -> int | None:
        return self.keys.get(account)

    async def _verify(self, key: int, message: int, r: int, s: int) -> bool:
        self.verified.append((key, message, r, s))
        return stark.verify(key, message, r, s)

    def ask(self, method: str, path: str, who: Account | None = ALICE, **request: Any) -> Got:
        headers = {"authorization": f"JWT {who}"} if who else {}
        headers |= request.pop("headers", {})
        answer = self._api.ask(method, path, headers=headers, **request)
        assert answer.headers["content-type"] == "application/json"
        return Got(answer.status_code, answer.text)

    def get(self, path: str, who: Account | None = ALICE, **params: Any) -> Got:
        return self.ask("GET", path, who, params=params)

    def post(self, path: str, body: object = None, who: Account | None = ALICE) -> Got:
        """`body`: bytes are sent as they are, all else as JSON."""
        if isinstance(body, bytes):
            return self.ask("POST", path, who, body=body)
        return self.ask("POST", path, who, json=body) if body is not None else self.ask("POST", path, who)

    def advances(self, ms: int) -> None:
        self.venue.at = Instant(self.venue.at + ms)

    def gives(self, who: Account, **units: int) -> None:
        for currency, quantity in units.items():
            assert self.venue.turn(Credit(who, Currency(currency), Amount(quantity * 10**AMOUNT_SCALE))) is None

    def drafts(self, who: Account = ALICE, **fields: Any) -> dict[str, Any]:
        draft: dict[str, Any] = self.post("/sapi/v1/orders/nonce", an_order(**fields), who).ok()
        return draft

    def creates(self, who: Account = ALICE, **fields: Any) -> Any:
        return self.post("/sapi/v1/orders/create", signed(self.drafts(who, **fields), who), who).ok()

    def sees(self, order_id: int, who: Account = ALICE) -> Any:
        return self.get(f"/sapi/v1/orders/{order_id}", who).ok()

    def balance(self, currency: str, who: Account = ALICE) -> tuple[str, str]:
        row = self.get("/sapi/v1/user/balance", who, currency=currency).ok()
        return row["balance"], row["locked"]


def an_order(**fields: Any) -> dict[str, Any]:
    """To buy 0.5 ether at 2000 each, unless said otherwise."""
    return {"market": "ethusdc", "ord_type": "limit", "side": "buy", "volume": 0.5, "price": 2000} | fields


def signed(draft: dict[str, Any], who: Account = ALICE) -> dict[str, Any]:
    r, s = sign_message(STARK_KEYS[who], int(draft["msg_hash"], 16))
    return draft | {"signature": {"r": hex(r), "s": hex(s)}}
