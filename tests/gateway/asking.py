"""Asks an ASGI app without a socket."""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from countermand.gateway.asgi import App, Event


@dataclass
class Reply:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    app: App,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | Iterable[bytes] | None = None,
    *,
    peer: str = "127.0.0.1",
) -> Reply:
    """A bytes body is declared; several parts come chunked."""
    sent = {"host": "127.0.0.1:8080", **(headers or {})}
    if isinstance(body, bytes):
        sent.setdefault("content-length", str(len(body)))
    elif body is not None:
        sent["transfer-encoding"] = "chunked"
    parts = _parts(body)
    reply = Reply()

    async def receive() -> Event:
        return await anext(parts)

    async def send(event: Event) -> None:
        assert not reply.ended, "an answer ends once"
        if event["type"] == "http.response.start":
            reply.status = event["status"]
            names = [name for name, _ in event["headers"]]
            assert len(names) == len(set(names)), f"a header twice: {names}"
            reply.headers = {name.decode(): value.decode() for name, value in event["headers"]}
        else:
            reply.body += event.get("body", b"")
            reply.ended = not event.get("more_body")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "client": (peer, "50000"),
        "server": ("127.0.0.1", "8080"),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }
    await app(scope, receive, send)
    return reply


async def _parts(body: bytes | Iterable[bytes] | None) -> AsyncIterator[Event]:
    for part in [body or b""] if body is None or isinstance(body, bytes) else body:
        yield {"type": "http.request", "body": part, "more_body": True}
    yield {"type": "http.request", "body": b"", "more_body": False}
    while True:
        yield {"type": "http.disconnect"}
