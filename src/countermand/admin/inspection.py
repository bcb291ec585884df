"""`/admin/…`: a venue as its operator sees it. Nothing here changes anything."""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final

import msgspec
from falcon.asgi import Request, Response, SSEvent

from countermand.admin.authenticator import AdminAuthenticator
from countermand.admin.envelope import RESPONDER, decline_any_query, declining, error
from countermand.answering import Answer, Declined, encode
from countermand.api_keys import Scope
from countermand.gateway.asgi import ONLY_HEAD, leaving_of
from countermand.inspection import price_history, stream
from countermand.inspection.books import books_of
from countermand.inspection.orders import PARAMETERS, OrderInspector, asked
from countermand.inspection.price_history import PriceHistory
from countermand.inspection.queries import limit_in, parameters, shown
from countermand.inspection.stream import EventStream
from countermand.inspection.wire import TokenWire
from countermand.kernel.ports import Unavailable
from countermand.orders.book.service import BookService
from countermand.services.tokens import TokenRegistry
from countermand.values.identity import Mint
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice, dollars

_CHECKED_S: Final = 10
"""How often the key of a stream is looked at again: one that is revoked ends it."""


class VenueChainWire(msgspec.Struct):
    """`slot` null: the node has not said one yet."""

    slot: int | None


class VenueWire(msgspec.Struct):
    """`missing`: what this venue lacks, so that some orders never fill."""

    now: int
    tokens: list[TokenWire]
    chain: VenueChainWire
    missing: list[str]


class VenueInspection:
    """What the responders show, of which each asks for the key first."""

    def __init__(
        self,
        orders: OrderInspector,
        prices: PriceHistory,
        events: EventStream,
        books: BookService,
        tokens: TokenRegistry,
        price_of: Callable[[Mint], UsdPrice | None],
        now: Callable[[], Instant],
        slot: Callable[[], int | None],
        missing: Callable[[], Sequence[str]],
    ) -> None:
        self.orders = orders
        self.prices = prices
        self.events = events
        self.books = books
        self.tokens = tokens
        self._price_of = price_of
        self._now = now
        self._slot = slot
        self._missing = missing

    def shown(self) -> VenueWire:
        tokens = [
            TokenWire(each.symbol, each.mint, each.decimals, None if price is None else dollars(price))
            for each, price in ((each, self._price_of(each.mint)) for each in self.tokens.all())
        ]
        return VenueWire(self._now(), tokens, VenueChainWire(self._slot()), list(self._missing()))


class InspectionResource:
    def __init__(self, authenticator: AdminAuthenticator, venue: VenueInspection) -> None:
        self._authenticator = authenticator
        self._venue = venue

    @RESPONDER.answers
    async def on_get_venue(self, req: Request) -> Answer:
        await self._admit(req)
        decline_any_query(req)
        return Answer(encode(self._venue.shown()))

    @RESPONDER.answers
    async def on_get_orders(self, req: Request) -> Answer:
        await self._admit(req)
        with declining():
            wanted = asked(parameters(req.query_string, PARAMETERS))
        return Answer(encode({"orders": await self._venue.orders.orders(wanted)}))

    @RESPONDER.answers
    async def on_get_order(self, req: Request, order_id: str) -> Answer:
        await self._admit(req)
        decline_any_query(req)
        found = await self._venue.orders.order(order_id)
        if found is None:
            return error(404, "not_found", f"{shown(order_id)}: no order of this venue; GET /admin/orders lists them")
        return Answer(encode(found))

    @RESPONDER.answers
    async def on_get_prices(self, req: Request, token: str) -> Answer:
        await self._admit(req)
        with declining():
            limit = limit_in(parameters(req.query_string, ("limit",)).get("limit", "1000"), price_history.KEPT)
        try:
            mint = self._venue.tokens.named(token).mint
        except ValueError as flaw:
            return error(404, "not_found", str(flaw))
        return Answer(encode(self._venue.prices.shown(mint, limit)))

    @RESPONDER.answers
    async def on_get_books(self, req: Request) -> Answer:
        await self._admit(req)
        decline_any_query(req)
        return Answer(encode(await books_of(self._venue.books)))

    async def on_get_events(self, req: Request, resp: Response) -> None:
        await RESPONDER.respond(self._opened(req, resp), req, resp)

    async def _opened(self, req: Request, resp: Response) -> Answer:
        await self._admit(req)
        events = self._venue.events
        with declining():
            given = parameters(req.query_string, stream.PARAMETERS)
            wanted = events.asked(given, req.get_header("last-event-id"))
            if not req.scope.get("state", {}).get(ONLY_HEAD):
                resp.sse = self._while_admitted(req, events.open(wanted, leaving_of(req.scope)))
        resp.content_type = "text/event-stream"
        return Answer(b"")

    async def _while_admitted(
        self, req: Request, events: AsyncGenerator[SSEvent | None, None]
    ) -> AsyncGenerator[SSEvent | None, None]:
        checked = time.monotonic()
        async with aclosing(events):
            async for event in events:
                if time.monotonic() - checked >= _CHECKED_S:
                    checked = time.monotonic()
                    if not await self._is_admitted(req):
                        return
                yield event

    async def _is_admitted(self, req: Request) -> bool:
        """While the database does not answer, who was admitted stays so."""
        try:
            await self._admit(req)
        except Declined:
            return False
        except Unavailable:
            return True
        return True

    async def _admit(self, req: Request) -> None:
        await self._authenticator.require(req, Scope.ADMIN)


PATHS: Final = (
    ("/admin/venue", "venue"),
    ("/admin/orders", "orders"),
    ("/admin/orders/{order_id}", "order"),
    ("/admin/prices/{token}", "prices"),
    ("/admin/books", "books"),
    ("/admin/events", "events"),
)
"""What to mount: the path, and the suffix of its responders."""
