"""The endpoints of Recurring v1. What lands, landed: the chain decides, and these build transactions and read it."""

from typing import Final, Protocol

from falcon.asgi import Request

from countermand.answering import Answer, encode
from countermand.dialects.recurring_v1 import translate
from countermand.dialects.recurring_v1.envelope import Form, RecurringDeclined, answers, answers_body
from countermand.dialects.recurring_v1.reading import BodyReader, QueryReader, form_of_cancel
from countermand.dialects.recurring_v1.refusals import PRICE_BASED, refused
from countermand.dialects.recurring_v1.wire import (
    CancelRequest,
    CreateRequest,
    ExecutedAnswer,
    ExecuteRequest,
    InvalidAnswer,
    OrdersParams,
)
from countermand.kernel.ports import Unavailable
from countermand.orders.recurring.model.order import OPENS, OrderPage, RecurringTerms
from countermand.orders.recurring.model.refusals import RecurringRefused
from countermand.services.transactions.client_transactions import Build, Executed, Execution, NotOurs, Unconfirmed
from countermand.values.identity import Address, Mint, RequestId, Wallet

ROOT: Final = "/recurring/v1"

_CREATE: Final = BodyReader(CreateRequest)
_CANCEL: Final = BodyReader(CancelRequest)
_EXECUTE: Final = BodyReader(ExecuteRequest)
_ORDERS: Final = QueryReader(OrdersParams)

_NOT_OURS: Final = Answer(encode(InvalidAnswer()), 400)
_OUTCOME_UNKNOWN: Final = RecurringDeclined(
    "The outcome of this transaction is unknown. Please repeat the same request.", 503
)
_UNCONFIRMED: Final = "unable to confirm transaction"
_UNPAYABLE: Final = "transaction cannot be paid for: {}"
_INSUFFICIENT: Final = "Insufficient funds for the operation requested."
_CANNOT_PAY: Final = ("custom program error code: 1", "custom program error code: 6014")
"""Of the System and Token programs, and UserInsufficientBalance."""
_HAS_NO_ACCOUNT: Final = "custom program error code: 3012"
"""AccountNotInitialized. Of an opening: there is no account of the sold token. Of a closing: the order is gone."""


class Orders(Protocol):
    """Recurring orders wherever they live. Methods may raise `Unavailable`; those that build also `CommitUnknown`."""

    async def create(self, terms: RecurringTerms) -> Build | RecurringRefused: ...

    async def cancel(self, order: Address, wallet: Wallet) -> Build | RecurringRefused: ...

    async def execute(self, transaction: str, request_id: RequestId | None) -> Execution: ...

    async def open_orders(
        self, wallet: Wallet, page: int, mint: Mint | None = None, *, with_failed: bool = False
    ) -> OrderPage: ...

    async def history(
        self, wallet: Wallet, page: int, mint: Mint | None = None, *, with_failed: bool = False
    ) -> OrderPage: ...


class CreateResource:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    @answers_body
    async def on_post(self, _req: Request, body: bytes) -> Answer:
        return _built(await self._orders.create(translate.into_terms(_CREATE.read(body))), Form.NEWER)


class CancelResource:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    async def _cancel(self, _req: Request, body: bytes) -> Answer:
        order, wallet = translate.into_cancel(_CANCEL.read(body))
        return _built(await self._orders.cancel(order, wallet), form_of_cancel(body))

    on_post = answers_body(_cancel, form_of_cancel)


class ExecuteResource:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    @answers_body
    async def on_post(self, _req: Request, body: bytes) -> Answer:
        asked = _EXECUTE.read(body)
        request_id = translate.into_request_id(asked)
        try:
            execution = await self._orders.execute(asked.signed_transaction, request_id)
        except Unavailable:  # It may be on its way all the same.
            raise _OUTCOME_UNKNOWN from None
        return _executed(execution)


class PriceBasedResource:
    """Deposits to, and withdrawals from, orders that do not exist here."""

    @answers_body
    async def on_post(self, _req: Request, _body: bytes) -> Answer:
        raise RecurringDeclined(PRICE_BASED)


class OrdersResource:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    @answers
    async def on_get(self, req: Request) -> Answer:
        query = _ORDERS.read(req.params)
        number = translate.into_page(query)
        if query.recurring_type == "price":
            return Answer(encode(translate.no_price_orders(query, number)))
        mint = Mint(query.mint) if isinstance(query.mint, str) else None
        listed = self._orders.open_orders if query.order_status == "active" else self._orders.history
        page = await listed(Wallet(query.user), number, mint, with_failed=query.include_failed_tx in ("true", "True"))
        return Answer(encode(translate.from_page(query, number, page)))


def resources(orders: Orders) -> list[tuple[str, object]]:
    """What to mount, by path."""
    return [
        (f"{ROOT}/createOrder", CreateResource(orders)),
        (f"{ROOT}/execute", ExecuteResource(orders)),
        (f"{ROOT}/cancelOrder", CancelResource(orders)),
        (f"{ROOT}/priceDeposit", PriceBasedResource()),
        (f"{ROOT}/priceWithdraw", PriceBasedResource()),
        (f"{ROOT}/getRecurringOrders", OrdersResource(orders)),
    ]


def _built(built: Build | RecurringRefused, form: Form) -> Answer:
    if isinstance(built, RecurringRefused):
        raise refused(built)
    return Answer(encode(translate.from_build(built, form)))


def _executed(execution: Execution) -> Answer:
    """A failure on the chain is an answer of 200 too: the transaction was executed."""
    if isinstance(execution, NotOurs):
        return _NOT_OURS
    if isinstance(execution, Unconfirmed):
        words = _UNCONFIRMED if execution.shortfall is None else _UNPAYABLE.format(execution.shortfall)
        return _outcome(execution, words, 500)
    if execution.error is not None:
        return _outcome(execution, _words_of(execution.error, execution.build), 200)
    return _outcome(execution, None, 200)


def _words_of(error: str, build: Build) -> str:
    cannot_pay = error in _CANNOT_PAY or (error == _HAS_NO_ACCOUNT and build.purpose == OPENS)
    return _INSUFFICIENT if cannot_pay else error


def _outcome(execution: Executed | Unconfirmed, error: str | None, status: int) -> Answer:
    opened = execution.build.order if error is None and execution.build.purpose == OPENS else None
    answer = ExecutedAnswer(
        signature=execution.signature, status="Failed" if error else "Success", order=opened, error=error
    )
    return Answer(encode(answer), status)
