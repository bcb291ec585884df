"""What a sandbox may do to the accounts and the orders of tanX."""

from types import MappingProxyType

from falcon.asgi import Request, Response

from countermand.dialects.tanx.accounts import account_of
from countermand.dialects.tanx.auth import read_stark_key
from countermand.dialects.tanx.translate import ID_MAX
from countermand.inspection.queries import shown
from countermand.orders.book.model.ledger.amount import AMOUNT_MAX, AMOUNT_SCALE, Account, Amount
from countermand.orders.book.model.order import OrderId
from countermand.sandbox import wire
from countermand.sandbox.endpoints.asking import Endpoints, body_of, changes
from countermand.sandbox.numbers import number_in, within
from countermand.sandbox.reading import SandboxRefused
from countermand.sandbox.sandbox import Sandbox
from countermand.sandbox.tanx import TanxSandbox


class TanxResource(Endpoints):
    PATHS = MappingProxyType(
        {
            "/sandbox/tanx/credit": "credit",
            "/sandbox/tanx/stark-key": "stark_key",
            "/sandbox/tanx/cancel": "cancel",
        }
    )

    def __init__(self, sandbox: Sandbox, tanx: TanxSandbox) -> None:
        super().__init__(sandbox)
        self._tanx = tanx

    @changes
    async def on_post_credit(self, req: Request, resp: Response) -> None:
        body = (await body_of(req)).into(wire.TanxCreditRequest)
        amount = Amount(number_in("amount", body.amount, scale=AMOUNT_SCALE, bound=AMOUNT_MAX))
        if not amount.quanta:
            raise SandboxRefused("amount: must be more than nothing")
        await self._tanx.credit(_account(body.eth_address), body.currency, amount)
        self._show(resp)

    @changes
    async def on_post_stark_key(self, req: Request, resp: Response) -> None:
        body = (await body_of(req)).into(wire.TanxStarkKeyRequest)
        key = read_stark_key(body.stark_key)
        if key is None:
            raise SandboxRefused("stark_key: send 0x and the x of a point on the Stark curve in hexadecimal")
        await self._tanx.register_key(_account(body.eth_address), key)
        self._show(resp)

    @changes
    async def on_post_cancel(self, req: Request, resp: Response) -> None:
        body = (await body_of(req)).into(wire.TanxCancelRequest)
        await self._tanx.cancel(OrderId(within("order_id", body.order_id, 1, ID_MAX)))
        self._show(resp)


def _account(eth_address: str) -> Account:
    account = account_of(eth_address)
    if account is None:
        raise SandboxRefused(
            f"eth_address: {shown(eth_address)!r} is no Ethereum address: 0x and 40 hexadecimal digits"
        )
    return account
