"""Whether a server answers as the published APIs do: reads, builds and refusals, none of which costs money.

Only what is documented, or was seen of the originals, is compared: never a text of our own. A new wallet asks, which
holds nothing; what is built for it is not signed.
"""

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import httpx2
from solders.keypair import Keypair

from countermand.client.effects import AnswerLost, Flow, NotSent, Wallet
from countermand.client.errors import ClientError, Unavailable
from countermand.client.exchange import Answered, exchange, request
from countermand.client.runners import Sync, server_address
from countermand.client.session import Policy, Session
from countermand.client.tokens import SOL, USDC
from countermand.client.vaults import sign_in

APIS: Final = ("trigger-v2", "trigger-v1", "limit-v2", "recurring-v1", "swap-v1", "price-v3", "tokens-v2", "tanx")
_POLICY: Final = Policy(attempts=3)
_SHOWN_MAX: Final = 160

Pattern: TypeAlias = Any
"""What an answer is to be like: a type, a regular expression for a whole text, an object with at least these fields,
a list whose rows are all alike, a tuple of several patterns of which one must fit, or the value itself."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One request, and what is expected. `signed_in`: with a token of Trigger v2."""

    api: str
    name: str
    method: str
    path: str
    status: tuple[int, ...]
    like: Pattern
    body: object = None
    query: Mapping[str, str] = field(default_factory=dict)
    signed_in: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of a probe; `differences` is empty if it is as expected."""

    api: str
    name: str
    request: str
    status: int | None
    differences: tuple[str, ...]


def compare(url: str, apis: tuple[str, ...] = APIS, api_key: str | None = None) -> Iterator[Compared]:
    """Asks one probe after the other. What is not answered any more differs.

    Raises `ValueError`: no URL or no key, and `Unavailable`: nothing is there.
    """
    wallet = Wallet.of(Keypair())
    session = Session(wallet, api_key, _POLICY)
    headers = {} if api_key is None else {"x-api-key": api_key}
    with httpx2.Client(base_url=server_address(url), timeout=60) as http:
        runner = Sync(http)
        runner.run(_reached())
        if "trigger-v2" in apis:
            yield _signed_in(runner, session)
        for probe in probes(wallet.address):
            if probe.api in apis:
                yield _compared(runner, session, probe, headers)


def _reached() -> Flow[None]:
    """Whatever it answers at `/`, or does not, it is there."""
    try:
        yield request("GET", "/")
    except NotSent as problem:
        raise Unavailable(str(problem)) from None
    except AnswerLost:
        return


def _signed_in(runner: Sync, session: Session) -> Compared:
    """The challenge, as it is published and as it was seen, signed by a wallet."""
    differences: tuple[str, ...] = ()
    try:
        runner.run(sign_in(session))
    except ClientError as problem:
        differences = (str(problem),)
    return Compared("trigger-v2", "signing in", "POST /trigger/v2/auth/verify", None, differences)


def _compared(runner: Sync, session: Session, probe: Probe, headers: Mapping[str, str]) -> Compared:
    asked = f"{probe.method} {probe.path}"
    try:
        answered = runner.run(_asked(session, probe, headers))
    except ClientError as problem:
        return Compared(probe.api, probe.name, asked, None, (str(problem),))
    return Compared(probe.api, probe.name, asked, answered.response.status, tuple(_differences(answered, probe)))


def _asked(session: Session, probe: Probe, headers: Mapping[str, str]) -> Flow[Answered]:
    token = {"authorization": f"Bearer {session.token}"} if probe.signed_in and session.token else {}
    sent = request(probe.method, probe.path, probe.body, probe.query, {**headers, **token})
    return (yield from exchange(session.policy, sent))


def _differences(answered: Answered, probe: Probe) -> Iterator[str]:
    status = answered.response.status
    if status not in probe.status:
        yield f"status {status}, expected {' or '.join(map(str, probe.status))}: {_shown(answered.body())}"
    else:
        yield from unlike(answered.body(), probe.like, "")


def unlike(value: Any, pattern: Pattern, path: str) -> Iterator[str]:
    """In what a value is not like a pattern, each by its path."""
    where = path or "the answer"
    match pattern:
        case type():
            is_right = isinstance(value, pattern) and not (pattern is int and isinstance(value, bool))
            if not is_right:
                yield f"{where} is {_shown(value)}, expected {pattern.__name__}"
        case re.Pattern():
            if not (isinstance(value, str) and pattern.fullmatch(value)):
                yield f"{where} is {_shown(value)}, expected {pattern.pattern}"
        case dict():
            yield from _unlike_fields(value, pattern, path)
        case list():
            if not isinstance(value, list):
                yield f"{where} is {_shown(value)}, expected a list"
                return
            for number, each in enumerate(value):
                yield from unlike(each, pattern[0], f"{path}[{number}]")
        case tuple():
            found = [list(unlike(value, each, path)) for each in pattern]
            if all(found):
                yield min(found, key=len)[0]
        case _:
            if value != pattern or type(value) is not type(pattern):
                yield f"{where} is {_shown(value)}, expected {_shown(pattern)}"


def _unlike_fields(value: Any, pattern: Mapping[str, Pattern], path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path or 'the answer'} is {_shown(value)}, expected an object"
        return
    for name, of in pattern.items():
        below = f"{path}.{name}" if path else name
        if name in value:
            yield from unlike(value[name], of, below)
        else:
            yield f"{below} is missing"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


# --- what is asked


_TEXT: Final = re.compile(r".+", re.DOTALL)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+=*")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEY: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}")
_UNITS: Final = re.compile(r"[0-9]+")
_INVALID: Final = {"error": "Request validation failed", "details": dict}
_UNKNOWN: Final = str(uuid.UUID(int=(7 << 76) | (1 << 63)))
"""An order that there is not."""


def probes(wallet: str) -> tuple[Probe, ...]:
    makers: tuple[Callable[[str], Iterator[Probe]], ...]
    makers = (_trigger_v2, _trigger_v1, _limit_v2, _recurring, _swaps, _others)
    return tuple(probe for make in makers for probe in make(wallet))


def _trigger_v2(wallet: str) -> Iterator[Probe]:
    api, root = "trigger-v2", "/trigger/v2"

    def probe(name: str, method: str, path: str, status: tuple[int, ...], like: Pattern, **more: Any) -> Probe:
        return Probe(api, name, method, root + path, status, like, **more)

    asked = {"walletPubkey": wallet}
    yield probe(
        "a challenge as a text",
        "POST",
        "/auth/challenge",
        (200,),
        {"type": "message", "challenge": re.compile(r"Sign this message to authenticate with Jupiter.*", re.DOTALL)},
        body=asked | {"type": "message"},
    )
    yield probe(
        "a challenge as a transaction",
        "POST",
        "/auth/challenge",
        (200,),
        {"type": "transaction", "transaction": _BASE64},
        body=asked | {"type": "transaction"},
    )
    yield probe(
        "a challenge of another kind",
        "POST",
        "/auth/challenge",
        (400,),
        _INVALID | {"details": {"type": re.compile(r'Invalid option: expected one of "message"\|"transaction"')}},
        body=asked | {"type": "smoke"},
    )
    wrong = asked | {"type": "message", "signature": "1" * 64}
    yield probe("a wrong signature", "POST", "/auth/verify", (400, 401), {"error": _TEXT}, body=wrong)
    yield probe("no token", "GET", "/vault", (401,), {"error": "Unauthorized"})
    yield probe("no vault yet", "GET", "/vault", (404,), {"error": "Vault not found"}, signed_in=True)
    pages = {"orders": [dict], "pagination": {"total": int, "limit": 20, "offset": 0}}
    yield probe("a history", "GET", "/orders/history", (200,), pages, signed_in=True)
    yield probe(
        "a history in a state that is none",
        "GET",
        "/orders/history",
        (400,),
        {"error": _TEXT},
        query={"state": "open"},
        signed_in=True,
    )
    none = {"error": "Order not found"}
    yield probe("an unknown order", "GET", f"/orders/history/{_UNKNOWN}", (404,), none, signed_in=True)
    change = {"orderType": "single", "triggerPriceUsd": 1}
    yield probe("a change of it", "PATCH", f"/orders/price/{_UNKNOWN}", (404,), none, body=change, signed_in=True)
    yield probe("a cancel of it", "POST", f"/orders/price/cancel/{_UNKNOWN}", (404,), none, signed_in=True)
    yield probe("a cancel of no id", "POST", "/orders/price/cancel/1", (400,), {"error": _TEXT}, signed_in=True)
    craft = {"inputMint": SOL, "outputMint": USDC, "userAddress": wallet, "amount": "1000000000", "orderType": "price"}
    yield probe(
        "a craft without a vault",
        "POST",
        "/deposit/craft",
        (403,),
        dict,
        body=craft | {"orderSubType": "single"},
        signed_in=True,
    )
    yield probe("a craft of nothing", "POST", "/deposit/craft", (400,), _INVALID, body={}, signed_in=True)
    yield probe("a recurring history", "GET", "/orders/history/dca", (200,), pages, signed_in=True)
    not_owned = {"error": "DCA order not found or you do not own it"}
    yield probe(
        "a cancel of no recurring order", "POST", f"/orders/dca/cancel/{_UNKNOWN}", (404,), not_owned, signed_in=True
    )
    yield probe("a change of a recurring order", "PATCH", f"/orders/dca/{_UNKNOWN}", (404,), object, signed_in=True)
    yield probe("a slash at the end", "POST", "/orders/price/", (404,), object, body={}, signed_in=True)


def _create(wallet: str, making: str) -> dict[str, Any]:
    params = {"makingAmount": making, "takingAmount": "1000000000"}
    pair = {"inputMint": SOL, "outputMint": USDC}
    return {**pair, "maker": wallet, "payer": wallet, "params": params, "computeUnitPrice": "auto"}


def _trigger_v1(wallet: str) -> Iterator[Probe]:
    api, root = "trigger-v1", "/trigger/v1"
    small = {
        "error": "invalid create order request",
        "cause": re.compile(r"input mint making amount must be at least 5 USD, received: .+"),
        "code": 400,
    }
    built = {"requestId": _UUID, "transaction": _BASE64, "order": _KEY}
    post = "POST"
    yield Probe(api, "an order is built", post, f"{root}/createOrder", (200,), built, _create(wallet, "1000000000"))
    yield Probe(api, "an order below 5 USD", post, f"{root}/createOrder", (400,), small, _create(wallet, "1000"))
    bad = {"error": "invalid maker pubkey", "code": 400}
    yield Probe(api, "a maker that is none", post, f"{root}/cancelOrders", (400,), bad, {"maker": "nobody"})
    none = {"error": "no matching orders found", "code": 400}
    yield Probe(api, "a cancel of nothing", post, f"{root}/cancelOrders", (400,), none, {"maker": wallet})
    invalid = {"error": "invalid transaction", "code": 400, "status": "Failed"}
    execute = {"requestId": _UNKNOWN, "signedTransaction": "AAAA"}
    yield Probe(api, "no transaction", post, f"{root}/execute", (400,), invalid, execute)
    rows = {"user": wallet, "orderStatus": "active", "orders": [dict], "totalPages": int, "page": 1}
    query = {"user": wallet, "orderStatus": "active"}
    yield Probe(api, "open orders", "GET", f"{root}/getTriggerOrders", (200,), rows, query=query)


def _limit_v2(wallet: str) -> Iterator[Probe]:
    api, root = "limit-v2", "/limit/v2"
    built = {"order": _KEY, "tx": _BASE64}
    yield Probe(api, "an order is built", "POST", f"{root}/createOrder", (200,), built, _create(wallet, "1000000000"))
    none = {"error": "no matching orders found", "code": 400}
    yield Probe(api, "a cancel of nothing", "POST", f"{root}/cancelOrders", (400,), none, {"maker": wallet})
    yield Probe(api, "open orders", "GET", f"{root}/openOrders", (200,), [dict], query={"wallet": wallet})
    past = {"orders": [dict], "hasMoreData": bool, "page": 1}
    yield Probe(api, "past orders", "GET", f"{root}/orderHistory", (200,), past, query={"wallet": wallet})


def _recurring(wallet: str) -> Iterator[Probe]:
    api, root = "recurring-v1", "/recurring/v1"

    def create(amount: int) -> dict[str, Any]:
        time = {"inAmount": amount, "numberOfOrders": 2, "interval": 86_400, "startAt": None}
        return {"user": wallet, "inputMint": USDC, "outputMint": SOL, "params": {"time": time}}

    built = {"requestId": _UUID, "transaction": _BASE64}
    yield Probe(api, "an order is built", "POST", f"{root}/createOrder", (200,), built, create(104_000_000))
    worth = re.compile(r"Order is valued at [0-9.]+ USDC, minimum is 100\.00 USDC")
    small = ({"code": 400, "error": worth, "status": "Bad Request"}, {"code": 400, "message": worth})
    yield Probe(api, "an order that is too small", "POST", f"{root}/createOrder", (400,), small, create(2_990_000))
    gone = {"code": 400, "error": "Failed to deserialize account data: failed to fill whole buffer"}
    cancel = {"order": wallet, "user": wallet, "recurringType": "time"}
    yield Probe(api, "a cancel of nothing", "POST", f"{root}/cancelOrder", (400,), gone, cancel)
    rows = {"user": wallet, "orderStatus": "active", "time": [dict], "totalPages": int, "page": 1}
    query = {"user": wallet, "recurringType": "time", "orderStatus": "active"}
    yield Probe(api, "open orders", "GET", f"{root}/getRecurringOrders", (200,), rows, query=query)
    lacking = {"user": wallet, "orderStatus": "active"}
    yield Probe(api, "open orders of no kind", "GET", f"{root}/getRecurringOrders", (400,), object, query=lacking)


def _swaps(wallet: str) -> Iterator[Probe]:
    api, path = "swap-v1", "/swap/v1/quote"
    pair = {"inputMint": SOL, "outputMint": USDC}
    step = {
        "swapInfo": {"ammKey": _KEY, "inputMint": _KEY, "outputMint": _KEY, "inAmount": _UNITS, "outAmount": _UNITS}
    }
    quote = {
        **pair,
        "inAmount": "100000000",
        "outAmount": _UNITS,
        "otherAmountThreshold": _UNITS,
        "swapMode": "ExactIn",
        "slippageBps": 50,
        "platformFee": type(None),
        "priceImpactPct": str,
        "routePlan": [step],
        "contextSlot": int,
        "timeTaken": (int, float),
    }
    asked = {**pair, "amount": "100000000", "slippageBps": "50"}
    yield Probe(api, "a quote", "GET", path, (200,), quote, query=asked)
    words = "Input and output mints are not allowed to be equal"
    same = {"error": words, "errorCode": "CIRCULAR_ARBITRAGE_IS_DISABLED"}
    yield Probe(api, "a token for itself", "GET", path, (400,), same, query=asked | {"outputMint": SOL})
    unknown = {"error": f"The token {wallet} is not tradable", "errorCode": "TOKEN_NOT_TRADABLE"}
    yield Probe(api, "for no token", "GET", path, (400,), unknown, query=asked | {"outputMint": wallet})
    nothing = {"error": "Could not find any route", "errorCode": "COULD_NOT_FIND_ANY_ROUTE"}
    yield Probe(api, "nothing", "GET", path, (400,), nothing, query=asked | {"amount": "0"})


def _others(wallet: str) -> Iterator[Probe]:
    token = {"id": USDC, "symbol": "USDC", "name": str, "decimals": 6, "tokenProgram": _KEY, "usdPrice": (int, float)}
    search = "/tokens/v2/search"
    yield Probe("tokens-v2", "a token by its mint", "GET", search, (200,), [token], query={"query": USDC})
    yield Probe("tokens-v2", "no token", "GET", search, (200,), [dict], query={"query": wallet})
    price = {SOL: {"usdPrice": (int, float), "decimals": 9, "blockId": (int, type(None))}}
    yield Probe("price-v3", "the price of SOL", "GET", "/price/v3", (200,), price, query={"ids": SOL})
    yield Probe("price-v3", "the price of no token", "GET", "/price/v3", (200,), {}, query={"ids": wallet})
    api, root = "tanx", "/sapi/v1"
    good = {"status": "success", "message": str}
    yield Probe(api, "its health", "GET", f"{root}/health/", (200,), good | {"message": re.compile(r".*Working.*")})
    yield Probe(api, "its tickers", "GET", f"{root}/market/tickers/", (200,), good | {"payload": dict})
    refused = {"status": "error", "message": "please provide market, market is a mandatory field"}
    yield Probe(api, "a book of no market", "GET", f"{root}/market/orderbook/", (400,), refused)
    unknown = {"status": "error", "message": "please enter a valid market"}
    query = {"market": "nothing"}
    yield Probe(api, "candles of no market", "GET", f"{root}/market/kline/", (400,), unknown, query=query)
    no_login = {"status": "error", "message": "Authentication credentials were not provided.", "payload": dict}
    yield Probe(api, "orders without a login", "GET", f"{root}/orders", (401,), no_login)
    short = {"status": "error", "message": "Ensure eth_address has at least 30 characters."}
    yield Probe(api, "a login of no address", "POST", f"{root}/auth/v2/nonce/", (400,), short, {"eth_address": "0x1"})
