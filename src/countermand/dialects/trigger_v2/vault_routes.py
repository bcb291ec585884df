"""What the endpoints of trigger orders and of recurring orders answer alike: the funds of both are in vaults."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final, Generic, Protocol, TypeVar

from falcon.asgi import Request

from countermand.answering import Answer, encode
from countermand.dialects.trigger_v2 import reading
from countermand.dialects.trigger_v2.context import TriggerV2Context
from countermand.dialects.trigger_v2.envelope import RESPONDER, error
from countermand.dialects.trigger_v2.reading import BodyReader
from countermand.dialects.trigger_v2.wire import ConfirmRequest, WithdrawnAnswer
from countermand.orders.vaults.model.refusals import VaultRefused
from countermand.orders.vaults.service import ConfirmAnswer, DepositUnknown, NotLanded, Withdrawn
from countermand.values.identity import OrderId, RequestId, Wallet

_CONFIRM: Final = BodyReader(ConfirmRequest)
_NO_DEPOSIT: Final = error(400, "Deposit transaction not found in cache. Please craft a new deposit first.")
_DEPOSIT_NOT_LANDED: Final = error(500, "Deposit transaction did not land. Retry with the same depositRequestId.")
_WITHDRAWAL_NOT_LANDED: Final = error(
    500, "Withdrawal transaction did not land. Retry confirm with the same cancelRequestId."
)
WITHDRAWAL_NOT_BUILT: Final = error(
    500, "Order will not fill any more, but its withdrawal could not be built. Please initiate cancel again."
)

Refused = TypeVar("Refused", bound=VaultRefused[Enum, Enum])
Refused_co = TypeVar("Refused_co", bound=VaultRefused[Enum, Enum], covariant=True)


async def unplaced(context: TriggerV2Context, wallet: Wallet, why: NotLanded | DepositUnknown) -> Answer:
    """Why there is no order, though it was not refused."""
    if isinstance(why, NotLanded):
        return _DEPOSIT_NOT_LANDED
    registered = await context.registry.registered_at(wallet)
    return error(400, "Vault not found") if registered is None else _NO_DEPOSIT


class Confirming(Protocol[Refused_co]):
    def confirm_cancel(
        self, order_id: OrderId, wallet: Wallet, request_id: RequestId, transaction: str
    ) -> Awaitable[ConfirmAnswer[Refused_co]]: ...


class ConfirmResource(Generic[Refused]):
    """The second step of a cancel. `refused` words the refusals of the family."""

    def __init__(
        self, context: TriggerV2Context, orders: Confirming[Refused], refused: Callable[[Refused], Answer]
    ) -> None:
        self._context = context
        self._orders = orders
        self._refused = refused

    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes, order_id: str) -> Answer:
        wallet = self._context.wallet(req)
        order = reading.order_id(order_id)
        asked = _CONFIRM.read(body)
        request_id = RequestId(asked.cancel_request_id.lower())
        confirmed = await self._orders.confirm_cancel(order, wallet, request_id, asked.signed_transaction)
        match confirmed:
            case Withdrawn(signature=signature):
                return Answer(encode(WithdrawnAnswer(id=order, tx_signature=signature)))
            case NotLanded():
                return _WITHDRAWAL_NOT_LANDED
            case _:
                return self._refused(confirmed)
