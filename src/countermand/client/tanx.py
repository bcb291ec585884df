"""tanX: orders in books, by an Ethereum key that logs in and a Stark key that signs orders."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from operator import index
from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec

from countermand.client import words
from countermand.client.effects import Flow, Request, Sign
from countermand.client.errors import BadAnswer, ClientError, OutcomeUnknown, Unsafe
from countermand.client.exchange import Answered, changing_nothing, exchange, request, with_header
from countermand.client.numbers import Number, decimal, whole, without_none
from countermand.client.operations import Api, Page, Pages, R, at_once, listing, operation
from countermand.client.session import Policy, Session, one_at_a_time
from countermand.client.shapes.tanx import Balance, Book, Draft, Order, Tokens, Trade
from countermand.curves import ethereum, stark

Side: TypeAlias = Literal["buy", "sell"]
Kind: TypeAlias = Literal["limit", "market", "stop_limit", "limit_maker"]
Text: TypeAlias = str
Pair: TypeAlias = tuple[int, int]

KEY_TEXT: Final = "Get started with TanX. Make sure the origin is https://trade.tanx.fi"
"""What tanX has its users sign to derive their Stark keys."""
_ROWS: Final = 100
_TEXTS_MAX: Final = 12
_LOGIN_WORDS: Final = ("signing into", "Login-code:")
_LOGIN_CHARS_MAX: Final = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TanxKeys:
    """An account by its address, and what signs for it: a text by `personal_sign`, and a hash by the Stark key.

    `sign_text` gives `0x` and 130 hexadecimal digits, `sign_hash` r and s. The async client also takes awaitables.
    """

    address: str
    sign_text: Callable[[str], str | Awaitable[str]] = field(repr=False)
    sign_hash: Callable[[int], Pair | Awaitable[Pair]] = field(repr=False)
    stark_key: int
    """The public one."""

    @classmethod
    def of(cls, ethereum_key: int | str, stark_key: int | str | None = None) -> "TanxKeys":
        """From private keys, as numbers or in hexadecimal digits. Without a Stark key: the one that tanX derives."""
        secret = _private_key("Ethereum", ethereum_key, ethereum.CURVE.order)
        if stark_key is None:
            own = stark.private_key_of(bytes.fromhex(ethereum.sign_text(secret, KEY_TEXT)[2:]))
        else:
            own = _private_key("StarkEx", stark_key, stark.CURVE.order)
        return cls(
            ethereum.address_of(secret),
            lambda text: ethereum.sign_text(secret, text),
            lambda message: stark.sign(own, message),
            stark.public_key(own),
        )


@dataclass(slots=True)
class TanxSession(Session):
    """`tokens`: once they were needed."""

    keys: TanxKeys | None = None
    tokens: Tokens | None = field(default=None, repr=False)

    def member(self) -> TanxKeys:
        if self.keys is None:
            raise ClientError("this client has no keys: give it TanxKeys, or ask only for what needs none")
        return self.keys


def tanx_session(keys: TanxKeys | None, api_key: str | None, policy: Policy) -> TanxSession:
    return TanxSession(None, api_key, policy, keys=keys)


class Tanx(Api[R]):
    """The methods of a tanX client. Each logs in by itself when it must, and may be called again, but `place`."""

    _session: TanxSession

    @operation
    def log_in(self) -> Flow[None]:
        """Sign a text and get tokens. Not needed: the first method that wants a token does it. Repeating is safe."""
        yield from _take_tokens(self._session, self._session.tokens, _log_in(self._session))

    @operation
    def register_stark_key(self) -> Flow[None]:
        """Register the key that signs the orders. A venue's own: tanX does it on its website. Repeating is safe."""
        key = {"stark_key": hex(self._session.member().stark_key)}
        yield from _asked(self._session, "POST", "/sapi/v1/user/stark_key/", Any, key)

    @operation
    def place(
        self,
        market: str,
        side: Side,
        volume: Number,
        price: Number | None = None,
        *,
        kind: Kind = "limit",
        stop_price: Number | None = None,
    ) -> Flow[Order]:
        """Ask for a nonce, sign the order, and create it. Prices and volumes are in units, and exact.

        One call places one order at most: what is repeated inside has the same nonce and signature. Raises
        `OutcomeUnknown` if its answer was lost and a repetition is refused: look at `orders()` before a new call.

        What is signed is a hash, which only tanX can compute (its vaults are not told). It is checked that it can be
        signed, and afterwards that the order which was created is the one that was asked for. Raises `BadAnswer` with
        the id of another.
        """
        session, keys = self._session, self._session.member()
        asked: dict[str, Any] = {"market": market, "ord_type": kind, "side": side, "volume": decimal("volume", volume)}
        prices = {"price": price, "stop_price": stop_price}
        asked |= {name: decimal(name, given) for name, given in prices.items() if given is not None}
        with changing_nothing():
            draft = yield from _asked(session, "POST", "/sapi/v1/orders/nonce/", Draft, asked)
        message = stark.from_hex(draft.msg_hash)
        if message is None or not 0 < message < stark.BOUND:
            raise Unsafe(f"not signed: {draft.msg_hash[:80]!r} is no hash that a Stark key signs")
        r, s = yield Sign(keys.sign_hash, message)
        signed = {"nonce": draft.nonce, "msg_hash": draft.msg_hash, "signature": {"r": hex(r), "s": hex(s)}}
        try:
            answered = yield from _ask(session, "POST", "/sapi/v1/orders/create/", signed)
        except OutcomeUnknown as unknown:
            raise OutcomeUnknown(str(unknown), nonce=str(draft.nonce)) from unknown
        if answered.lost and not answered.ok:
            raise OutcomeUnknown(f"an answer was lost; then: {answered.refusal()}", nonce=str(draft.nonce))
        order = _payload(answered, Order)
        _require_same(order, asked)
        return order

    @operation
    def cancel(self, order_id: int) -> Flow[Order]:
        """Cancel an order; nothing of it trades from the answer on. Returns it as it stood.

        Repeating is safe: an order that is cancelled already is returned. Raises `Refused` if it is executed.
        """
        answered = yield from _ask(
            self._session, "POST", "/sapi/v1/orders/cancel/", {"order_id": whole("order_id", order_id)}
        )
        if not answered.ok and words.says(answered.refusal().words, words.ALREADY_CANCELLED):
            return _converted(answered.refusal().body.get("payload"), Order)
        return _payload(answered, Order)

    @operation
    def cancel_all(self, market: str, side: Side | None = None, limit: int | None = None) -> Flow[None]:
        """Cancel the oldest orders of a market, 100 unless `limit` says otherwise. Repeating cancels the next ones.

        With a `limit` it is sent once, so that never more are cancelled: raises `OutcomeUnknown` if its answer is lost.
        """
        asked = without_none({"market": market, "side": side, "limit": limit})
        session, once = self._session, limit is not None
        answered = yield from _ask(session, "POST", "/sapi/v1/user/bulkcancel/", asked, once=once)
        _payload(answered, Any)

    @operation
    def order(self, order_id: int | str) -> Flow[Order]:
        """An order with its trades, by its id or its uuid. A read."""
        return (yield from _asked(self._session, "GET", f"/sapi/v1/orders/{order_id}", Order))

    @listing
    def orders(
        self, market: str | None = None, state: Literal["pending", "wait", "done", "cancel"] | None = None
    ) -> Pages[Order]:
        """Iterate over the account's orders, the newest first. A read."""
        query = without_none({"market": market, "state": state})
        pages = _pages(self._session, "/sapi/v1/orders", list[Order], query)
        return at_once(pages) if state in ("pending", "wait") else pages

    @listing
    def trades(self, market: str | None = None) -> Pages[Trade]:
        """Iterate over the account's trades, the newest first. A read."""
        return _pages(self._session, "/sapi/v1/trades/", list[Trade], without_none({"market": market}))

    @operation
    def balances(self) -> Flow[dict[str, Balance]]:
        """What the account has, by currency. A read."""
        rows = yield from _asked(self._session, "GET", "/sapi/v1/user/balance/", list[Balance])
        return {row.currency: row for row in rows}

    @operation
    def book(self, market: str, depth: int = 20) -> Flow[Book]:
        """The best orders of both sides of a market, at most 200 of each. No keys are needed. A read."""
        query = {"market": market, "asks_limit": str(depth), "bids_limit": str(depth)}
        sent = request("GET", "/sapi/v1/market/orderbook/", query=query, headers=_headers(self._session))
        return _payload((yield from exchange(self._session.policy, sent)), Book)


def _private_key(kind: str, given: int | str, order: int) -> int:
    """What is no key is not shown: it may be one, but for a slip."""
    try:
        key = int(given, 16) if isinstance(given, str) else index(given)
    except (TypeError, ValueError):
        raise ValueError("give a private key as a number, or as a text of hexadecimal digits") from None
    if not 0 < key < order:
        raise ValueError(f"this is no private key of {kind}: one is more than 0 and less than {order:#x}")
    return key


def _headers(session: TanxSession) -> dict[str, str]:
    return {} if session.api_key is None else {"x-api-key": session.api_key}


def _log_in(session: TanxSession) -> Flow[None]:
    """A text serves once. If the answer to its signature is lost, or it ended meanwhile, another is taken.

    It ends by the login of another client of this account. A text that is given again did not end: what was wrong then
    was its signature.
    """
    refused: Answered | None = None
    text = ""
    for _ in range(_TEXTS_MAX):
        with changing_nothing():
            before, text = text, (yield from _login_text(session))
            if refused is not None and text == before:
                break
            answered = yield from _sign_login(session, text)
        if answered.ok:
            session.tokens = _converted(_field(answered, "token"), Tokens)
            return
        refused = answered
        if not (answered.lost or words.says(answered.refusal().words, words.NOT_LOGGED_IN)):
            break
    assert refused is not None, "it was tried"
    raise refused.refusal()


def _login_text(session: TanxSession) -> Flow[str]:
    asked = {"eth_address": session.member().address}
    sent = request("POST", "/sapi/v1/auth/v2/nonce/", asked, headers=_headers(session))
    text = _payload((yield from exchange(session.policy, sent)), str)
    plain = text.isprintable() and len(text) <= _LOGIN_CHARS_MAX
    if not (plain and all(word in text for word in _LOGIN_WORDS)):
        raise Unsafe(f"not signed: this is no login of tanX: {text[:100]!r}")
    return text


def _sign_login(session: TanxSession, text: str) -> Flow[Answered]:
    keys = session.member()
    login = {"eth_address": keys.address, "user_signature": (yield Sign(keys.sign_text, text))}
    sent = request("POST", "/sapi/v1/auth/v2/login/", login, headers=_headers(session))
    return (yield from exchange(session.policy, sent))


def _refresh(session: TanxSession) -> Flow[None]:
    """New tokens for the old one's refresh, or by a login where that has ended too."""
    assert session.tokens is not None, "there were tokens"
    body = {"refresh": session.tokens.refresh}
    sent = request("POST", "/sapi/v1/auth/token/refresh/", body, headers=_headers(session))
    with changing_nothing():
        answered = yield from exchange(session.policy, sent)
    if answered.ok:
        session.tokens = _payload(answered, Tokens)
    else:
        yield from _log_in(session)


def _ask(
    session: TanxSession,
    method: str,
    path: str,
    body: object = None,
    query: dict[str, str] | None = None,
    *,
    once: bool = False,
) -> Flow[Answered]:
    """`once`: what would do more is not sent again, unless it was refused for its token."""
    if session.tokens is None:
        yield from _take_tokens(session, None, _log_in(session))
    tokens = session.tokens
    policy = replace(session.policy, attempts=1) if once else session.policy
    sent = request(method, path, body, query, _headers(session))
    answered = yield from exchange(policy, _with_token(sent, tokens))
    if answered.response.status != 401:
        return answered
    try:
        yield from _take_tokens(session, tokens, _refresh(session))
        again = yield from exchange(policy, _with_token(sent, session.tokens))
    except ClientError as problem:
        if answered.lost:
            raise OutcomeUnknown(f"an answer was lost; then: {problem}") from problem
        raise
    return Answered(again.response, answered.lost or again.lost)


def _take_tokens(session: TanxSession, ended: Tokens | None, how: Flow[None]) -> Flow[None]:
    """Others than those that ended, unless another flow has got them meanwhile."""
    return one_at_a_time(session, lambda: session.tokens is ended, how)


def _with_token(sent: Request, tokens: Tokens | None) -> Request:
    assert tokens is not None, "it is logged in"
    return with_header(sent, "authorization", f"JWT {tokens.access}")


def _asked(
    session: TanxSession,
    method: str,
    path: str,
    shape: type[T],
    body: object = None,
    query: dict[str, str] | None = None,
) -> Flow[T]:
    return _payload((yield from _ask(session, method, path, body, query)), shape)


def _payload(answered: Answered, shape: type[T]) -> T:
    """tanX says `error` with 200 sometimes. Raises `Refused` or `BadAnswer`."""
    if not answered.ok or _field(answered, "status") != "success":
        raise answered.refusal()
    return _converted(_field(answered, "payload"), shape)


def _field(answered: Answered, name: str) -> Any:
    body = _exactly(answered)
    return body.get(name) if isinstance(body, dict) else None


def _exactly(answered: Answered) -> Any:
    """Numbers with a point stay exact."""
    try:
        return msgspec.json.Decoder(float_hook=str).decode(answered.response.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise BadAnswer(f"the answer is no JSON: {problem}") from problem


def _converted(value: Any, shape: type[T]) -> T:
    try:
        return msgspec.convert(value, shape, strict=False)
    except msgspec.ValidationError as problem:
        raise BadAnswer(f"the answer is not as documented: {problem}") from problem


def _pages(session: TanxSession, path: str, shape: type[list[T]], query: dict[str, str]) -> Pages[T]:
    def page(number: int) -> Flow[Page[T]]:
        at = {"limit": str(_ROWS), "page": str(number + 1), "order_by": "desc"}
        rows: list[Any] = yield from _asked(session, "GET", path, shape, query={**query, **at})
        return [(row.id, row) for row in rows], len(rows) == _ROWS

    return page


def _require_same(order: Order, asked: dict[str, Any]) -> None:
    """What was created is what was asked for."""
    made = {"market": order.market, "side": order.side, "ord_type": order.ord_type, "volume": order.origin_volume}
    made["stop_price"] = order.stop_price
    if order.ord_type != "market" or order.price is not None:  # tanX shows none of a market order.
        made["price"] = order.price
    different = [name for name, value in made.items() if name in asked and asked[name] != value]
    if different:
        raise BadAnswer(f"the order {order.id} is another than was asked for: {', '.join(different)}")
