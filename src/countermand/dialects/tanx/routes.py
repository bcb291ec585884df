"""The endpoints of an account's orders, trades and balances, for a member who has logged in."""

from collections.abc import Awaitable, Callable
from typing import Final

from falcon.asgi import Request
from msgspec import Struct

from countermand.answering import Answer
from countermand.dialects.tanx import names, wire
from countermand.dialects.tanx.authenticator import Authenticator, account_asking
from countermand.dialects.tanx.envelope import RESPONDER, problem, success
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
    "No Stark key is registered for this account, so its orders cannot be verified. "
    'Register its public key with POST /sapi/v1/user/stark_key {"stark_key"}',
)
_NOT_SIGNED: Final = problem(400, "Signature verification failed")


class TanxContext(Struct, frozen=True):
    """What the endpoints work on."""

    service: BookService
    authenticator: Authenticator
    stark_key_of: Callable[[Account], Awaitable[int | None]]
    verify: Callable[[int, int, int, int], Awaitable[bool]]
    """Whether a Stark key signed a message: (key, message, r, s). It takes a millisecond, so not on the loop."""
    renderer: Renderer

    async def account(self, req: Request) -> Account:
        """Raises `Declined`."""
        return await account_asking(self.authenticator, req)


class _Resource:
    def __init__(self, context: TanxContext) -> None:
        self._context = context


# --- orders


class OrderNonceResource(_Resource):
    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        account, service = await self._context.account(req), self._context.service
        terms = into_terms(_NONCE.read(body, req.content_type), account, service.markets)
        refuse_unsupported(_NONCE.beside(body, req.content_type, NAMES), terms.kind)
        market = service.markets[terms.market]
        draft = await service.draft(terms, lambda nonce: msg_hash(terms, market, nonce))
        if isinstance(draft, BookRefused):
            return answer_to(draft, self._context.renderer, market)
        return success(names.NONCE_CREATED, wire.OrderNoncePayload(nonce=draft.nonce, msg_hash=draft.msg_hash))


class CreateResource(_Resource):
    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        """The answer is the order as it was accepted. A repeated request returns the same answer."""
        context, account = self._context, await self._context.account(req)
        asked = _CREATE.read(body, req.content_type)
        beside = _CREATE.beside(body, req.content_type, NAMES)
        message = hex_number("msg_hash", asked.msg_hash)
        r, s = hex_number("signature.r", asked.signature.r), hex_number("signature.s", asked.signature.s)
        nonce, request = Nonce(asked.nonce), placement(Nonce(asked.nonce), message, r, s)
        # In this order: a draft that becomes an order between the two looks is found as that order.
        draft = await self._draft(account, nonce)
        order = await context.service.placed(account, nonce) if 0 < nonce <= ID_MAX else None
        known = draft if order is None else order
        if known is None:
            return _UNKNOWN_NONCE
        refuse_unsupported(beside, known.terms.kind)
        if order is None:
            assert draft is not None, "one of them is known"
            if wrong := await self._flaw(draft, message, r, s):
                return wrong
            placed = await context.service.place(draft, request)
            if isinstance(placed, BookRefused):
                return answer_to(placed, context.renderer, context.service.markets[draft.terms.market])
            order = placed
        elif order.placement != request:
            return answer_to(BookRefused(BookRefusal.NONCE_USED), context.renderer)
        return success(names.ORDER_CREATED, context.renderer.order_as_placed(order))

    async def _draft(self, account: Account, nonce: Nonce) -> Draft | None:
        service = self._context.service
        draft = await service.drafted(account, nonce) if 0 < nonce <= ID_MAX else None
        return None if draft is None or draft.expires_at <= await service.now() else draft

    async def _flaw(self, draft: Draft, message: int, r: int, s: int) -> Answer | None:
        """What is wrong with the signature. It is verified before the order enters the shard."""
        if message != int(draft.msg_hash, 16):
            return _OTHER_HASH
        key = await self._context.stark_key_of(draft.terms.account)
        if key is None:
            return _NO_STARK_KEY
        return None if await self._context.verify(key, message, r, s) else _NOT_SIGNED


class CancelResource(_Resource):
    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        """The answer shows the order as it stood; when it is given, nothing of it trades any more."""
        context, account = self._context, await self._context.account(req)
        asked = order_id(_CANCEL.read(body, req.content_type).order_id)
        before = await context.service.cancel(account, asked)
        if isinstance(before, BookRefused):
            return answer_to(before, context.renderer)
        return success(names.CANCEL_QUEUED, context.renderer.order(before))


class BulkCancelResource(_Resource):
    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        account, service = await self._context.account(req), self._context.service
        asked = _BULK_CANCEL.read(body, req.content_type)
        market = market_of(asked.market, service.markets)
        side = None if asked.side is None else Side(asked.side)
        await service.cancel_many(account, market.symbol, side, asked.limit or wire.CANCELS_AT_ONCE)
        return success(names.CANCELS_QUEUED, {})


class OrderResource(_Resource):
    @RESPONDER.answers_body
    async def on_get(self, req: Request, _body: bytes, which: str) -> Answer:
        """By its id, or by its uuid."""
        account = await self._context.account(req)
        found = await self._context.service.order(account, order_name(which))
        if found is None:
            return ORDER_NOT_FOUND
        return success(names.ORDER_RETRIEVED, self._context.renderer.order_with_trades(found.order, found.trades))


class OrdersResource(_Resource):
    @RESPONDER.answers_body
    async def on_get(self, req: Request, body: bytes) -> Answer:
        account, service = await self._context.account(req), self._context.service
        orders = await service.orders(orders_query(_ORDERS.listing(req, body), account, service.markets))
        return success(names.ORDERS_RETRIEVED, await in_turns(map(self._context.renderer.order, orders)))


# --- what an account has


class TradesResource(_Resource):
    @RESPONDER.answers_body
    async def on_get(self, req: Request, body: bytes) -> Answer:
        account, service = await self._context.account(req), self._context.service
        trades = await service.trades(own_trades_query(_TRADES.listing(req, body), account, service.markets))
        rows = (self._context.renderer.own_trade(trade, account) for trade in trades)
        return success(names.TRADES_RETRIEVED, await in_turns(rows))


class BalanceResource(_Resource):
    @RESPONDER.answers_body
    async def on_get(self, req: Request, body: bytes) -> Answer:
        """Of one currency an object, of all a list."""
        account, service = await self._context.account(req), self._context.service
        asked = _BALANCE.listing(req, body)
        balances = await service.balances(account)
        if asked.currency is None:
            return success(names.BALANCE_RETRIEVED, [balance_row(*of) for of in balances.items()])
        currency = currency_of(asked.currency, service.markets)
        return success(names.BALANCE_RETRIEVED, balance_of_currency(currency, balances[currency]))


def resources(context: TanxContext) -> list[tuple[str, object]]:
    """What to mount, by path."""
    return [
        ("/sapi/v1/orders/nonce", OrderNonceResource(context)),
        ("/sapi/v1/orders/create", CreateResource(context)),
        ("/sapi/v1/orders/cancel", CancelResource(context)),
        ("/sapi/v1/orders/{which}", OrderResource(context)),
        ("/sapi/v1/orders", OrdersResource(context)),
        ("/sapi/v1/user/bulkcancel", BulkCancelResource(context)),
        ("/sapi/v1/trades", TradesResource(context)),
        ("/sapi/v1/user/balance", BalanceResource(context)),
    ]
