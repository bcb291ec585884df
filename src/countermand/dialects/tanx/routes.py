"""The endpoints of an account's orders, trades and balances, for who has signed in, and what to mount of this half."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from falcon.asgi import Request

from countermand.answering import Answer, Declined
from countermand.dialects.tanx import names, wire
from countermand.dialects.tanx.envelope import EDGE, problem, success
from countermand.dialects.tanx.reading import BodyReader
from countermand.dialects.tanx.refusals import INVALID_NONCE, ORDER_NOT_FOUND, answer_to
from countermand.dialects.tanx.render import Renderer, balance_of_currency, balance_row
from countermand.dialects.tanx.signing import msg_hash, placement
from countermand.dialects.tanx.translate import (
    ID_MAX,
    currency_of,
    hex_number,
    into_terms,
    market_of,
    order_id,
    order_name,
    orders_query,
    own_trades_query,
)
from countermand.dialects.tanx.turns import in_turns
from countermand.dialects.tanx.unsupported import NAMES, refuse_unsupported
from countermand.orders.book.model.ledger.amount import Account
from countermand.orders.book.model.order import Nonce, Side
from countermand.orders.book.model.refusals import BookRefusal, BookRefused
from countermand.orders.book.rows import Draft
from countermand.orders.book.service import BookService

_NONCE: Final = BodyReader(wire.OrderNonceRequest)
_CREATE: Final = BodyReader(wire.CreateRequest)
_CANCEL: Final = BodyReader(wire.CancelRequest)
_BULK_CANCEL: Final = BodyReader(wire.BulkCancelRequest)
_ORDERS: Final = BodyReader(wire.OrdersParams)
_TRADES: Final = BodyReader(wire.TradesParams)
_BALANCE: Final = BodyReader(wire.BalanceParams)

_UNKNOWN_NONCE: Final = problem(400, INVALID_NONCE)
_OTHER_HASH: Final = problem(400, "msg_hash mismatch")
_NO_STARK_KEY: Final = problem(
    400,
    "No Stark key is registered for this account, so nobody can verify its orders. "
    'Register its public key with POST /sapi/v1/user/stark_key {"stark_key"}',
)
_NOT_SIGNED: Final = problem(400, "Signature verification failed")


class Guard(Protocol):
    async def account(self, authorization: str | None) -> Account | Answer:
        """Whose access token the header carries, or what to answer if it is nobody's."""


@dataclass(frozen=True, slots=True)
class House:
    """What the endpoints work on."""

    venue: BookService
    guard: Guard
    stark_key_of: Callable[[Account], Awaitable[int | None]]
    verify: Callable[[int, int, int, int], Awaitable[bool]]
    """Whether a Stark key signed a message: (key, message, r, s). It takes a millisecond, so not on the loop."""
    renderer: Renderer

    async def account(self, req: Request) -> Account:
        """Who is asking. Raises `Declined`."""
        found = await self.guard.account(req.get_header("authorization"))
        if isinstance(found, Answer):
            raise Declined(found)
        return found


class _Resource:
    def __init__(self, house: House) -> None:
        self._house = house


# --- orders


class NonceResource(_Resource):
    @EDGE.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        account, venue = await self._house.account(req), self._house.venue
        terms = into_terms(_NONCE.read(body, req.content_type), account, venue.markets)
        refuse_unsupported(_NONCE.beside(body, req.content_type, NAMES), terms.kind)
        market = venue.markets[terms.market]
        draft = await venue.draft(terms, lambda nonce: msg_hash(terms, market, nonce))
        if isinstance(draft, BookRefused):
            return answer_to(draft, self._house.renderer, market)
        return success(names.NONCE_CREATED, wire.OrderNoncePayload(nonce=draft.nonce, msg_hash=draft.msg_hash))


class CreateResource(_Resource):
    @EDGE.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        """Whatever becomes of the order, the answer is how it was accepted; and the same one if it is asked again."""
        house, account = self._house, await self._house.account(req)
        asked = _CREATE.read(body, req.content_type)
        beside = _CREATE.beside(body, req.content_type, NAMES)
        message = hex_number("msg_hash", asked.msg_hash)
        r, s = hex_number("signature.r", asked.signature.r), hex_number("signature.s", asked.signature.s)
        nonce, request = Nonce(asked.nonce), placement(Nonce(asked.nonce), message, r, s)
        # In this order: a draft that becomes an order between the two looks is found as that order.
        draft = await self._draft(account, nonce)
        order = await house.venue.placed(account, nonce) if 0 < nonce <= ID_MAX else None
        known = draft if order is None else order
        if known is None:
            return _UNKNOWN_NONCE
        refuse_unsupported(beside, known.terms.kind)
        if order is None:
            assert draft is not None, "one of them is known"
            if wrong := await self._flaw(draft, message, r, s):
                return wrong
            placed = await house.venue.place(draft, request)
            if isinstance(placed, BookRefused):
                return answer_to(placed, house.renderer, house.venue.markets[draft.terms.market])
            order = placed
        elif order.placement != request:
            return answer_to(BookRefused(BookRefusal.NONCE_USED), house.renderer)
        return success(names.ORDER_CREATED, house.renderer.order_as_placed(order))

    async def _draft(self, account: Account, nonce: Nonce) -> Draft | None:
        venue = self._house.venue
        draft = await venue.drafted(account, nonce) if 0 < nonce <= ID_MAX else None
        return None if draft is None or draft.expires_at <= await venue.now() else draft

    async def _flaw(self, draft: Draft, message: int, r: int, s: int) -> Answer | None:
        """What is wrong with the signature, which is verified before the order comes to the gate."""
        if message != int(draft.msg_hash, 16):
            return _OTHER_HASH
        key = await self._house.stark_key_of(draft.terms.account)
        if key is None:
            return _NO_STARK_KEY
        return None if await self._house.verify(key, message, r, s) else _NOT_SIGNED


class CancelResource(_Resource):
    @EDGE.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        """The answer shows the order as it stood; when it is given, nothing of it trades any more."""
        house, account = self._house, await self._house.account(req)
        asked = order_id(_CANCEL.read(body, req.content_type).order_id)
        before = await house.venue.cancel(account, asked)
        if isinstance(before, BookRefused):
            return answer_to(before, house.renderer)
        return success(names.CANCEL_QUEUED, house.renderer.order(before))


class BulkCancelResource(_Resource):
    @EDGE.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        account, venue = await self._house.account(req), self._house.venue
        asked = _BULK_CANCEL.read(body, req.content_type)
        market = market_of(asked.market, venue.markets)
        side = None if asked.side is None else Side(asked.side)
        await venue.cancel_many(account, market.symbol, side, asked.limit or wire.CANCELS_AT_ONCE)
        return success(names.CANCELS_QUEUED, {})


class OrderResource(_Resource):
    @EDGE.answers_body
    async def on_get(self, req: Request, _body: bytes, which: str) -> Answer:
        """By its id, or by its uuid."""
        account = await self._house.account(req)
        found = await self._house.venue.order(account, order_name(which))
        if found is None:
            return ORDER_NOT_FOUND
        return success(names.ORDER_RETRIEVED, self._house.renderer.order_with_trades(found.order, found.trades))


class OrdersResource(_Resource):
    @EDGE.answers_body
    async def on_get(self, req: Request, body: bytes) -> Answer:
        account, venue = await self._house.account(req), self._house.venue
        orders = await venue.orders(orders_query(_ORDERS.listing(req, body), account, venue.markets))
        return success(names.ORDERS_RETRIEVED, await in_turns(map(self._house.renderer.order, orders)))


# --- what an account has


class TradesResource(_Resource):
    @EDGE.answers_body
    async def on_get(self, req: Request, body: bytes) -> Answer:
        account, venue = await self._house.account(req), self._house.venue
        trades = await venue.trades(own_trades_query(_TRADES.listing(req, body), account, venue.markets))
        rows = (self._house.renderer.own_trade(trade, account) for trade in trades)
        return success(names.TRADES_RETRIEVED, await in_turns(rows))


class BalanceResource(_Resource):
    @EDGE.answers_body
    async def on_get(self, req: Request, body: bytes) -> Answer:
        """Of one currency an object, of all a list."""
        account, venue = await self._house.account(req), self._house.venue
        asked = _BALANCE.listing(req, body)
        balances = await venue.balances(account)
        if asked.currency is None:
            return success(names.BALANCE_RETRIEVED, [balance_row(*of) for of in balances.items()])
        currency = currency_of(asked.currency, venue.markets)
        return success(names.BALANCE_RETRIEVED, balance_of_currency(currency, balances[currency]))


def resources(house: House) -> list[tuple[str, object]]:
    """What to mount, by path."""
    return [
        ("/sapi/v1/orders/nonce", NonceResource(house)),
        ("/sapi/v1/orders/create", CreateResource(house)),
        ("/sapi/v1/orders/cancel", CancelResource(house)),
        ("/sapi/v1/orders/{which}", OrderResource(house)),
        ("/sapi/v1/orders", OrdersResource(house)),
        ("/sapi/v1/user/bulkcancel", BulkCancelResource(house)),
        ("/sapi/v1/trades", TradesResource(house)),
        ("/sapi/v1/user/balance", BalanceResource(house)),
    ]
