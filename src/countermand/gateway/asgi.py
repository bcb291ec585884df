"""The shapes of ASGI, and the answers that the gateway gives by itself."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

import msgspec

Scope = dict[str, Any]
Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Header = tuple[bytes, bytes]

CLOSE: Header = (b"connection", b"close")

ONLY_HEAD = "only_head"
"""In a scope's `state`: it is HEAD that was asked, so that a stream is not to begin."""

SECOND_PORT = "second_port"
"""In a scope's `state`: it came in by the port after ours."""

GONE = "gone"
"""In a scope's `state`, of a stream: an event, set once its peer has left."""


def leaving_of(scope: Scope) -> asyncio.Event:
    """Set once the peer of a stream has left, which is told from now on."""
    gone: asyncio.Event = scope.setdefault("state", {}).setdefault(GONE, asyncio.Event())
    return gone


class AsgiAnswer(msgspec.Struct, frozen=True):
    """A whole answer. An empty body has no content type."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = ()

    async def send(self, send: Send, extra: Iterable[Header] = ()) -> None:
        headers = [*self.headers, *extra]
        if self.status != HTTPStatus.NO_CONTENT:
            headers.insert(0, (b"content-length", b"%d" % len(self.body)))
        if self.body:
            headers.append((b"content-type", b"application/json"))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def gateway_answer(status: int, message: str, *headers: Header) -> AsgiAnswer:
    """In the shape of Jupiter's gateway: `{"code", "message"}`."""
    return AsgiAnswer(status, msgspec.json.encode({"code": status, "message": message}), headers)


def sandbox_answer(status: int, message: str) -> AsgiAnswer:
    """In the shape of the sandbox: `{"error"}`."""
    return AsgiAnswer(status, msgspec.json.encode({"error": message}))
