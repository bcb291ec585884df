"""HTTP as the world speaks it, and as it should not be spoken: bytes on a socket, against a whole venue.

Whatever they are, there is an answer or the connection ends, soon; it is never a 500, and the log tells of no bug.
"""

import gzip
import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.member import Member
from tests.end_to_end.raw import CLOSE, HOST, PATIENCE_S, Raw, answer_in, answered, exchange, request
from tests.end_to_end.trader import ROOT, Trader
from tests.end_to_end.venue import Venue

JSON = b"Content-Type: application/json"
TANX_NONCE = "/sapi/v1/orders/nonce"
TRIGGER = f"{ROOT}/auth/challenge"
POSTS = (
    TANX_NONCE,
    TRIGGER,
    "/trigger/v1/createOrder",
    "/limit/v2/cancelOrders",
    "/recurring/v1/createOrder",
    "/sandbox/airdrop",
    "/rpc",
)
GETS = (
    "/",
    "/docs",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/openapi/trigger-v2.json",
    "/openapi/trigger-v1.json",
    "/openapi/recurring-v1.json",
    "/openapi/tanx.json",
    "/openapi/sandbox.json",
    "/sandbox",
    "/sandbox/audit",
    "/price/v3?ids=So11111111111111111111111111111111111111112",
    "/price/v2?ids=So11111111111111111111111111111111111111112",
    "/tokens/v2/search?query=SOL",
    "/swap/v1/quote?inputMint=So11111111111111111111111111111111111111112",
    "/openapi/swap-v1.json",
    "/trigger/v2/vault",
    "/trigger/v2/orders/history",
    "/trigger/v1/openOrders?wallet=So11111111111111111111111111111111111111112",
    "/limit/v2/orderHistory?wallet=So11111111111111111111111111111111111111112",
    "/recurring/v1/getRecurringOrders?user=So11111111111111111111111111111111111111112",
    "/sapi/v1/orders/",
    "/sapi/v1/market/tickers/",
    "/rpc",
    "/nowhere",
)


@pytest.fixture(autouse=True)
def calm(house: Venue) -> Iterator[None]:
    """No request of these may be a bug's, nor keep its peer waiting."""
    began, before = time.monotonic(), house.complaints()
    yield
    assert house.complaints() == before
    assert time.monotonic() - began < 3 * PATIENCE_S


def in_shape_of(path: str, raw: Raw) -> None:
    """An error as the clients of this path read it."""
    body = raw.json
    if path.startswith("/sapi"):
        assert list(body) == ["status", "message", "payload"]
        assert body["status"] == "error"
    elif path.startswith(("/trigger/v2", "/sandbox", "/price", "/tokens", "/swap")):
        assert isinstance(body["error"], str)
    elif path.startswith(("/trigger/v1", "/limit")):
        assert isinstance(body["error"], str)
        assert body["code"] == raw.status
    elif path.startswith("/recurring"):
        assert body["code"] == raw.status
        assert {"status"} < set(body)
    elif path == "/rpc":
        assert body["jsonrpc"] == "2.0"
        assert isinstance(body["error"]["code"], int)
    else:
        assert list(body) == ["code", "message"]


# --- C1: HTTP/1.0


@pytest.mark.parametrize("path", GETS)
def test_http_1_0_is_answered_as_http_1_1(house: Venue, path: str) -> None:
    """C1. Also without a Host, which HTTP/1.0 does not know; but not in the sandbox, which looks at it."""
    newer = answered(house, request("GET", path))
    older = answered(house, request("GET", path, version=b"1.0"))
    without_host = answered(house, f"GET {path} HTTP/1.0\r\n\r\n".encode())
    assert (older.status, older.header("content-type")) == (newer.status, newer.header("content-type"))
    assert older.header("transfer-encoding") is None
    assert older.header("connection") == "close"
    assert without_host.status == (403 if path.startswith("/sandbox") else newer.status)


def test_http_1_0_may_keep_its_connection_and_ask_ahead(house: Venue) -> None:
    """C1: as `ab -k` and older proxies do."""
    kept = b"GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    last = b"GET /health/ready HTTP/1.0\r\n\r\n"
    first = answer_in(exchange(house, kept + kept + last))
    second = answer_in(first.rest)
    third = answer_in(second.rest)
    assert [raw.header("connection") for raw in (first, second, third)] == ["keep-alive", "keep-alive", "close"]
    assert [raw.json["status"] for raw in (first, second, third)] == ["live", "live", "ready"]
    assert third.rest == b""


def test_a_post_of_http_1_0(house: Venue) -> None:
    """C1."""
    call = b'{"jsonrpc":"2.0","id":1,"method":"getHealth"}'
    head = b"POST /rpc HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(call)
    assert answered(house, head + call).json["result"] == "ok"
    assert answered(house, head, call[:10], call[10:]).json["result"] == "ok"
    expecting = head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    assert answered(house, expecting, call).json["result"] == "ok", "HTTP/1.0 knows no 100 Continue"


# --- C2: HEAD, OPTIONS, methods that a path has not


@pytest.mark.parametrize("path", GETS)
def test_head_is_get_without_its_body(house: Venue, path: str) -> None:
    """C2."""
    got = answered(house, request("GET", path))
    head = answered(house, request("HEAD", path), method="HEAD")
    assert (head.status, head.rest) == (got.status, b"")
    for name in ("content-type", "content-security-policy", "allow"):
        assert head.header(name) == got.header(name)
    if path not in ("/metrics", "/sandbox"):  # These say how much has happened, and how late it is.
        assert head.header("content-length") == got.header("content-length") == str(len(got.body))
    assert int(head.header("content-length") or 0) > 0


def test_head_with_a_token(house: Venue, audited: None) -> None:
    """C2: it is let in, and judged, as the GET would be."""
    trader, member = Trader(house).joins(), Member(house)
    member.logs_in()
    for path, token in (
        (f"{ROOT}/vault", f"Bearer {trader.token}"),
        (f"{ROOT}/orders/history", f"Bearer {trader.token}"),
        ("/sapi/v1/orders/", f"JWT {member.access}"),
        ("/sapi/v1/user/profile", f"JWT {member.access}"),
    ):
        head = answered(house, request("HEAD", path, f"Authorization: {token}".encode()), method="HEAD")
        assert (head.status, head.rest) == (200, b"")
        assert head.header("x-ratelimit-remaining") is not None


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/health/live", {"GET", "HEAD", "OPTIONS"}),
        (f"{ROOT}/orders/price", {"POST", "OPTIONS"}),
        ("/sapi/v1/orders/", {"GET", "HEAD", "OPTIONS"}),
        ("/sandbox", {"GET", "HEAD", "OPTIONS"}),
        ("/sandbox/prices", {"GET", "HEAD", "PUT", "OPTIONS"}),
    ],
)
def test_what_a_path_allows(house: Venue, path: str, allowed: set[str]) -> None:
    """C2. `BREW` is a method that no parser knows."""
    options = answered(house, request("OPTIONS", path))
    assert (options.status, options.body, options.header("content-length")) == (204, b"", None)
    replies = [options, *(answered(house, request(method, path)) for method in ("DELETE", "TRACE", "BREW"))]
    assert [reply.status for reply in replies] == [204, 405, 405, 405]
    for reply in replies:
        assert {name.strip().upper() for name in (reply.header("allow") or "").split(",")} == allowed


def test_options_of_everything_and_of_nothing(house: Venue) -> None:
    assert answered(house, request("OPTIONS", "*")).status == 204
    assert answered(house, request("OPTIONS", "/nowhere")).status == 404


# --- C3: lengths and chunks


def framed(path: str, *headers: bytes, body: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in (JSON, *headers))
    return b"POST %s HTTP/1.1\r\n%s%s%s\r\n%s" % (path.encode(), HOST, CLOSE, lines, body)


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        *(
            ([b"Content-Length: " + value], b"{}")
            for value in (b"zz", b"-1", b"+2", b"0x2", b"", b"1e3", b"2 2", b"2, 2", b"9" * 30, b"\xd9\xa2")
        ),
        ([b"Content-Length: 2", b"Content-Length: 3"], b"{}"),
        ([b"Content-Length: 2", CHUNKED], b"2\r\n{}\r\n0\r\n\r\n"),
        ([CHUNKED, b"Content-Length: 2"], b"2\r\n{}\r\n0\r\n\r\n"),
        ([b"Transfer-Encoding: gzip"], b"{}"),
        ([b"Transfer-Encoding: chunked, gzip"], b"2\r\n{}\r\n0\r\n\r\n"),
        *(([CHUNKED], size + b"\r\n{}\r\n0\r\n\r\n") for size in (b"zz", b"-2", b"+2", b"0x2", b"", b"f" * 30, b" 2")),
        ([CHUNKED], b"2\r\n{}XX0\r\n\r\n"),
        ([CHUNKED], b"2\r\n{}\r\nzz\r\n"),
    ],
    ids=repr,
)
def test_a_body_whose_length_is_malformed_is_a_400(house: Venue, path: str, headers: list[bytes], body: bytes) -> None:
    """C3: never guessed, since a proxy before the venue might guess otherwise."""
    refused = answered(house, framed(path, *headers, body=body))
    assert refused.status == 400
    in_shape_of(path, refused)
    assert refused.rest == b"", "and the connection ends: what follows cannot be read"


def test_a_malformed_request_comes_after_the_answers_that_are_due(house: Venue) -> None:
    """Of several that are sent ahead, what was understood is answered."""
    good = b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"
    first = answer_in(exchange(house, good + good + b"GET / HTTP/9.9\r\n\r\n" + good))
    second = answer_in(first.rest)
    third = answer_in(second.rest)
    assert [first.status, second.status, third.status] == [200, 200, 400]
    assert third.rest == b""


@pytest.mark.parametrize("path", [*POSTS, "/sandbox/clock"])
def test_zeros_before_a_length_are_nothing(house: Venue, path: str) -> None:
    """C3: five thousand of them are more digits than Python makes a number of."""
    padded = framed(path, b"Content-Length: " + b"0" * 5_000 + b"2", body=b"{}")
    plain = framed(path, b"Content-Length: 2", body=b"{}")
    assert answered(house, padded).status == answered(house, plain).status
    assert answered(house, padded).status < 500


def test_a_length_beyond_the_limit_is_refused_before_it_is_sent(house: Venue) -> None:
    assert answered(house, framed(TRIGGER, b"Content-Length: 9223372036854775807", body=b"")).status == 413


@pytest.mark.parametrize("path", [path for path in POSTS if path != "/rpc"])
@pytest.mark.parametrize("coding", [b"gzip", b"br", b"deflate, gzip"])
def test_a_compressed_body_is_a_415_that_says_so(house: Venue, path: str, coding: bytes) -> None:
    """C3."""
    body = gzip.compress(b"{}")
    refused = answered(house, request("POST", path, JSON, b"Content-Encoding: " + coding, body=body))
    assert (refused.status, refused.header("accept-encoding")) == (415, "identity")
    in_shape_of(path, refused)
    assert b"compressed" in refused.body


# --- C3: text


NO_TEXT = [
    b'{"market":"btc\xff\xfeusdc"}',
    b'{"market":"\xed\xa0\x80"}',
    b'{"market":"\xc0\x80"}',
    b'{"market":"btc\\u0000usdc"}',
    b'{"market":"\\ud800"}',
    b'{"market":"\\udc00\\ud800"}',
    b'{"market":"\\ud83dx"}',
    b'{"\\u0000":1}',
    b'{"market":"a\0"}',
    b"\xff",
]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", NO_TEXT, ids=repr)
def test_text_that_cannot_be_kept_is_a_400(house: Venue, path: str, body: bytes) -> None:
    """C3. JSON-RPC answers what it cannot parse with 200 and an error, as a node does."""
    refused = answered(house, request("POST", path, JSON, body=body))
    assert refused.status == (200 if path == "/rpc" else 400)
    in_shape_of(path, refused)


def test_text_that_can_be_kept_comes_through(house: Venue) -> None:
    """C3: escapes that only look like NUL or half a character."""
    for word in (b"\\\\u0000", b"\\ud83d\\ude00", b"\xf0\x9f\x98\x80", b"\\\\ud800", b"\\u00e9"):
        body = b'{"walletPubkey":"%s","type":"message"}' % word
        answer = answered(house, request("POST", TRIGGER, JSON, body=body))
        assert (answer.status, list(answer.json["details"])) == (400, ["walletPubkey"]), word


@pytest.mark.parametrize("text", ["%00", "%ff", "%ed%a0%80", "%c0%80", "a%00b"])
@pytest.mark.parametrize(
    "path",
    [
        "/sapi/v1/market/orderbook/?market={}",
        "/trigger/v2/orders/history?mint={}",
        "/trigger/v1/openOrders?wallet={}",
        "/recurring/v1/getRecurringOrders?user={}",
        "/price/v3?ids={}",
        "/price/v2?ids={}",
        "/tokens/v2/search?query={}",
        "/swap/v1/quote?inputMint={}",
        "/openapi/{}.json",
        "/sandbox/{}",
    ],
)
def test_paths_and_queries_that_are_no_text(house: Venue, path: str, text: str) -> None:
    """C3."""
    refused = answered(house, request("GET", path.format(text)))
    assert refused.status == 400
    in_shape_of(path, refused)


@pytest.mark.parametrize("text", ["%00", "%ff", "%ed%a0%80"])
def test_ids_that_are_no_text_are_judged_by_their_api(house: Venue, audited: None, text: str) -> None:
    """C3: as any other that is no id."""
    trader, member = Trader(house).joins(), Member(house)
    member.logs_in()
    order = trader.get(f"/orders/history/{text}")
    assert order.error == (400, "Invalid order ID")
    assert member.ask("GET", f"/sapi/v1/orders/{text}").status == 404


@pytest.mark.parametrize("path", ["/sapi/v1/orders/", f"{ROOT}/vault", "/sandbox", "/price/v3?ids=x", "/health/live"])
@pytest.mark.parametrize(
    "name",
    ["Authorization", "X-Api-Key", "Content-Type", "Origin", "Accept", "User-Agent", "Cookie", "Accept-Language"],
)
def test_headers_that_are_no_text(house: Venue, path: str, name: str) -> None:
    """C3: most are ignored, and those that are read are judged."""
    for value in (b"\xff\xfe", b"JWT \xff", b"Bearer \xe9", "Bearer \U0001f600".encode(), b"a" * 60_000):
        raw = answered(house, request("GET", path, name.encode() + b": " + value))
        assert raw.status in (200, 400, 401, 403, 404, 431)
    refused = answered(house, request("GET", path, name.encode() + b": a\0b"))
    assert refused.status == 400


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 40_000, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
    ids=["open", "objects", "closed"],
)
def test_nesting_without_end(house: Venue, path: str, body: bytes) -> None:
    """C3."""
    refused = answered(house, request("POST", path, JSON, body=body))
    assert refused.status in ((200, 400) if path == "/rpc" else (400, 401))


# --- request lines and heads

KEY = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health/live\r\n\r\n",
        b"GET /health/live HTTP/2.0\r\n" + HOST + b"\r\n",
        b"GET /health/live HTTP/9.9\r\n" + HOST + b"\r\n",
        b"GET  HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET \xff HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /health/live HTTP/1.1\r\n" + HOST + b"Bad Header: 1\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n" + HOST + b": 1\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n" + HOST + b"A: 1\r\n folded\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
        b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"POST /rpc HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"\x00" * 100,
        b"get /health/live HTTP/1.1\r\n" + HOST + b"\r\n",
    ],
    ids=repr,
)
def test_what_is_no_request_is_a_400(house: Venue, head: bytes) -> None:
    assert answered(house, head + b"\r\n").status in ((405,) if head.startswith(b"get") else (400,))


@pytest.mark.parametrize(
    "lines",
    [b"X: " + b"a" * 100_000 + b"\r\n", b"X: a\r\n" * 200, b"X: " + b"a" * 300_000],
    ids=["long", "many", "endless"],
)
def test_headers_beyond_the_limit_are_a_431(house: Venue, lines: bytes) -> None:
    assert answered(house, b"GET /health/live HTTP/1.1\r\n" + HOST + lines + b"\r\n").status == 431


@pytest.mark.parametrize(
    ("asked", "counted"),
    [
        (b"BLAH\r\n\r\n", 'area="elsewhere",status="400"'),
        (b"GET /trigger/v2/vault HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 200 + b"\r\n", 'area="trigger",status="431"'),
        (
            b"GET /trigger/v2/vault HTTP/1.1\r\n" + HOST + UPGRADE + KEY + VERSION + b"\r\n",
            'area="trigger",status="405"',
        ),
        (b"GET /trigger/v2/vault HTTP/1.1\r\n" + HOST + UPGRADE + KEY + b"\r\n", 'area="trigger",status="400"'),
        (b"GET /%s HTTP/1.1\r\n" % (b"a" * 9_000) + HOST + UPGRADE + b"\r\n", 'area="elsewhere",status="400"'),
    ],
)
def test_what_is_refused_before_it_is_a_request_is_counted(house: Venue, asked: bytes, counted: str) -> None:
    def count() -> float:
        lines = house.ask("GET", "/metrics").raw.decode().splitlines()
        name = f"countermand_http_answers_total{{{counted}}} "
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before = count()
    answered(house, asked)
    assert count() == before + 1


def test_a_websocket_whose_handshake_is_malformed(house: Venue) -> None:
    for method, version, more, status in (
        (b"GET", b"1.1", b"", 400),
        (b"GET", b"1.1", b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n", 400),
        (b"GET", b"1.1", KEY + b"Sec-WebSocket-Version: 8\r\n", 400),
        (b"GET", b"1.0", KEY + VERSION, 405),
        (b"POST", b"1.1", KEY + VERSION + b"Content-Length: 2\r\n", 200),
    ):
        head = b"%s /rpc HTTP/%s\r\n%s%s%s\r\n" % (method, version, HOST, UPGRADE, more)
        assert answered(house, head + (b"{}" if method == b"POST" else b"")).status == status


# --- C7: who reaches the sandbox


@pytest.mark.parametrize(
    "lines",
    [
        *(
            b"Host: " + host + b"\r\n"
            for host in (
                b"",
                b"evil.example.org",
                b"127.0.0.1/evil.example.org",
                b"127.0.0.1#x",
                b"127.0.0.1?x",
                b"127.0.0.1\\x",
                b"127.0.0.1@evil.example.org",
                b"evil.example.org@127.0.0.1",
                b"localhost.evil.example.org",
                b"127.0.0.1.evil.example.org",
                b"127.0.0.1:80:80",
                b"127.0.0.1:abc",
                b"127.0.0.1:99999",
                b"127.0.0.1, evil.example.org",
                b"127.0.0.1 evil.example.org",
                b"[::1",
                b"[::1]x",
                b"[::1]:80:80",
                b"[fe80::1]",
                b"127.1",
                b"2130706433",
                b"0.0.0.0",
                b"localhost.",
                b"\xff",
                b"a" * 10_000,
            )
        ),
        b"",
        HOST + HOST,
        HOST + b"Host: evil.example.org\r\n",
        b"Host: evil.example.org\r\n" + HOST,
    ],
    ids=lambda lines: repr(lines)[:60],
)
def test_the_sandbox_wants_one_loopback_host(house: Venue, lines: bytes) -> None:
    """C7: any other is a page of elsewhere whose name was bound anew to this machine, or worse."""
    refused = answered(house, b"GET /sandbox HTTP/1.1\r\n%s%s\r\n" % (lines, CLOSE))
    assert refused.status == 403
    assert list(refused.json) == ["error"]


@pytest.mark.parametrize("target", ["http://evil.example.org", "https://evil.example.org:8080", "http://127.0.0.1:1"])
def test_an_absolute_target_counts_as_a_host(house: Venue, target: str) -> None:
    """C7."""
    assert answered(house, request("GET", f"{target}/sandbox")).status == 403
    foreign = f"GET {target}/sandbox HTTP/1.1\r\nHost: evil.example.org\r\nConnection: close\r\n\r\n"
    assert answered(house, foreign.encode()).status == 403
    own = answered(house, request("GET", "http://127.0.0.1/health/live"))
    assert own.status == 200, "as a client writes that believes to speak to a proxy"


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For: 1.2.3.4", "X-Forwarded-Host: a", "Forwarded: for=1.2.3.4", "Via: 1.1 a", "X-Real-IP: 1.2.3.4"],
)
def test_what_came_through_a_proxy_does_not_reach_the_sandbox(house: Venue, header: str) -> None:
    """C7. The other paths are for everybody."""
    refused = answered(house, request("GET", "/sandbox", header.encode()))
    assert refused.status == 403
    assert "--trust-proxy" in refused.json["error"]
    assert answered(house, request("GET", "/health/live", header.encode())).status == 200


# --- C8: the fault that limits


@pytest.mark.parametrize("path", [f"{ROOT}/vault", "/trigger/v1/openOrders", "/recurring/v1/x", "/sapi/v1/orders/"])
def test_the_fault_that_limits_says_that_nothing_is_left(venue: Venue, path: str) -> None:
    """C8."""
    venue.faults(rateLimit=1)
    limited = answered(venue, request("GET", path))
    assert (limited.status, limited.header("x-ratelimit-remaining"), limited.header("retry-after")) == (429, "0", "1")
    assert answered(venue, request("GET", path)).status != 429


# --- E7: the other paths of the JSON-RPC


@pytest.mark.parametrize("path", ["/rpc", "/rpc/", "/"])
def test_where_the_chain_answers(house: Venue, path: str) -> None:
    """E7: with and without a slash, and where a client asks that was told no path."""
    call = b'{"jsonrpc":"2.0","id":1,"method":"getHealth"}'
    assert answered(house, request("POST", path, JSON, body=call)).json["result"] == "ok"


def test_the_venue_goes_on(house: Venue) -> None:
    assert house.complaints() == []
    assert house.ask("GET", "/health/ready").ok() == {"status": "ready"}
