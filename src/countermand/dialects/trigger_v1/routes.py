"""The endpoints of Trigger v1 and its older form, limit/v2. There is no login: only the maker can sign the result."""

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, Protocol

from falcon.asgi import Request
from msgspec import Struct

from countermand.answering import Answer, Declined, encode
from countermand.dialects.trigger_v1 import translate
from countermand.dialects.trigger_v1.envelope import RESPONDER, error, failed
from countermand.dialects.trigger_v1.reading import BodyReader, QueryReader, complains, public_key
from countermand.dialects.trigger_v1.refusals import cause_of
from countermand.dialects.trigger_v1.translate import INVALID_CANCEL, INVALID_CREATE
from countermand.dialects.trigger_v1.wire import (
    ROWS_OF_A_PAGE,
    CancellingAnswer,
    CancellingManyAnswer,
    CancelRequest,
    CreatedAnswer,
    CreateRequest,
    ExecutedAnswer,
    ExecuteRequest,
    FlatOrderRow,
    LimitCancellingAnswer,
    LimitCancellingManyAnswer,
    LimitCreatedAnswer,
    LimitHistoryAnswer,
    LimitOrderRow,
    OpenOrdersParams,
    OrderRow,
    OrdersPage,
    OrdersParams,
    TriggerOrdersAnswer,
    TriggerOrdersParams,
)
from countermand.kernel.ports import Clock, Unavailable
from countermand.orders.chain.model.order import ChainFamily
from countermand.orders.chain.moments import as_of_one_moment
from countermand.orders.chain.ports import ChainHistoryQuery, Histories
from countermand.orders.limit.model.cancelling import chosen
from countermand.orders.limit.model.order import LimitTerms, OpenLimitOrder, Unsigned
from countermand.orders.limit.model.refusals import LimitRefused
from countermand.services.transactions.client_transactions import Build, ClientTransactions, NotOurs, Unconfirmed
from countermand.values.identity import Address, Mint, RequestId, Signature, Wallet
from countermand.values.quantities import UsdPrice
from countermand.values.tokens import Tokens

CREATES: Final = "limit.create"
CANCELS: Final = "limit.cancel"
_PURPOSES: Final = (CREATES, CANCELS)
_ROWS_AT_ONCE: Final = 100

_INVALID_READ: Final = complains("invalid request")
_CREATE: Final = BodyReader(CreateRequest, INVALID_CREATE)
_CANCEL: Final = BodyReader(CancelRequest, INVALID_CANCEL)
_EXECUTE: Final = BodyReader(ExecuteRequest, lambda cause: failed(400, "invalid transaction", cause=cause))
_ORDERS: Final = QueryReader(OrdersParams, _INVALID_READ)
_OPEN_ORDERS: Final = QueryReader(OpenOrdersParams, _INVALID_READ)
_TRIGGER_ORDERS: Final = QueryReader(TriggerOrdersParams, _INVALID_READ)

_NO_ORDERS: Final = error(400, "no matching orders found")
_NO_BLOCKHASH: Final = error(500, "unable to get latest blockhash")
_NO_CANCEL: Final = error(500, "something went wrong while generating cancel instructions")
_INVALID_TRANSACTION: Final = failed(400, "invalid transaction")
_UNCONFIRMED: Final = "unable to confirm transaction"
_UNPAYABLE: Final = "transaction cannot be paid for: {}"


class Root(Enum):
    """Where the endpoints are mounted; each names its answers in its own way."""

    TRIGGER = "/trigger/v1"
    LIMIT = "/limit/v2"


class LimitOrders(Protocol):
    """Orders on the chain. Every coroutine may raise `Unavailable`; a price of None is `auto`."""

    async def build_create(self, terms: LimitTerms, unit_price: int | None) -> Unsigned | LimitRefused: ...

    async def build_cancels(
        self, maker: Wallet, named: Sequence[Address] | None, unit_price: int | None
    ) -> list[Unsigned]: ...

    async def open_orders(
        self, maker: Wallet, input_mint: Mint | None = None, output_mint: Mint | None = None
    ) -> list[OpenLimitOrder]: ...

    async def decimals_of(self, mints: Sequence[Mint]) -> dict[Mint, int]: ...

    async def opened_by(self, order: OpenLimitOrder) -> Signature | None: ...


class TriggerV1Context(Struct, frozen=True):
    """What the endpoints work on."""

    orders: ClientTransactions
    limits: LimitOrders
    index: Histories
    tokens: Tokens
    price_of: Callable[[Mint], UsdPrice | None]
    clock: Clock

    async def remember(self, maker: Wallet, purpose: str, unsigned: Sequence[Unsigned]) -> RequestId:
        """Commits what the maker is about to get, and names it."""
        messages = [each.message for each in unsigned]
        request_id = translate.request_id_of(messages)
        await self.orders.remember(
            [
                Build(
                    request_id,
                    maker,
                    purpose,
                    each.order,
                    purpose == CREATES,
                    each.message,
                    each.last_valid_height,
                )
                for each in unsigned
            ],
            repeatable=purpose == CANCELS,
        )
        return request_id


class CreateResource:
    def __init__(self, context: TriggerV1Context, root: Root) -> None:
        self._context = context
        self._root = root

    @RESPONDER.answers_body
    async def on_post(self, _req: Request, body: bytes) -> Answer:
        context, asked = self._context, _CREATE.read(body)
        terms = translate.into_terms(asked, context.clock.now())
        price = translate.into_unit_price(asked.compute_unit_price, INVALID_CREATE)
        translate.check_worth(terms, context.tokens, context.price_of)
        try:
            unsigned = await context.limits.build_create(terms, price)
        except Unavailable:
            return _NO_BLOCKHASH
        if isinstance(unsigned, LimitRefused):
            return INVALID_CREATE(cause_of(unsigned))
        request_id = await context.remember(terms.maker, CREATES, [unsigned])
        if self._root is Root.LIMIT:
            return Answer(encode(LimitCreatedAnswer(order=unsigned.order, tx=unsigned.transaction)))
        created = CreatedAnswer(request_id=request_id, transaction=unsigned.transaction, order=unsigned.order)
        return Answer(encode(created))


class CancelResource:
    """`one`: with an `order`, and nothing beside it, the answer has one transaction and no list."""

    def __init__(self, context: TriggerV1Context, root: Root, *, one: bool) -> None:
        self._context = context
        self._root = root
        self._one = one

    @RESPONDER.answers_body
    async def on_post(self, _req: Request, body: bytes) -> Answer:
        context, asked = self._context, _CANCEL.read(body)
        maker, named = translate.maker_of(asked.maker), translate.into_named(asked)
        price = translate.into_unit_price(asked.compute_unit_price, INVALID_CANCEL)
        one = self._one and asked.order is not None
        if one and named is not None and len(named) > 1:
            return INVALID_CANCEL("order: expected a base58 public key of 32 bytes")
        try:
            unsigned = await context.limits.build_cancels(maker, named, price)
        except Unavailable:
            return _NO_CANCEL
        if not unsigned:
            return _NO_ORDERS
        request_id = await context.remember(maker, CANCELS, unsigned)
        return self._one_answer(request_id, unsigned[0]) if one else self._answer(request_id, unsigned)

    def _one_answer(self, request_id: RequestId, unsigned: Unsigned) -> Answer:
        transaction = unsigned.transaction
        if self._root is Root.LIMIT:
            return Answer(encode(LimitCancellingAnswer(tx=transaction)))
        return Answer(encode(CancellingAnswer(request_id=request_id, transaction=transaction, order=unsigned.order)))

    def _answer(self, request_id: RequestId, unsigned: Sequence[Unsigned]) -> Answer:
        transactions = tuple(each.transaction for each in unsigned)
        if self._root is Root.LIMIT:
            return Answer(encode(LimitCancellingManyAnswer(txs=transactions)))
        many = CancellingManyAnswer(request_id=request_id, transactions=transactions, txs=transactions)
        return Answer(encode(many))


class ExecuteResource:
    def __init__(self, context: TriggerV1Context) -> None:
        self._context = context

    @RESPONDER.answers_body
    async def on_post(self, _req: Request, body: bytes) -> Answer:
        asked = _EXECUTE.read(body)
        given = translate.request_ids_in(asked)
        if len(given) > 1:
            return _INVALID_TRANSACTION
        try:
            execution = await self._context.orders.execute(
                asked.signed_transaction, next(iter(given), None), lambda build: build.purpose in _PURPOSES
            )
        except Unavailable:  # It may be on its way all the same.
            return RESPONDER.outcome_unknown
        if isinstance(execution, NotOurs):
            return _INVALID_TRANSACTION
        if isinstance(execution, Unconfirmed):
            words = _UNCONFIRMED if execution.shortfall is None else _UNPAYABLE.format(execution.shortfall)
            return failed(500, words, signature=execution.signature)
        if execution.error is not None:
            return failed(500, execution.error, signature=execution.signature)
        return Answer(encode(ExecutedAnswer(signature=execution.signature)))


class OpenOrdersResource:
    def __init__(self, context: TriggerV1Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        asked = _OPEN_ORDERS.read(req.params)
        mints = _mint("inputMint", asked.input_mint), _mint("outputMint", asked.output_mint)
        user = _wallet(asked)
        if asked.response_v2 in ("0", "false", "False"):
            return Answer(await _array_of(chosen(await self._context.limits.open_orders(user, *mints), None)))
        total, rows = await _open_page(self._context, user, mints, asked.page)
        return Answer(encode(_page(rows, total, asked.page)))


class TriggerOrdersResource:
    def __init__(self, context: TriggerV1Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        asked = _TRIGGER_ORDERS.read(req.params)
        user = Wallet(public_key("user", asked.user, _INVALID_READ))
        mints = _mint("inputMint", asked.input_mint), _mint("outputMint", asked.output_mint)
        with_failed = asked.include_failed_tx in ("true", "True")
        if asked.order_status == "active":
            total, rows = await _open_page(self._context, user, mints, asked.page, with_failed=with_failed)
        else:
            total, rows = await _history_page(self._context, user, mints, asked.page, with_failed=with_failed)
        answer = TriggerOrdersAnswer(
            user=user,
            order_status=asked.order_status,
            orders=tuple(rows),
            total_pages=_pages(total),
            page=asked.page,
        )
        return Answer(encode(answer))


class HistoryResource:
    def __init__(self, context: TriggerV1Context, root: Root) -> None:
        self._context = context
        self._root = root

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        asked = _ORDERS.read(req.params)
        mints = _mint("inputMint", asked.input_mint), _mint("outputMint", asked.output_mint)
        total, rows = await _history_page(self._context, _wallet(asked), mints, asked.page)
        page = _page(rows, total, asked.page)
        if self._root is Root.TRIGGER:
            return Answer(encode(page))
        older = tuple(translate.narrowed(row, LimitOrderRow) for row in rows)
        return Answer(encode(LimitHistoryAnswer(orders=older, has_more_data=page.has_more_data, page=asked.page)))


async def _open_page(
    context: TriggerV1Context,
    maker: Wallet,
    mints: tuple[Mint | None, Mint | None],
    page: int,
    *,
    with_failed: bool = False,
) -> tuple[int, list[OrderRow]]:
    """How many there are, and those of the page, the newest first, each with its trades as of one instant.

    What the index does not know, since it began later, the chain may.
    """
    start = (page - 1) * ROWS_OF_A_PAGE

    async def read() -> tuple[tuple[int, list[OrderRow]], bool]:
        found = chosen(await context.limits.open_orders(maker, *mints), None)
        orders = found[::-1][start : start + ROWS_OF_A_PAGE]
        rows = await _open_rows(context, orders, with_failed=with_failed)
        return (len(found), rows), len(rows) < len(orders)

    return await as_of_one_moment(read)


async def _open_rows(
    context: TriggerV1Context, orders: Sequence[OpenLimitOrder], *, with_failed: bool
) -> list[OrderRow]:
    """One that ended since its account was read is left out."""
    told = await context.index.open_at([order.address for order in orders], with_failed=with_failed)
    named = (*orders, *(each.order for each in told.values()))
    decimals = await context.limits.decimals_of(
        [mint for each in named for mint in (each.input_mint, each.output_mint)]
    )
    unknown = await context.index.unknown([order.address for order in orders if order.address not in told])
    rows: list[OrderRow] = []
    for order in orders:
        known = told.get(order.address)
        if known is not None:
            rows.append(translate.from_told(known, decimals))
        elif order.address in unknown:
            rows.append(translate.from_open(order, decimals, await context.limits.opened_by(order)))
    return rows


async def _history_page(
    context: TriggerV1Context,
    owner: Wallet,
    mints: tuple[Mint | None, Mint | None],
    page: int,
    *,
    with_failed: bool = False,
) -> tuple[int, list[OrderRow]]:
    """How many there are, and those of the page, the ones that ended last first."""
    query = ChainHistoryQuery(
        owner=owner,
        family=ChainFamily.LIMIT,
        input_mint=mints[0],
        output_mint=mints[1],
        with_failed=with_failed,
        limit=ROWS_OF_A_PAGE,
        offset=(page - 1) * ROWS_OF_A_PAGE,
    )
    found = await context.index.history(query)
    orders = [each.order for each in found.orders]
    decimals = await context.limits.decimals_of(
        [mint for each in orders for mint in (each.input_mint, each.output_mint)]
    )
    return found.total, [translate.from_told(each, decimals) for each in found.orders]


def _pages(total: int) -> int:
    return -(-total // ROWS_OF_A_PAGE)


def _page(rows: Sequence[OrderRow], total: int, page: int) -> OrdersPage:
    flat = tuple(translate.narrowed(row, FlatOrderRow) for row in rows)
    return OrdersPage(orders=flat, total_pages=_pages(total), page=page, has_more_data=page < _pages(total))


async def _array_of(orders: Sequence[OpenLimitOrder]) -> bytes:
    """As JSON. A maker may have thousands of orders; other requests run in between."""
    parts: list[bytes] = []
    for start in range(0, len(orders), _ROWS_AT_ONCE):
        rows = [translate.from_open_order(order) for order in orders[start : start + _ROWS_AT_ONCE]]
        parts.append(encode(rows)[1:-1])
        await asyncio.sleep(0)
    return b"[" + b",".join(parts) + b"]"


def _wallet(asked: OrdersParams) -> Wallet:
    given = asked.user if asked.wallet is None else asked.wallet
    if given is None:
        raise Declined(_INVALID_READ("wallet: required"))
    return Wallet(public_key("wallet", given, _INVALID_READ))


def _mint(field: str, given: str | None) -> Mint | None:
    return None if given is None else Mint(public_key(field, given, _INVALID_READ))


def resources(context: TriggerV1Context) -> list[tuple[str, object]]:
    """What to mount, by path."""
    mounted: list[tuple[str, object]] = []
    for root in Root:
        execute = ExecuteResource(context)
        for name, resource in (
            ("createOrder", CreateResource(context, root)),
            ("execute", execute),
            ("executeOrder", execute),
            ("cancelOrder", CancelResource(context, root, one=True)),
            ("cancelOrders", CancelResource(context, root, one=False)),
            ("openOrders", OpenOrdersResource(context)),
            ("orderHistory", HistoryResource(context, root)),
            ("getTriggerOrders", TriggerOrdersResource(context)),
        ):
            mounted.append((f"{root.value}/{name}", resource))
    return mounted
