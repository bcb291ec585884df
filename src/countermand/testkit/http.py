"""Requests to a sandbox: one connection, one request at a time, no event loop."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

ANSWER_S: Final = 90
"""More than the longest patience that a request can ask for."""
_IDLE_S_MAX: Final = 5
"""Half of what the venue lets a connection be silent."""

# Decimals are written as JSON numbers, digit for digit.
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_decode: Final = msgspec.json.Decoder(float_hook=Decimal).decode


class LostAnswer(Exception):
    """The connection ended before the answer was complete. What was asked for may have happened."""


class RequestRefused(Exception):
    """The venue answered with another status than 200. `body` is its JSON, or its text if it is none."""

    def __init__(self, asked: str, status: int, body: Any) -> None:
        words = body.get("error", body) if isinstance(body, dict) else body
        super().__init__(
            f"{asked} was answered with {status}: {words if isinstance(words, str) else json.dumps(words)}"
        )
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    raw: bytes
    asked: str

    @property
    def body(self) -> Any:
        """Its JSON, in which numbers with a point are decimals; or its text if it is none."""
        try:
            return _decode(self.raw)
        except msgspec.DecodeError:
            return self.raw.decode(errors="replace")

    def ok(self) -> Any:
        """The body of an answer that must be a good one. Raises `RequestRefused`."""
        if self.status != 200:
            raise RequestRefused(self.asked, self.status, self.body)
        return self.body


class Connection:
    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._connection = HTTPConnection(where.hostname or "", where.port, timeout=ANSWER_S)
        self._asked_at = 0.0

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """`body`: bytes as they are, all else as JSON. Raises `LostAnswer`."""
        sent = dict(headers or {})
        data = body if isinstance(body, bytes) or body is None else _encode(body)
        if data is not None:
            sent.setdefault("content-type", "application/json")
        now = time.monotonic()
        if now - self._asked_at > _IDLE_S_MAX:
            self._connection.close()  # The venue hangs up soon, or did.
        self._asked_at = now
        try:
            self._connection.request(method, path, data, sent)
            response = self._connection.getresponse()
            raw = response.read()
        except (HTTPException, OSError) as lost:
            self._connection.close()
            raise LostAnswer(f"{method} {path} was not answered: {lost!r}") from lost
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, answered, raw, f"{method} {path}")

    def close(self) -> None:
        self._connection.close()
