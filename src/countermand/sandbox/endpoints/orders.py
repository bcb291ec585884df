"""Orders as they are, whose they may be, and what an operator may do to one."""

from types import MappingProxyType

from falcon.asgi import Request, Response

from countermand.inspection.orders import PARAMETERS, OrderInspector, asked
from countermand.inspection.queries import parameters, shown
from countermand.sandbox import wire
from countermand.sandbox.endpoints.asking import Endpoints, body_of, changes, encode, no_body, nothing
from countermand.sandbox.operator import Operator
from countermand.sandbox.reading import OrderNotHere
from countermand.sandbox.sandbox import Sandbox


class OrdersResource(Endpoints):
    PATHS = MappingProxyType(
        {
            "/sandbox/orders": "orders",
            "/sandbox/orders/{order_id}": "order",
        }
    )

    def __init__(self, sandbox: Sandbox, inspector: OrderInspector, operator: Operator) -> None:
        super().__init__(sandbox)
        self._inspector = inspector
        self._operator = operator

    async def on_get_orders(self, req: Request, resp: Response) -> None:
        wanted = asked(parameters(req.query_string, PARAMETERS))
        await no_body(req)
        resp.data = encode({"orders": await self._inspector.orders(wanted)})

    async def on_get_order(self, req: Request, resp: Response, order_id: str) -> None:
        await nothing(req)
        await self._show_order(resp, order_id)

    @changes
    async def on_patch_order(self, req: Request, resp: Response, order_id: str) -> None:
        await self._operator.amend(order_id, (await body_of(req)).into(wire.AmendRequest))
        await self._show_order(resp, order_id)

    @changes
    async def on_delete_order(self, req: Request, resp: Response, order_id: str) -> None:
        await nothing(req)
        await self._operator.cancel(order_id)
        await self._show_order(resp, order_id)

    async def _show_order(self, resp: Response, order_id: str) -> None:
        found = await self._inspector.order(order_id)
        if found is None:
            raise OrderNotHere(shown(order_id))
        resp.data = encode(found)
