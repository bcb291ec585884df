"""Bytes to a venue and what comes back, without a client that would put them right."""

import json
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.end_to_end.venue import Venue

HOST = b"Host: 127.0.0.1\r\n"
CLOSE = b"Connection: close\r\n"
PATIENCE_S = 20
"""Longer than any limit of time that a request has."""


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer. `head` has the status line and the headers, in lower case."""

    head: str
    body: bytes
    rest: bytes
    """What came after it."""

    @property
    def status(self) -> int:
        return int(self.head.split(" ")[1])

    def header(self, name: str) -> str | None:
        found = [line.partition(":")[2].strip() for line in self.head.split("\r\n")[1:] if line.startswith(f"{name}:")]
        assert len(found) <= 1, f"{name} twice: {self.head}"
        return found[0] if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def exchange(venue: Venue, *pieces: bytes, pause_s: float = 0.05, port_after: int = 0) -> bytes:
    """All that comes until the venue hangs up. The pieces are sent one after the other."""
    with socket.create_connection((venue.host, venue.port + port_after), PATIENCE_S) as connection:
        with suppress(ConnectionError):  # It may have heard enough.
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s if len(pieces) > 1 else 0)
        return everything(connection)


def everything(connection: socket.socket) -> bytes:
    parts = []
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def answer_in(data: bytes, method: str = "GET") -> Raw:
    """The first answer of what came."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    assert separator, f"no answer: {data[:200]!r}"
    raw = Raw(head.decode("latin-1").lower(), b"", rest)
    length = 0 if method == "HEAD" or raw.status == 204 else int(raw.header("content-length") or 0)
    assert len(rest) >= length, "the answer is cut short"
    return Raw(raw.head, rest[:length], rest[length:])


def answered(venue: Venue, *pieces: bytes, method: str = "GET") -> Raw:
    return answer_in(exchange(venue, *pieces), method)


def request(method: str, path: str, *headers: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    """Asks the venue to hang up after the answer."""
    lines = b"".join(header + b"\r\n" for header in headers)
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return b"%s %s HTTP/%s\r\n%s%s%s%s\r\n" % (
        method.encode(),
        path.encode("latin-1"),
        version,
        HOST,
        CLOSE,
        length,
        lines,
    ) + (body)
