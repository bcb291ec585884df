"""The HTTP gateway: every request passes it before it reaches a dialect, and every answer on its way out."""

import asyncio
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import count
from typing import Final

import falcon

from countermand.api_keys import KeyStore
from countermand.gateway import telemetry
from countermand.gateway.areas import Area, area_of
from countermand.gateway.asgi import (
    CLOSE,
    ONLY_HEAD,
    SECOND_PORT,
    App,
    AsgiAnswer,
    Event,
    Header,
    Receive,
    Scope,
    Send,
    sandbox_answer,
)
from countermand.gateway.body import Bodies, BodyMalformed, BodyRefused, PeerLeft
from countermand.gateway.handshakes import refusing_by_status
from countermand.gateway.keys import INVALID, ApiKeys
from countermand.gateway.origins import Origins, is_loopback, is_loopback_host, is_preflight
from countermand.gateway.rate import RateWindow
from countermand.gateway.shapes import refused_before, shaped
from countermand.gateway.text import problem_of_body, problem_of_path, problem_of_query
from countermand.gateway.watching import RequestObserver, WatchedRequest, unobserved
from countermand.kernel.ports import Unavailable
from countermand.settings import Settings

IN_FLIGHT_PER_PEER_MAX: Final = 4_096

CROWDED: Final = (
    f"More than {IN_FLIGHT_PER_PEER_MAX} requests of this peer are in flight; wait for answers before sending more"
)
KEYS_UNKNOWN: Final = "API keys cannot be looked up now. Please retry."

NO_STRANGERS: Final = sandbox_answer(403, "/sandbox answers only to this machine")
NO_FOREIGN_HOST: Final = sandbox_answer(403, "/sandbox answers only to a loopback Host, such as 127.0.0.1 or localhost")
NO_PROXY: Final = sandbox_answer(
    403,
    "this request came through a proxy, and /sandbox would answer all that the proxy serves; "
    "if that is wanted, start the venue with --trust-proxy (COUNTERMAND_TRUST_PROXY=true)",
)
NO_FOREIGN_PAGE: Final = sandbox_answer(
    403, "/sandbox answers only to pages of this machine, and to the origins that --cors-origins lists"
)
NOT_JSON: Final = sandbox_answer(415, "send the body as content-type: application/json")
ALL_METHODS: Final = AsgiAnswer(204, b"", ((b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),))

_NOTHING: Final[Event] = {"type": "http.request", "body": b"", "more_body": False}
_PROXY_SAYS: Final = re.compile(
    rb".*(forwarded|client[-_]?ip|real[-_]ip|connecting[-_]ip|remote[-_]addr|external[-_]address).*|via|cdn-loop|cf-ray"
)
"""The headers by which proxies tell whose request they pass on, as nginx, Envoy and the large networks name them."""
_RPC: Final = "/rpc"
_NO_ROUTE_HAS: Final = "TRACE"
"""Falcon knows no method but the usual ones; one that no path has gets the answer that any other should."""


class HttpGateway:
    """An ASGI app around another. `closers` are asked to end their streams when the server stops.

    `observe` is shown every request of the dialects, and what it was answered.
    """

    def __init__(
        self,
        app: App,
        settings: Settings,
        *,
        keys: KeyStore | None = None,
        closers: Iterable[Callable[[], Awaitable[None]]] = (),
        observe: RequestObserver = unobserved,
        clock: Callable[[], float] = time.time,
        body_seconds_max: float | None = None,
    ) -> None:
        self._app = app
        self._origins = Origins(settings.cors_origins)
        self._trusts_proxy = settings.trust_proxy
        self._keys = ApiKeys(settings.api_keys, keys)
        self._window = RateWindow(clock)
        self._bodies = Bodies() if body_seconds_max is None else Bodies(body_seconds_max)
        self._closers = tuple(closers)
        self._observe = observe
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
            await self._app(_rpc_at_its_other_paths(scope), receive, refusing_by_status(scope, send))
            return
        peer: str = scope["client"][0]
        in_flight = self._in_flight.get(peer, 0) + 1
        self._in_flight[peer] = in_flight
        try:
            await self._answer(scope, receive, send, crowded=in_flight > IN_FLIGHT_PER_PEER_MAX)
        except PeerLeft:
            pass  # No client waits for an answer.
        except asyncio.CancelledError:
            if self._all_answered is None:
                raise
            # The stop took too long for this one; its connection is cut, since its outcome is unknown.
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
        watched = self._observe(scope) if area.dialect else None
        if watched is None:
            await self._answer_in(area, headers, None, scope, receive, send, crowded=crowded)
            return
        try:
            await self._answer_in(area, headers, watched, scope, receive, watched.watching(send), crowded=crowded)
        finally:
            watched.ends()

    async def _answer_in(
        self,
        area: Area,
        headers: dict[bytes, bytes],
        watched: WatchedRequest | None,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        crowded: bool,
    ) -> None:
        path: str = scope["path"]
        preflight = self._origins.preflight(headers, area) if is_preflight(scope["method"], headers) else None
        origin = None if preflight else headers.get(b"origin")
        send = self._outwards(send, scope, area, origin, preflight=preflight is not None)
        length = headers.get(b"content-length")
        has_body = b"transfer-encoding" in headers or length not in (None, b"0")
        if crowded:
            refusal: AsgiAnswer | None = refused_before(path, 503, CROWDED)
        else:
            refusal = preflight or self._refusal(scope, area, headers, has_body=has_body)
        if refusal is INVALID:
            refusal = await self._unlisted(scope, area, headers, has_body=has_body)
        body = b""
        if refusal is None and has_body:
            try:
                body = await self._bodies.read(receive, None if length is None else int(length))
                if watched is not None:
                    watched.has_body(body)
                # These two judge their bodies themselves, in their own words.
                judged_there = area.sandbox or path.startswith(_RPC)
                problem = None if judged_there else problem_of_body(body, headers)
                refusal = None if problem is None else shaped(path, 400, problem)
            except BodyMalformed:
                refusal = shaped(path, 400, "The body is not what its headers say: a chunk is malformed", CLOSE)
            except BodyRefused as refused:
                refusal = refused.answer(path)
        if refusal is not None:
            await refusal.send(send)
            return
        await self._app(_as_routed(scope, area), _given(body, receive), send)

    def _refusal(self, scope: Scope, area: Area, headers: dict[bytes, bytes], *, has_body: bool) -> AsgiAnswer | None:
        """The gateway's own answer, if it does not let the request in. The order is the contract's."""
        if area.sandbox and (refusal := self._sandbox_refusal(scope, area, headers, has_body=has_body)):
            return refusal
        if area.keyed:
            self._window.count()
            if not self._keys.admit(headers.get(b"x-api-key")):
                return INVALID
        return self._refusal_of_target(scope, area, headers, has_body=has_body)

    async def _unlisted(
        self, scope: Scope, area: Area, headers: dict[bytes, bytes], *, has_body: bool
    ) -> AsgiAnswer | None:
        """The same for a request whose key is not listed: it may be one of the database."""
        try:
            known = await self._keys.knows(headers[b"x-api-key"])
        except Unavailable:
            return refused_before(scope["path"], 503, KEYS_UNKNOWN)
        return self._refusal_of_target(scope, area, headers, has_body=has_body) if known else INVALID

    def _refusal_of_target(
        self, scope: Scope, area: Area, headers: dict[bytes, bytes], *, has_body: bool
    ) -> AsgiAnswer | None:
        path: str = scope["path"]
        if refusal := _malformed(scope, area, headers, has_body=has_body):
            return refusal
        if path == "*" and scope["method"] == "OPTIONS":
            return ALL_METHODS
        # Falcon would take `//sandbox` for `/sandbox`, and the empty segment of `/price/` for an id.
        if "//" in path or (path.endswith("/") and path not in ("/", f"{_RPC}/") and not area.any_slash):
            return refused_before(path, 404, "Not found")
        return None

    def _sandbox_refusal(
        self, scope: Scope, area: Area, headers: dict[bytes, bytes], *, has_body: bool
    ) -> AsgiAnswer | None:
        """The sandbox hands out money and moves the clock: only for this machine, and for no page of elsewhere."""
        if not is_loopback(scope["client"][0]):
            return NO_STRANGERS
        if _hosts(scope, headers) != 1 or not is_loopback_host(headers.get(b"host", b"")):
            return NO_FOREIGN_HOST
        if not self._trusts_proxy and any(map(_PROXY_SAYS.fullmatch, headers)):
            return NO_PROXY
        origin = headers.get(b"origin")
        if origin is not None and not self._origins.may_see(origin, area):
            return NO_FOREIGN_PAGE
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        return NOT_JSON if has_body and media_type != b"application/json" else None

    def _outwards(self, send: Send, scope: Scope, area: Area, origin: bytes | None, *, preflight: bool) -> Send:
        """What an answer gets on its way out: the headers of the gateway and of CORS."""
        method: str = scope["method"]
        began_ns = time.monotonic_ns()
        extra: list[Header] = [] if preflight else list(self._origins.headers(origin, area))
        if area.keyed:
            extra.append((b"x-api-gateway-request-id", b"%s-%012x" % (self._boot, next(self._ids))))

        def answer(event: Event) -> Awaitable[None]:
            if event["type"] == "http.response.start":
                if method == "OPTIONS" and event["status"] == 200:
                    event = {"type": event["type"], "status": 204, "headers": _only_allow(event["headers"])}
                status: int = event["status"]
                telemetry.answered(area, status)
                telemetry.request_answered(method, scope["path"], status, began_ns)
                headers = event.get("headers", ())
                if area.keyed and status in {200, 429} and not _says_limits(headers):
                    extra.extend(self._window.exhausted() if status == 429 else self._window.headers())
                event["headers"] = [*(_with_head(headers) if status in {204, 405} else headers), *extra]
            elif method == "HEAD":
                event = {**event, "body": b""}
            return send(event)

        return answer


def _says_limits(headers: Iterable[Header]) -> bool:
    """Whether an answer has limits of its own, as the sandbox's fault `strict` gives it."""
    return any(name == b"x-ratelimit-reset" for name, _ in headers)


def _hosts(scope: Scope, headers: Mapping[bytes, bytes]) -> int:
    """How many `Host` headers there are. Mostly no header is there twice."""
    listed = scope["headers"]
    return int(b"host" in headers) if len(listed) == len(headers) else sum(name == b"host" for name, _ in listed)


def _malformed(scope: Scope, area: Area, headers: Mapping[bytes, bytes], *, has_body: bool) -> AsgiAnswer | None:
    """What is no proper request, whichever API it is for. The body is not read yet."""
    path: str = scope["path"]
    if (hosts := _hosts(scope, headers)) > 1 or (hosts == 0 and scope.get("http_version", "1.1") != "1.0"):
        return shaped(path, 400, f"One Host header is expected, got {hosts}", CLOSE)
    length = headers.get(b"content-length")
    if length is not None and (not (length.isascii() and length.isdigit()) or b"transfer-encoding" in headers):
        return shaped(path, 400, "The length of the body is malformed, or told twice", CLOSE)
    problem = problem_of_query(scope.get("query_string", b""))
    if problem is None and not area.dialect:  # Theirs name orders by numbers and UUIDs, and judge what is neither.
        problem = problem_of_path(scope.get("raw_path") or path.encode())
    if problem is not None:
        return shaped(path, 400, problem)
    coding = headers.get(b"content-encoding", b"identity").strip().lower()
    if has_body and coding not in (b"identity", b""):
        message = "The body is compressed (content-encoding); send it as it is"
        return shaped(path, 415, message, (b"accept-encoding", b"identity"))
    return None


def _as_routed(scope: Scope, area: Area) -> Scope:
    """A request as the app is to see it: HEAD is a GET whose body stays here, and every path has one spelling."""
    method, path = scope["method"], scope["path"]
    if method == "HEAD":
        scope = {**scope, "method": "GET", "state": {**scope.get("state", {}), ONLY_HEAD: True}}
    elif method not in falcon.COMBINED_METHODS:
        scope = {**scope, "method": _NO_ROUTE_HAS}
    if area.any_slash and path.endswith("/"):
        return {**scope, "path": path.rstrip("/")}
    return {**scope, "path": _RPC} if path == "/" and method == "POST" else _rpc_at_its_other_paths(scope)


def _rpc_at_its_other_paths(scope: Scope) -> Scope:
    """`/rpc/`; and web3.js, told `http://host:port`, looks for the WebSocket at `/` of the next port."""
    at_root = scope["path"] == "/" and scope["type"] == "websocket" and scope.get("state", {}).get(SECOND_PORT)
    return {**scope, "path": _RPC} if at_root or scope["path"] == f"{_RPC}/" else scope


def _only_allow(headers: Iterable[Header]) -> list[Header]:
    return [(name, value) for name, value in headers if name == b"allow"]


def _with_head(headers: Iterable[Header]) -> list[Header]:
    """Where GET is allowed, HEAD is; OPTIONS is everywhere."""
    return [(name, _all_allowed(value) if name == b"allow" else value) for name, value in headers]


def _all_allowed(allowed: bytes) -> bytes:
    methods = [method.strip() for method in allowed.split(b",") if method.strip()]
    heads = [b"HEAD"] if b"GET" in methods else []
    return b", ".join(dict.fromkeys([*methods, *heads, b"OPTIONS"]))


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
