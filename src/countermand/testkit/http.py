"""Requests to a sandbox: one at a time on a connection, no event loop."""

import json
import os
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
"""Much less than the venue lets a connection be silent."""

# Decimals are written as JSON numbers, digit for digit.
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_decode: Final = msgspec.json.Decoder(float_hook=Decimal).decode


class LostAnswer(Exception):
    """The connection ended before the answer was complete. What was asked for may have happened."""


class RequestRefused(Exception):
    """The venue answered with another status than 200. `body` is its JSON, or its text if it is none."""

    def __init__(self, asked: str, status: int, body: Any) -> None:
        super().__init__(f"{asked} was answered with {status}: {_words(body)}")
        self.status = status
        self.body = body


def _words(body: Any) -> str:
    """What an error says, and what it says of single fields."""
    fields = body if isinstance(body, dict) else {}
    words = fields.get("error", body)
    details, cause = fields.get("details"), fields.get("cause")
    told = [f"{name}: {why}" for name, why in details.items()] if isinstance(details, dict) else []
    told += [str(cause)] if cause else []
    said = words if isinstance(words, str) else json.dumps(words, default=str)
    return f"{said} ({'; '.join(told)})" if told else said


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
    """To one sandbox. Threads that ask at once have one each, and a process that was forked has its own: on a shared
    one they would read each other's answers."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._where = (where.hostname or "", where.port)
        self._idle: list[tuple[HTTPConnection, float]] = []
        """And since when."""
        self._process = os.getpid()

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """`body`: bytes as they are, all else as JSON. Raises `LostAnswer`."""
        sent = dict(headers or {})
        data = body if isinstance(body, bytes) or body is None else _encode(body)
        if data is not None:
            sent.setdefault("content-type", "application/json")
        connection = self._taken()
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            raw = response.read()
        except BaseException as lost:
            connection.close()
            if isinstance(lost, HTTPException | OSError):
                raise LostAnswer(f"{method} {path} was not answered: {lost!r}") from lost
            raise
        self._idle.append((connection, time.monotonic()))
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, answered, raw, f"{method} {path}")

    def close(self) -> None:
        idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _taken(self) -> HTTPConnection:
        """It opens with a request."""
        if self._process != os.getpid():
            self.close()  # As far as the fork is concerned: its parent goes on with them.
            self._process = os.getpid()
        try:
            connection, since = self._idle.pop()
        except IndexError:
            return HTTPConnection(*self._where, timeout=ANSWER_S)
        if time.monotonic() - since > _IDLE_S_MAX:
            connection.close()  # The venue hangs up soon, or did.
        return connection
