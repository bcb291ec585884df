"""The door: what every request passes before it reaches a dialect, and every answer on its way out."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from typing import Final

from countermand.api_keys import KeyStore
from countermand.engine.ports import Unavailable
from countermand.gateway import telemetry
from countermand.gateway.areas import Area, area_of
from countermand.gateway.asgi import Answer, App, Event, Header, Receive, Scope, Send, gateway_answer, sandbox_answer
from countermand.gateway.body import TOO_SLOW, Bodies, BodyRefused, PeerLeft, discard
from countermand.gateway.keys import INVALID, ApiKeys
from countermand.gateway.origins import PREFLIGHT, Origins, is_loopback, is_loopback_host
from countermand.gateway.rate import RateWindow
from countermand.settings import Settings

IN_FLIGHT_PER_PEER_MAX: Final = 4_096

NOT_FOUND: Final = gateway_answer(404, "Not found")
CROWDED: Final = gateway_answer(
    503, f"More than {IN_FLIGHT_PER_PEER_MAX} requests of this peer are in flight; wait for answers before sending more"
)
KEYS_UNKNOWN: Final = gateway_answer(503, "API keys cannot be looked up now. Please retry.")

NO_STRANGERS: Final = sandbox_answer(403, "/sandbox answers only to this machine")
NO_FOREIGN_HOST: Final = sandbox_answer(403, "/sandbox answers only to a loopback Host, such as 127.0.0.1 or localhost")
NO_FOREIGN_PAGE: Final = sandbox_answer(
    403, "/sandbox answers only to pages of this machine, and to the origins that --cors-origins lists"
)
NOT_JSON: Final = sandbox_answer(415, "send the body as content-type: application/json")

_NOTHING: Final[Event] = {"type": "http.request", "body": b"", "more_body": False}


class Door:
    """An ASGI app around another. `closers` are asked to end their streams when the server stops."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        *,
        keys: KeyStore | None = None,
        closers: Iterable[Callable[[], Awaitable[None]]] = (),
        clock: Callable[[], float] = time.time,
        body_seconds_max: float | None = None,
    ) -> None:
        self._app = app
        self._origins = Origins(settings.cors_origins)
        self._keys = ApiKeys(settings.api_keys, keys)
        self._window = RateWindow(clock)
        self._bodies = Bodies() if body_seconds_max is None else Bodies(body_seconds_max)
        self._closers = tuple(closers)
        self._in_flight: dict[str, int] = {}
        self._ids = count(1)
        self._boot = os.urandom(8).hex().encode()
        self._all_answered: asyncio.Event | None = None

    async def drain(self) -> None:
        """The server is about to stop: bodies that still come get a second, and streams are closed."""
        self._all_answered = asyncio.Event()
        self._bodies.hurry()
        for close in self._closers:
            await close()

    async def answered(self) -> None:
        """After `drain`: returns when no request is in flight."""
        assert self._all_answered is not None
        if self._in_flight:
            self._all_answered.clear()
            await self._all_answered.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        peer: str = scope["client"][0]
        in_flight = self._in_flight.get(peer, 0) + 1
        self._in_flight[peer] = in_flight
        try:
            await self._answer(scope, receive, send, crowded=in_flight > IN_FLIGHT_PER_PEER_MAX)
        except PeerLeft:
            pass  # Nobody waits for an answer.
        except asyncio.CancelledError:
            if self._all_answered is None:
                raise
            # The stop took too long for this one; its connection is cut, since nobody knows its outcome.
        finally:
            self._leaves(peer)

    def _leaves(self, peer: str) -> None:
        if self._in_flight[peer] > 1:
            self._in_flight[peer] -= 1
            return
        del self._in_flight[peer]
        if self._all_answered is not None and not self._in_flight:
            self._all_answered.set()

    async def _answer(self, scope: Scope, receive: Receive, send: Send, *, crowded: bool) -> None:
        path: str = scope["path"]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        area = area_of(path)
        send = self._outwards(send, area, headers.get(b"origin"))
        length = headers.get(b"content-length")
        declared = None if length is None else int(length)
        has_body = (declared is not None and declared > 0) or b"transfer-encoding" in headers
        refusal = CROWDED if crowded else self._refusal(scope, area, headers, has_body=has_body)
        if refusal is INVALID:
            refusal = await self._unlisted(scope, area, headers, has_body=has_body)
        body = b""
        if refusal is None and has_body:
            try:
                body = await self._bodies.read(receive, declared)
            except BodyRefused as refused:
                refusal = refused.answer
        if refusal is not None:
            await refusal.send(send)
            if has_body and refusal is not TOO_SLOW:
                await discard(receive)
            return
        if area.any_slash and path.endswith("/"):
            scope = {**scope, "path": path.rstrip("/")}
        await self._app(scope, _given(body, receive), send)

    def _refusal(self, scope: Scope, area: Area, headers: dict[bytes, bytes], *, has_body: bool) -> Answer | None:
        """What the door itself answers, if it does not let the request in. The order is the contract's."""
        if scope["method"] == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers:
            return PREFLIGHT
        if area.keyed:
            self._window.count()
            if not self._keys.admit(headers.get(b"x-api-key")):
                return INVALID
        return self._refusal_of_path(scope, area, headers, has_body=has_body)

    async def _unlisted(
        self, scope: Scope, area: Area, headers: dict[bytes, bytes], *, has_body: bool
    ) -> Answer | None:
        """The same for a request whose key is not listed: it may be one of the database."""
        try:
            known = await self._keys.knows(headers[b"x-api-key"])
        except Unavailable:
            return KEYS_UNKNOWN
        return self._refusal_of_path(scope, area, headers, has_body=has_body) if known else INVALID

    def _refusal_of_path(
        self, scope: Scope, area: Area, headers: dict[bytes, bytes], *, has_body: bool
    ) -> Answer | None:
        path: str = scope["path"]
        # Falcon would take `//sandbox` for `/sandbox`, and the empty segment of `/price/` for an id.
        if "//" in path or (path.endswith("/") and path != "/" and not area.any_slash):
            return NOT_FOUND
        return self._sandbox_refusal(scope, area, headers, has_body=has_body) if area.sandbox else None

    def _sandbox_refusal(
        self, scope: Scope, area: Area, headers: dict[bytes, bytes], *, has_body: bool
    ) -> Answer | None:
        """The sandbox hands out money and moves the clock: only for this machine, and for no page of elsewhere."""
        if not is_loopback(scope["client"][0]):
            return NO_STRANGERS
        if not is_loopback_host(headers.get(b"host", b"")):
            return NO_FOREIGN_HOST
        origin = headers.get(b"origin")
        if origin is not None and not self._origins.may_see(origin, area):
            return NO_FOREIGN_PAGE
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        return NOT_JSON if has_body and media_type != b"application/json" else None

    def _outwards(self, send: Send, area: Area, origin: bytes | None) -> Send:
        """What an answer gets on its way out: the headers of the gateway and of CORS."""
        extra: list[Header] = list(self._origins.headers(origin, area))
        if area.keyed:
            extra.append((b"x-api-gateway-request-id", b"%s-%012x" % (self._boot, next(self._ids))))

        def answer(event: Event) -> Awaitable[None]:
            if event["type"] == "http.response.start":
                status: int = event["status"]
                telemetry.answered(area, status)
                if area.keyed and status in {200, 429}:
                    extra.extend(self._window.headers())
                event["headers"] = [*event.get("headers", ()), *extra]
            return send(event)

        return answer


def _given(body: bytes, receive: Receive) -> Receive:
    """Gives the body in one event, then what comes after it: that the peer left."""
    given = False

    async def once() -> Event:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {**_NOTHING, "body": body}

    return once
