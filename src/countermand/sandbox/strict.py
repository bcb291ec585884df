"""The fault `strict`: the weaknesses of the original services, by name. Bots that pass here must not fail there.

An app around the dialects, behind the gateway, that answers some requests as the originals do, and changes some
answers. It asks the venue itself, as the client could, for what it must know. Times are the wall clock's.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from itertools import count
from math import ceil
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from countermand.gateway.areas import area_of
from countermand.gateway.asgi import App, AsgiAnswer, Event, Header, Receive, Scope, Send, gateway_answer
from countermand.gateway.shapes import is_jupiter


class Weakness(Enum):
    """By its name in `PUT /sandbox/faults`."""

    FORGOTTEN_CRAFTS = "forgottenCrafts"
    LAGGING_HISTORY = "laggingHistory"
    BUSY_CANCEL = "busyCancel"
    DUPLICATE_DEPOSIT = "duplicateDeposit"
    TEXT_AMOUNTS = "textAmounts"
    NO_REFUNDS = "noRefunds"
    RATE_LIMITS = "rateLimits"
    SLOW_LANDING = "slowLanding"


LAG_S: Final = 2
SLOW_LANDING_MS: Final = 1_200
BURST: Final = 5
KEYLESS_S: Final = 2
"""Seconds until a request more is allowed, without an API key."""
KEYED_S: Final = 1
"""With one, of the free plan."""
_REMEMBERED_MAX: Final = 65_536

_CREATE: Final = re.compile(r"/trigger/v2/orders/(price|dca)")
_CANCEL: Final = re.compile(r"/trigger/v2/orders/(price|dca)/cancel/([^/]+)")
_CONFIRM: Final = re.compile(r"/trigger/v2/orders/(price|dca)/confirm-cancel/([^/]+)")
_HISTORY: Final = re.compile(r"/trigger/v2/orders/history(/dca)?(?:/([^/]+))?")
_LIMIT_CREATE: Final = "/trigger/v1/createOrder"
_FREE: Final = ("/execute", "/executeOrder")
_WHOAMI: Final = "/trigger/v2/vault"

_NO_DEPOSIT: Final = "Deposit transaction not found in cache. Please craft a new deposit first."
_NO_WITHDRAWAL: Final = "Withdrawal transaction not found in cache. Please initiate cancel again."
_BUSY: Final = "Cannot cancel order in 'executing' state"
_DUPLICATE: Final = "Duplicate deposit"
_ALREADY_CREATED: Final = "Order already created"
_NO_ORDER: Final[Mapping[bool, str]] = MappingProxyType(
    {False: "Order not found", True: "DCA order not found or you do not own it"}
)

_ACTIVE: Final = ("pending", "open", "active", "executing", "pending_withdraw")
_SORTED_BY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "updated_at": "updatedAt",
        "created_at": "createdAt",
        "expires_at": "expiresAt",
        "next_fill_at": "nextFillAt",
    }
)
_PAGE_MAX: Final = 100

_encode: Final = msgspec.json.Encoder().encode
_LIMITED: Final = gateway_answer(429, "[API Gateway] Too many requests")


class _Row(msgspec.Struct):
    """An order in a history: as it is shown, and since when another is known."""

    shown: Mapping[str, Any]
    newer_at: float | None = None


class Strict(msgspec.Struct):
    """What is on, and what it remembers. `on` in the order of `Weakness`."""

    clock: Callable[[], float]
    on: tuple[Weakness, ...] = ()
    refused: dict[str, str] = msgspec.field(default_factory=dict)
    """The first deposit of each wallet, which is forgotten for good."""
    confirms: dict[str, bool] = msgspec.field(default_factory=dict)
    """The orders whose withdrawal was forgotten; True once it was asked for again."""
    created_at: dict[str, float] = msgspec.field(default_factory=dict)
    rows: dict[str, _Row] = msgspec.field(default_factory=dict)
    buckets: dict[bytes, tuple[float, float]] = msgspec.field(default_factory=dict)
    """By API key: how many requests are left, and when that was counted."""

    def set(self, names: Sequence[str]) -> None:
        """Forgets what was remembered."""
        self.on = tuple(each for each in Weakness if each.value in names)
        for memory in (self.refused, self.confirms, self.created_at, self.rows, self.buckets):
            memory.clear()

    def has(self, weakness: Weakness) -> bool:
        return weakness in self.on

    def takes(self, key: bytes) -> bool:
        """One request more: whether there is room for it."""
        left, now = self._left(key)
        room = left >= 1
        self.buckets[key] = (left - 1 if room else left, now)
        return room

    def limits(self, key: bytes) -> tuple[Header, ...]:
        """What the headers say: how many requests are left, and when there is room for one more."""
        left, now = self._left(key)
        wait_s = (1 - left % 1) * _pause(key)
        return (
            (b"x-ratelimit-remaining", b"%d" % left),
            (b"x-ratelimit-current", b"%d" % (BURST - int(left))),
            (b"x-ratelimit-reset", b"%d" % ceil(now + wait_s)),
        )

    def _left(self, key: bytes) -> tuple[float, float]:
        """How many requests are left now, with fractions, and now."""
        now = self.clock()
        left, at = self.buckets.get(key, (float(BURST), now))
        return min(float(BURST), left + (now - at) / _pause(key)), now


def _pause(key: bytes) -> float:
    return KEYED_S if key else KEYLESS_S


class StrictApp:
    """An ASGI app around another, which is strong."""

    def __init__(self, app: App, strict: Strict) -> None:
        self._app = app
        self._strict = strict

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._strict.on:
            await self._app(scope, receive, send)
            return
        refusal = None
        if self._is_limited(scope):
            key = dict(scope["headers"]).get(b"x-api-key", b"")
            has_room = scope["path"].endswith(_FREE) or self._strict.takes(key)
            refusal = None if has_room else _LIMITED
            send = self._saying_limits(send, key)
        if refusal is None:
            body = (await receive()).get("body", b"")
            receive = _giving(body, receive)
            refusal = await self._refusal(scope, body)
        if refusal is not None:
            await refusal.send(send)
        elif self._may_change(scope):
            answer = await _answer_of(self._app, scope, receive)
            await (await self._changed(scope, answer)).send(send)
        else:
            await self._app(scope, receive, send)

    def _is_limited(self, scope: Scope) -> bool:
        path: str = scope["path"]
        return self._strict.has(Weakness.RATE_LIMITS) and area_of(path).keyed and is_jupiter(path)

    def _saying_limits(self, send: Send, key: bytes) -> Send:
        """Like the original's, a 429 has no `Retry-After`."""

        def answer(event: Event) -> Awaitable[None]:
            if event["type"] == "http.response.start" and event["status"] in {200, 429}:
                event = {**event, "headers": [*event.get("headers", ()), *self._strict.limits(key)]}
            return send(event)

        return answer

    async def _refusal(self, scope: Scope, body: bytes) -> AsgiAnswer | None:
        """The answer of a weakness to a request that the venue would judge."""
        strict, path = self._strict, scope["path"]
        if scope["method"] != "POST":
            return None
        if path == _LIMIT_CREATE and strict.has(Weakness.TEXT_AMOUNTS):
            return _amounts_that_are_numbers(body)
        cancel = _CANCEL.fullmatch(path)
        if cancel is not None:
            return await self._busy(scope, cancel[2]) if cancel[1] == "price" else None
        if not strict.has(Weakness.FORGOTTEN_CRAFTS):
            return None
        if _CREATE.fullmatch(path):
            return await self._forgotten_deposit(scope, _object(body))
        confirm = _CONFIRM.fullmatch(path)
        return None if confirm is None else await self._forgotten_withdrawal(scope, *confirm.groups())

    async def _forgotten_deposit(self, scope: Scope, asked: Mapping[str, Any]) -> AsgiAnswer | None:
        """Of the wallet that asks, and of no other that it names."""
        vault = _object((await self._ask(scope, _WHOAMI)).body)
        wallet, deposit = vault.get("userPubkey"), asked.get("depositRequestId")
        if wallet is None or asked.get("userPubkey") != wallet or not isinstance(deposit, str):
            return None
        first = _remembered(self._strict.refused, wallet, deposit.lower())
        return _error(_NO_DEPOSIT) if first == deposit.lower() else None

    async def _forgotten_withdrawal(self, scope: Scope, family: str, order_id: str) -> AsgiAnswer | None:
        """Of an order of the wallet that asks, which is being cancelled: all others the venue judges."""
        histories = "/trigger/v2/orders/history/dca" if family == "dca" else "/trigger/v2/orders/history"
        row = _object((await self._ask(scope, f"{histories}/{order_id}")).body)
        if _display_state(row) != "pending_withdraw" or _remembered(self._strict.confirms, row["id"], False):
            return None
        return _error(_NO_WITHDRAWAL)

    async def _busy(self, scope: Scope, order_id: str) -> AsgiAnswer | None:
        if not self._strict.has(Weakness.BUSY_CANCEL):
            return None
        answer = await self._ask(scope, f"/trigger/v2/orders/history/{order_id}")
        busy = _object(answer.body).get("rawState") == "ready_execute"
        return _error(_BUSY) if busy else None

    async def _ask(self, scope: Scope, path: str, query: str = "") -> AsgiAnswer:
        """The venue, for the same client."""
        headers = [each for each in scope["headers"] if each[0] not in (b"content-length", b"transfer-encoding")]
        asked = {"method": "GET", "path": path, "raw_path": path.encode(), "headers": headers}
        asked["query_string"] = query.encode()
        return await _answer_of(self._app, {**scope, **asked}, _giving(b"", None))

    def _may_change(self, scope: Scope) -> bool:
        path, has = scope["path"], self._strict.has
        if scope["method"] == "GET":
            return has(Weakness.LAGGING_HISTORY) and _HISTORY.fullmatch(path) is not None
        if has(Weakness.FORGOTTEN_CRAFTS) and _CANCEL.fullmatch(path) is not None:
            return True
        watched = has(Weakness.DUPLICATE_DEPOSIT) or has(Weakness.LAGGING_HISTORY)
        return watched and _CREATE.fullmatch(path) is not None

    async def _changed(self, scope: Scope, answer: AsgiAnswer) -> AsgiAnswer:
        if _CANCEL.fullmatch(scope["path"]) is not None:
            return self._cancelled(answer)
        history = _HISTORY.fullmatch(scope["path"])
        if history is None:
            return self._created(answer)
        if answer.status != 200:
            return answer
        shown = _object(answer.body)
        if history[2] is None:
            return await self._listed(scope, shown)
        row = self._lagging(shown)
        if row is None:
            return AsgiAnswer(404, _encode({"error": _NO_ORDER[history[1] is not None]}))
        self._remember(row)
        return AsgiAnswer(200, _exact(row))

    async def _listed(self, scope: Scope, shown: Mapping[str, Any]) -> AsgiAnswer:
        """The page that was asked for, of all rows as they are shown: its filter, order and total are of those."""
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        found = await self._all(scope, {"mint": asked["mint"]} if "mint" in asked else {})
        if isinstance(found, AsgiAnswer):
            return found
        state, sort = asked.get("state"), _SORTED_BY[asked.get("sort", "updated_at")]
        rows = [row for each in found if (row := self._lagging(each)) is not None]
        rows = [row for row in rows if state is None or state == _state_of(row)]
        rows.sort(key=lambda row: (_sortable(row[sort]), row["id"]), reverse=asked.get("dir") != "asc")
        rows.sort(key=lambda row: row[sort] is None)
        pagination: Mapping[str, Any] = shown["pagination"]
        start, limit = int(pagination["offset"]), int(pagination["limit"])
        page = rows[start : start + limit]
        for row in page:
            self._remember(row)
        return AsgiAnswer(200, _exact({**shown, "orders": page, "pagination": {**pagination, "total": len(rows)}}))

    async def _all(self, scope: Scope, asked: Mapping[str, str]) -> Sequence[Mapping[str, Any]] | AsgiAnswer:
        """In the order of their creation, so that new ones move none from page to page. Or the refusal of a page."""
        rows, total = dict[str, Mapping[str, Any]](), 1
        for offset in count(0, _PAGE_MAX):
            if offset >= total:
                break
            query = {**asked, "sort": "created_at", "dir": "asc", "limit": _PAGE_MAX, "offset": offset}
            answer = await self._ask(scope, scope["path"], urlencode(query))
            if answer.status != 200:
                return answer
            page = _object(answer.body)
            rows |= {row["id"]: row for row in page["orders"]}
            total = int(page["pagination"]["total"])
        return list(rows.values())

    def _created(self, answer: AsgiAnswer) -> AsgiAnswer:
        told, strict = _object(answer.body), self._strict
        again = told.get("message") == _ALREADY_CREATED
        if answer.status == 200 and not again and isinstance(told.get("id"), str):
            _remembered(strict.created_at, told["id"], strict.clock())
        if strict.has(Weakness.DUPLICATE_DEPOSIT) and (again or told.get("error") == _DUPLICATE):
            return _error(_DUPLICATE)
        return answer

    def _cancelled(self, answer: AsgiAnswer) -> AsgiAnswer:
        order_id = _object(answer.body).get("id")
        if answer.status == 200 and order_id in self._strict.confirms:
            self._strict.confirms[order_id] = True
        return answer

    def _lagging(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The row as it is shown now: None while it is too new, and as it was for a while after it changed."""
        strict, order_id, now = self._strict, str(row["id"]), self._strict.clock()
        if order_id not in strict.rows and _display_state(row) == "pending":
            # Its create has no answer yet: it is not shown to vanish after that.
            _remembered(strict.created_at, order_id, now)
        if now - strict.created_at.get(order_id, now - LAG_S) < LAG_S:
            return None
        known = strict.rows.get(order_id)
        if known is None:
            return row
        if known.shown == row:
            known.newer_at = None
            return row
        known.newer_at = now if known.newer_at is None else known.newer_at
        return known.shown if now - known.newer_at < LAG_S else row

    def _remember(self, row: Mapping[str, Any]) -> None:
        """It is read as this."""
        known: _Row = _remembered(self._strict.rows, str(row["id"]), _Row(row))
        if known.shown != row:
            known.shown, known.newer_at = row, None


def _state_of(row: Mapping[str, Any]) -> str:
    """What a history is asked for as `state`."""
    return "active" if _display_state(row) in _ACTIVE else "past"


def _display_state(row: Mapping[str, Any]) -> str | None:
    """Of an order of either family; None of what is no order."""
    state: str | None = row.get("displayState", row.get("orderState"))
    return state


def _sortable(time: str | None) -> int | str:
    """A number of milliseconds, or a text of ISO 8601."""
    return int(time) if isinstance(time, _Digits) else time or ""


def _amounts_that_are_numbers(body: bytes) -> AsgiAnswer | None:
    params = _object(body).get("params")
    for name in ("makingAmount", "takingAmount"):
        if isinstance(params, dict) and isinstance(params.get(name), _Digits):
            cause = f"params.{name}: expected a string"
            return AsgiAnswer(400, _encode({"error": "invalid create order request", "cause": cause, "code": 400}))
    return None


class _Digits(str):
    """A JSON number as it was written."""

    __slots__ = ()


def _object(body: bytes) -> dict[str, Any]:
    """The fields of a JSON object, its numbers digit for digit; none for anything else."""
    try:
        found = _tree(msgspec.Raw(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _tree(raw: msgspec.Raw) -> Any:
    text = bytes(raw).lstrip()
    if text[:1] == b"{":
        return {name: _tree(each) for name, each in msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items()}
    if text[:1] == b"[":
        return [_tree(each) for each in msgspec.json.decode(text, type=list[msgspec.Raw])]
    value = msgspec.json.decode(text)
    return _Digits(text.strip().decode()) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _exact(value: Any) -> bytes:
    """As JSON, with numbers as they were written."""
    match value:
        case _Digits():
            return value.encode()
        case Mapping():
            return b"{" + b",".join(_encode(name) + b":" + _exact(each) for name, each in value.items()) + b"}"
        case list():
            return b"[" + b",".join(map(_exact, value)) + b"]"
    return _encode(value)


def _error(words: str) -> AsgiAnswer:
    return AsgiAnswer(400, _encode({"error": words}))


def _remembered(memory: dict[str, Any], name: str, first: Any) -> Any:
    """What is remembered under a name, from the first time on; the oldest make room."""
    if name not in memory and len(memory) >= _REMEMBERED_MAX:
        del memory[next(iter(memory))]
    return memory.setdefault(name, first)


def _giving(body: bytes, receive: Receive | None) -> Receive:
    """The body once, and then whatever comes."""
    given = False

    async def again() -> Event:
        nonlocal given
        if not given or receive is None:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


async def _answer_of(app: App, scope: Scope, receive: Receive) -> AsgiAnswer:
    """The whole answer of an app. Its length is written anew."""
    status, headers, body = 500, list[Header](), b""

    async def keep(event: Event) -> None:
        nonlocal status, headers, body
        if event["type"] == "http.response.start":
            status, headers = event["status"], list(event.get("headers", ()))
        else:
            body += event.get("body", b"")

    await app(scope, receive, keep)
    kept = tuple(each for each in headers if each[0].lower() not in (b"content-length", b"content-type"))
    return AsgiAnswer(status, body, kept)
