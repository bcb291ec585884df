"""Where each endpoint of the sandbox is, and the errors that all of them answer alike."""

from collections.abc import Sequence
from typing import Any, Final

import falcon
from falcon.asgi import Request, Response

from countermand.inspection.queries import QueryRefused
from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.sandbox.endpoints.asking import Endpoints, encode
from countermand.sandbox.endpoints.makers import MakersResource
from countermand.sandbox.endpoints.orders import OrdersResource
from countermand.sandbox.endpoints.playback import PlaybackResource
from countermand.sandbox.endpoints.prices import PricesResource
from countermand.sandbox.endpoints.snapshots import SnapshotsResource
from countermand.sandbox.endpoints.state import StateResource
from countermand.sandbox.endpoints.tanx import TanxResource
from countermand.sandbox.endpoints.watching import RequestNotHere, WatchingResource
from countermand.sandbox.faucet import FaucetRefused
from countermand.sandbox.reading import OrderNotHere
from countermand.sandbox.snapshots import SnapshotNotHere
from countermand.solana.port import ChainUnavailable

_RESOURCES: Final[Sequence[type[Endpoints]]] = (
    StateResource,
    PricesResource,
    PlaybackResource,
    SnapshotsResource,
    TanxResource,
    MakersResource,
    OrdersResource,
    WatchingResource,
)
PATHS: Final = [path for resource in _RESOURCES for path in resource.PATHS]


def mount(app: "falcon.asgi.App[Request, Response]", resources: Sequence[Endpoints]) -> None:
    """One of each."""
    assert {*map(type, resources)} == {*_RESOURCES}, "an endpoint of the sandbox is missing, or new"
    for resource in resources:
        for path, suffix in resource.PATHS.items():
            app.add_route(path, resource, suffix=suffix)
    for refused in (QueryRefused, FaucetRefused):
        app.add_error_handler(refused, _bad_request)
    for missing in (OrderNotHere, RequestNotHere, SnapshotNotHere):
        app.add_error_handler(missing, _not_here)
    for unavailable in (ChainUnavailable, Unavailable, CommitUnknown):
        app.add_error_handler(unavailable, _unavailable)


async def _bad_request(_req: Request, resp: Response, error: Exception, _params: dict[str, Any]) -> None:
    resp.status = falcon.HTTP_400
    resp.data = encode({"error": str(error)})


async def _not_here(_req: Request, resp: Response, error: Exception, _params: dict[str, Any]) -> None:
    resp.status = falcon.HTTP_404
    resp.data = encode({"error": str(error)})


async def _unavailable(_req: Request, resp: Response, error: Exception, _params: dict[str, Any]) -> None:
    resp.status = falcon.HTTP_503
    resp.data = encode({"error": str(error)})
