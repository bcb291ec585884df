"""The newest requests of the dialects, with what they were answered: bounded, and in memory alone."""

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from countermand.base64_text import bytes_of
from countermand.gateway.asgi import Event, Scope, Send
from countermand.inspection.bell import Bell
from countermand.inspection.queries import printable
from countermand.inspection.stream import Feed, News
from countermand.sandbox.redaction import as_curl, shown_body, shown_headers, shown_query, url_of
from countermand.sandbox.wire import RequestSummaryWire, RequestWire
from countermand.solana.alterations import alteration_of
from countermand.solana.port import PACKET_BYTES_MAX
from countermand.solana.wire import MalformedTransaction, WireTransaction, read_transaction

KEPT: Final = 1_000
_TOLD_AT_ONCE: Final = 256
BODY_BYTES_KEPT: Final = 16 * 1024
"""Of each body. Of a longer one the beginning is kept."""
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SIGNED: Final = (
    ("depositSignedTx", ("depositRequestId",)),
    ("signedTransaction", ("cancelRequestId", "requestId", "id")),
)
"""Where requests have a signed transaction, and the id under which it was built."""
_BUILT: Final = ("transaction", "tx", "transactions", "txs")
_BUILT_UNDER: Final = ("requestId", "id")
_COMPARED_MAX: Final = 32
_REFUSED: Final = 400


class RecordedRequest(msgspec.Struct):
    """`answer`: what of the answer's body went out. `is_whole` false: the connection was cut before its end."""

    number: int
    at: int
    method: str
    path: str
    query: str
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    body_bytes: int = 0
    status: int | None = None
    answer: bytes = b""
    answer_bytes: int = 0
    is_whole: bool = False
    microseconds: int = 0


class _Exchange:
    """Implements `gateway.watching.Exchange`."""

    def __init__(self, recorded: RecordedRequest, keep: Callable[[RecordedRequest], None]) -> None:
        self._recorded = recorded
        self._keep = keep
        self._began_ns = time.monotonic_ns()

    def has_body(self, body: bytes) -> None:
        self._recorded.body, self._recorded.body_bytes = body[:BODY_BYTES_KEPT], len(body)

    def watching(self, send: Send) -> Send:
        async def watched(event: Event) -> None:
            self._sees(event)
            await send(event)

        return watched

    def _sees(self, event: Event) -> None:
        recorded = self._recorded
        if event["type"] == "http.response.start":
            recorded.status = event["status"]
        elif event["type"] == "http.response.body":
            part: bytes = event.get("body", b"")
            recorded.answer += part[: BODY_BYTES_KEPT - len(recorded.answer)]
            recorded.answer_bytes += len(part)
            recorded.is_whole = not event.get("more_body", False)

    def ends(self) -> None:
        self._recorded.microseconds = (time.monotonic_ns() - self._began_ns) // 1_000
        self._keep(self._recorded)


class RequestLog:
    """Implements `gateway.watching.RequestObserver`. `now`: the venue's clock."""

    def __init__(self, now: Callable[[], int], bell: Bell, kept: int = KEPT) -> None:
        self._now = now
        self._bell = bell
        self._newest: deque[RecordedRequest] = deque(maxlen=kept)
        self._number = 0

    def __call__(self, scope: Scope) -> _Exchange:
        self._number += 1
        query = scope.get("query_string", b"").decode("latin-1")
        headers = list(scope["headers"])
        recorded = RecordedRequest(self._number, self._now(), scope["method"], scope["path"], query, headers)
        return _Exchange(recorded, self._take)

    def _take(self, recorded: RecordedRequest) -> None:
        self._newest.append(recorded)
        self._bell.ring()

    def forget(self) -> None:
        """Their numbers go on."""
        self._newest.clear()

    def newest(self, limit: int) -> Iterator[RecordedRequest]:
        """The newest first, as they were answered."""
        for recorded, _ in zip(reversed(self._newest), range(limit), strict=False):
            yield recorded

    def after(self, recorded: RecordedRequest | None, limit: int) -> list[RecordedRequest]:
        """The newest of those that were answered after it, the oldest first."""
        found: list[RecordedRequest] = []
        for each in self.newest(limit):
            if each is recorded:
                break
            found.append(each)
        found.reverse()
        return found

    @property
    def feed(self) -> Feed:
        return Feed(self._follow)

    def _follow(self) -> News:
        read = next(self.newest(1), None)

        def news() -> Iterator[tuple[str, bytes]]:
            nonlocal read
            for recorded in self.after(read, _TOLD_AT_ONCE):
                read = recorded
                yield "request", msgspec.json.encode(summary(recorded))

        return news

    def find(self, number: int) -> RecordedRequest | None:
        return next((each for each in self._newest if each.number == number), None)

    # --- as they are shown

    def shown(self, recorded: RecordedRequest, base_url: str) -> RequestWire:
        """Nothing secret is in it."""
        headers = shown_headers(recorded.headers)
        query, body = shown_query(recorded.query), shown_body(recorded.body)
        url = url_of(base_url, recorded.path, query)
        return RequestWire(
            number=recorded.number,
            at=recorded.at,
            method=recorded.method,
            path=recorded.path,
            query=query,
            status=recorded.status,
            microseconds=recorded.microseconds,
            order_id=order_of(recorded),
            cut=not recorded.is_whole,
            headers=headers,
            body=body,
            body_bytes=recorded.body_bytes,
            answer=shown_body(recorded.answer),
            answer_bytes=recorded.answer_bytes,
            curl=as_curl(recorded.method, url, headers, body),
            altered=self._alteration(recorded),
        )

    def _alteration(self, recorded: RecordedRequest) -> Mapping[str, object] | None:
        """How the transaction that came signed differs from the one that was built. None: it does not, or has none."""
        body = _json(recorded.body)
        for field, names in _SIGNED:
            signed = body.get(field)
            if isinstance(signed, str):
                asked = next((body[name] for name in names if isinstance(body.get(name), str)), None)
                if asked is not None:
                    return _difference(self._built(asked), signed)
                return _difference(self._given(signed), signed) if recorded.status == _REFUSED else None
        return None

    def _built(self, request_id: str) -> list[str]:
        """The transactions that an answer gave under this id; the newest, since a repeated cancel builds anew."""
        mark = request_id.lower().encode()
        for each in reversed(self._newest):
            if mark in each.answer.lower():
                answer = _json(each.answer)
                if mark in {str(answer.get(name, "")).lower().encode() for name in _BUILT_UNDER}:
                    return _transactions(answer)
        return []

    def _given(self, signed: str) -> list[str]:
        """Without an id: the newest that one of its signers was given."""
        signers = _signers(signed)
        answers = (_json(each.answer) for each in reversed(self._newest))
        given = (built for answer in answers for built in _transactions(answer) if signers & _signers(built))
        return list(islice(given, _COMPARED_MAX))


def summary(recorded: RecordedRequest) -> RequestSummaryWire:
    return RequestSummaryWire(
        number=recorded.number,
        at=recorded.at,
        method=recorded.method,
        path=recorded.path,
        status=recorded.status,
        microseconds=recorded.microseconds,
        order_id=order_of(recorded),
        cut=not recorded.is_whole,
    )


def order_of(recorded: RecordedRequest) -> str | None:
    """The order that the request was about, or that came of it."""
    last = recorded.path.rstrip("/").rpartition("/")[2]
    if _UUID.fullmatch(last):
        return last.lower()
    answer, body = _json(recorded.answer), _json(recorded.body)
    payload = answer.get("payload")
    places = (
        (answer, ("order", "id", "orderId")),
        (payload if isinstance(payload, dict) else {}, ("id", "order_id")),
        (body, ("order", "order_id")),
    )
    named = (place.get(field) for place, fields in places for field in fields)
    return next(
        (printable(str(each)) for each in named if isinstance(each, str | int) and str(each) not in ("", "True")), None
    )


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body) if body[:1] == b"{" else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _transactions(answer: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for name in _BUILT:
        value = answer.get(name)
        found += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
    return found


def _difference(built: list[str], signed: str) -> Mapping[str, object] | None:
    """From the one that it is most like: the transactions of a cancel of many share one id."""
    wire = _read(signed)
    messages = [found.message_bytes for each in built if (found := _read(each)) is not None]
    if wire is None:
        return {"transaction": "it cannot be read"} if built else None
    if not messages or wire.message_bytes in messages:
        return None
    alterations = [alteration_of(each, wire.message_bytes) for each in messages[:_COMPARED_MAX]]
    return min(alterations, key=lambda each: len(str(each.differences))).differences


def _signers(transaction: str) -> frozenset[str]:
    wire = _read(transaction)
    if wire is None:
        return frozenset()
    return frozenset(map(str, wire.static_keys[: wire.message.header.num_required_signatures]))


def _read(transaction: str) -> WireTransaction | None:
    raw = bytes_of(transaction, PACKET_BYTES_MAX)
    try:
        return None if raw is None else read_transaction(raw)
    except MalformedTransaction:
        return None
