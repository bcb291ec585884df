"""The endpoints of recurring orders. Each judges in this order: who asks, the id in the path, the body, the order."""

from functools import partial
from typing import Final

from falcon.asgi import Request

from countermand.answering import Answer, encode
from countermand.dialects.trigger_v2 import dca_translate, reading, translate
from countermand.dialects.trigger_v2.context import TriggerV2Context
from countermand.dialects.trigger_v2.dca_refusals import DEPOSIT, WITHDRAWAL, WORDS, refused
from countermand.dialects.trigger_v2.dca_wire import CreateDcaRequest, DcaHistoryAnswer, DcaHistoryParams
from countermand.dialects.trigger_v2.envelope import RESPONDER, error
from countermand.dialects.trigger_v2.reading import BodyReader, QueryReader
from countermand.dialects.trigger_v2.vault_routes import WITHDRAWAL_NOT_BUILT, ConfirmResource, unplaced
from countermand.dialects.trigger_v2.wire import Pagination
from countermand.dialects.trigger_v2.words import answer_of
from countermand.orders.dca.model.refusals import DcaRefusal, DcaRefused
from countermand.orders.vaults.service import DepositUnknown, NotLanded

_CREATE: Final = BodyReader(CreateDcaRequest)
_HISTORY: Final = QueryReader(DcaHistoryParams)

_NO_ORDER: Final = answer_of(WORDS[DcaRefusal.ORDER_UNKNOWN])


class DcaOrdersResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        context = self._context
        wallet = context.wallet(req)
        if context.no_creates is not None:
            return error(503, context.no_creates)
        asked = _CREATE.read(body)
        request = dca_translate.into_request(asked)
        context.check_user("userPubkey", asked.user_pubkey, wallet)
        translate.check_pair(request.input_mint, request.output_mint, context.tokens.get)
        if request.plan.band is not None:
            translate.check_trigger(request.plan.band.mint, context.tokens.get)
        known = reading.is_uuid(asked.deposit_request_id)
        placed = await context.dca.place(request) if known else DepositUnknown()
        if isinstance(placed, DcaRefused):
            return refused(placed, DEPOSIT)
        if isinstance(placed, NotLanded | DepositUnknown):
            return await unplaced(context, wallet, placed)
        return Answer(encode(dca_translate.from_placed(placed)))


class DcaCancelResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_post(self, req: Request, order_id: str) -> Answer:
        """The body is ignored, whatever it is: stopping the rounds comes first."""
        wallet = self._context.wallet(req)
        cancelling = await self._context.dca.cancel(reading.order_id(order_id), wallet)
        if isinstance(cancelling, DcaRefused):
            return refused(cancelling, WITHDRAWAL)
        if cancelling.transaction is None:
            return WITHDRAWAL_NOT_BUILT
        return Answer(encode(dca_translate.from_cancelling(cancelling, cancelling.transaction)))


class DcaHistoryResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        wallet = self._context.wallet(req)
        query = dca_translate.into_query(_HISTORY.read(req.params), wallet)
        page = await self._context.dca.history(query)
        vault = self._context.vaults.vault_of(wallet)
        orders = tuple(dca_translate.from_view(view, vault) for view in page.orders)
        pagination = Pagination(total=page.total, limit=query.limit, offset=query.offset)
        return Answer(encode(DcaHistoryAnswer(orders=orders, pagination=pagination)))


class DcaHistoryOrderResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request, order_id: str) -> Answer:
        wallet = self._context.wallet(req)
        view = await self._context.dca.order(reading.order_id(order_id))
        if view is None or view.order.terms.wallet != wallet:
            return _NO_ORDER
        return Answer(encode(dca_translate.from_view(view, self._context.vaults.vault_of(wallet))))


def resources(context: TriggerV2Context, root: str) -> list[tuple[str, object]]:
    """What to mount, by path."""
    return [
        (f"{root}/orders/dca", DcaOrdersResource(context)),
        (f"{root}/orders/dca/cancel/{{order_id}}", DcaCancelResource(context)),
        (
            f"{root}/orders/dca/confirm-cancel/{{order_id}}",
            ConfirmResource(context, context.dca, partial(refused, transaction=WITHDRAWAL)),
        ),
        (f"{root}/orders/history/dca", DcaHistoryResource(context)),
        (f"{root}/orders/history/dca/{{order_id}}", DcaHistoryOrderResource(context)),
    ]
