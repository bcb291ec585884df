"""What the console shows: requests, events, books and wallets."""

from types import MappingProxyType

from falcon.asgi import Request, Response

from countermand.gateway.asgi import ONLY_HEAD, leaving_of
from countermand.inspection import stream
from countermand.inspection.books import books_of
from countermand.inspection.queries import limit_in, parameters, shown
from countermand.orders.book.service import BookService
from countermand.sandbox import requests, wire
from countermand.sandbox.endpoints.asking import Endpoints, encode, no_body, nothing
from countermand.sandbox.reading import SandboxRefused
from countermand.sandbox.sandbox import Sandbox
from countermand.sandbox.wallets import Wallets


class RequestNotHere(SandboxRefused):
    """No request that is remembered has this number."""


class WatchingResource(Endpoints):
    PATHS = MappingProxyType(
        {
            "/sandbox/requests": "requests",
            "/sandbox/requests/{number}": "request",
            "/sandbox/events": "events",
            "/sandbox/books": "books",
            "/sandbox/wallets": "wallets",
        }
    )

    def __init__(
        self,
        sandbox: Sandbox,
        log: requests.RequestLog,
        events: stream.EventStream,
        books: BookService,
        wallets: Wallets,
    ) -> None:
        super().__init__(sandbox)
        self._log = log
        self._events = events
        self._books = books
        self._wallets = wallets

    async def on_get_requests(self, req: Request, resp: Response) -> None:
        asked_for = parameters(req.query_string, ("limit",))
        await no_body(req)
        limit = limit_in(asked_for.get("limit", "50"), requests.KEPT)
        resp.data = encode(wire.RequestsWire([self._log.shown(each, req.prefix) for each in self._log.newest(limit)]))

    async def on_get_request(self, req: Request, resp: Response, number: str) -> None:
        await nothing(req)
        known = number.isascii() and number.isdigit() and len(number) <= 18
        found = self._log.find(int(number)) if known else None
        if found is None:
            raise RequestNotHere(
                f"{shown(number)}: no request of the newest {requests.KEPT}; GET /sandbox/requests lists them"
            )
        resp.data = encode(self._log.shown(found, req.prefix))

    async def on_get_events(self, req: Request, resp: Response) -> None:
        wanted = self._events.asked(parameters(req.query_string, stream.PARAMETERS), req.get_header("last-event-id"))
        await no_body(req)
        if req.scope.get("state", {}).get(ONLY_HEAD):
            resp.content_type = "text/event-stream"
        else:
            resp.sse = self._events.open(wanted, leaving_of(req.scope))

    async def on_get_books(self, req: Request, resp: Response) -> None:
        await nothing(req)
        resp.data = encode(await books_of(self._books))

    async def on_get_wallets(self, req: Request, resp: Response) -> None:
        await nothing(req)
        resp.data = encode(await self._wallets.newest())
