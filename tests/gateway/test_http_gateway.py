"""What the HTTP gateway lets in, what it answers by itself, and what it adds to every answer."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import cast
from unittest.mock import ANY

import falcon
import pytest
from falcon.asgi import Request, Response

from countermand.gateway import body, http_gateway
from countermand.gateway.asgi import App, Event, Receive, Scope, Send
from countermand.gateway.falcon_app import new_app
from countermand.gateway.http_gateway import HttpGateway
from countermand.sandbox.gateway_faults import FaultyApp, GatewayFaults, at_once
from countermand.settings import Settings
from tests.gateway.asking import Reply, ask

ORDERS = "/trigger/v2/orders/price"
JSON = {"content-type": "application/json"}


class Anything:
    """Answers with what came in."""

    async def on_get(self, req: Request, resp: Response, **_: str) -> None:
        resp.media = {"path": req.path}

    async def on_post(self, req: Request, resp: Response, **_: str) -> None:
        resp.media = {"path": req.path, "bytes": len(await req.stream.read())}

    on_put = on_patch = on_post


class Broken:
    async def on_get(self, req: Request, resp: Response) -> None:
        raise ZeroDivisionError("with a secret")

    async def on_post(self, req: Request, resp: Response) -> None:
        raise falcon.HTTPUnprocessableEntity(description="No.", headers={"x-why": "because"})


def a_gateway(
    faults: GatewayFaults | None = None,
    settings: Settings | None = None,
    body_seconds_max: float | None = None,
    begins: Callable[[], Awaitable[str | None]] = at_once,
) -> HttpGateway:
    app = new_app()
    for path in (ORDERS, "/trigger/v2/vault/register", "/trigger/v2/orders/{id}", "/price/v3", "/sandbox/clock"):
        app.add_route(path, Anything())
    app.add_route("/sapi/v1/orders", Anything())
    app.add_route("/rpc", Anything())
    app.add_route("/broken", Broken())
    faulty = FaultyApp(cast("App", app), faults or GatewayFaults(), begins)
    return HttpGateway(faulty, settings or Settings(), clock=lambda: 1_800_000_000.0, body_seconds_max=body_seconds_max)


async def test_a_request_reaches_the_dialect_with_its_body() -> None:
    reply = await ask(a_gateway(), "POST", ORDERS, JSON, b'{"a":1}')
    assert (reply.status, reply.json) == (200, {"path": ORDERS, "bytes": 7})


async def test_a_chunked_body_arrives_whole() -> None:
    reply = await ask(a_gateway(), "POST", ORDERS, JSON, [b"x" * 100, b"y" * 50])
    assert reply.json["bytes"] == 150


async def test_a_body_may_be_as_large_as_the_limit_and_not_larger() -> None:
    assert (await ask(a_gateway(), "POST", ORDERS, JSON, b"x" * 262_144)).status == 200
    reply = await ask(a_gateway(), "POST", ORDERS, JSON, b"x" * 262_145)
    assert (reply.status, reply.json["code"], reply.headers["connection"]) == (413, 413, "close")


@pytest.mark.parametrize(
    ("path", "answered"),
    [
        ("/sapi/v1/orders/nonce/", '{"status":"error","message":"…","payload":""}'),
        ("/main/stat/v2/coins", '{"status":"error","message":"…","payload":""}'),
        ("/sandbox/prices", '{"error":"…"}'),
        ("/admin/prices", '{"error":{"code":"request_entity_too_large","message":"…"}}'),
        ("/recurring/v1/execute", '{"code":413,"message":"…"}'),
        ("/price/v3", '{"code":413,"message":"…"}'),
    ],
)
async def test_a_body_too_large_is_refused_in_the_shape_that_clients_of_the_path_read(path: str, answered: str) -> None:
    reply = await ask(a_gateway(), "POST", path, JSON, b"x" * 262_145)
    said = reply.body.decode().replace("The body is larger than 262144 bytes", "…")
    assert (reply.status, said, reply.headers["connection"]) == (413, answered, "close")


async def test_a_slow_body_for_tanx_is_refused_in_its_shape() -> None:
    reply: list[Event] = []

    async def receive() -> Event:
        if not reply:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(event: Event) -> None:
        reply.append(event)

    scope = _scope("POST", "/sapi/v1/orders/nonce", {"content-length": "5"})
    await a_gateway(body_seconds_max=0.05)(scope, receive, send)
    assert reply[0]["status"] == 408
    assert reply[1]["body"] == b'{"status":"error","message":"The body did not arrive within 10 seconds","payload":""}'


async def test_a_body_declared_too_large_is_refused_before_it_is_read() -> None:
    app = a_gateway()
    events: list[Event] = []

    async def never() -> Event:
        assert events, "answered before anything was read"
        return {"type": "http.disconnect"}

    async def send(event: Event) -> None:
        events.append(event)

    await app(_scope("POST", ORDERS, {"content-length": "100000000"}), never, send)
    assert events[0]["status"] == 413


async def test_a_chunked_body_is_counted() -> None:
    reply = await ask(a_gateway(), "POST", ORDERS, JSON, (b"x" * 65_536 for _ in range(1_600)))
    assert reply.status == 413


async def test_a_body_that_does_not_come_in_time_is_refused() -> None:
    never = asyncio.Event()
    reply: list[Event] = []

    async def receive() -> Event:
        if reply:
            return {"type": "http.disconnect"}
        await never.wait()
        raise AssertionError

    async def send(event: Event) -> None:
        reply.append(event)

    await a_gateway(body_seconds_max=0.05)(_scope("POST", ORDERS, {"content-length": "5"}), receive, send)
    assert reply[0]["status"] == 408
    assert b"did not arrive" in reply[1]["body"]


async def test_a_stop_hurries_the_bodies_that_still_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "SECONDS_WHEN_CLOSING", 0.05)
    reading = asyncio.Event()
    reply: list[Event] = []

    async def receive() -> Event:
        if reply:
            return {"type": "http.disconnect"}
        reading.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(event: Event) -> None:
        reply.append(event)

    app = a_gateway()
    request = asyncio.create_task(app(_scope("POST", ORDERS, {"content-length": "5"}), receive, send))
    await reading.wait()
    await app.drain()
    await asyncio.wait_for(request, 30)
    assert reply[0]["status"] == 408


async def test_a_peer_that_leaves_in_its_body_gets_no_answer() -> None:
    async def gone() -> Event:
        return {"type": "http.disconnect"}

    async def send(event: Event) -> None:
        raise AssertionError(event)

    await a_gateway()(_scope("POST", ORDERS, {"content-length": "5"}), gone, send)


async def test_drain_closes_the_streams() -> None:
    closed: list[str] = []

    async def close() -> None:
        closed.append("hub")

    await HttpGateway(new_app(), Settings(), closers=[close]).drain()
    assert closed == ["hub"]


async def test_a_peer_may_have_only_so_many_requests_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_gateway, "IN_FLIGHT_PER_PEER_MAX", 2)
    hold = asyncio.Event()

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        await hold.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app = HttpGateway(slow, Settings())
    waiting = [asyncio.create_task(ask(app, "GET", "/rpc")) for _ in range(2)]
    await asyncio.sleep(0)
    third = await ask(app, "GET", "/rpc")
    assert third.status == 503
    assert "in flight" in third.json["message"]
    other = asyncio.create_task(ask(app, "GET", "/rpc", peer="192.0.2.7"))
    hold.set()
    assert [reply.status for reply in await asyncio.gather(*waiting, other)] == [200, 200, 200]
    assert (await ask(app, "GET", "/rpc")).status == 200


async def test_tanx_is_told_in_its_shape_that_too_many_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_gateway, "IN_FLIGHT_PER_PEER_MAX", 0)
    reply = await ask(a_gateway(), "GET", "/sapi/v1/orders")
    assert (reply.status, reply.json) == (503, {"status": "error", "message": http_gateway.CROWDED, "payload": ""})


@pytest.mark.parametrize(
    "path", ["/nowhere", "/trigger/v2/nowhere", "/trigger/v9", "/", "//trigger/v2/orders/price", "/price/v9"]
)
async def test_an_unknown_path_is_a_404_of_the_gateway(path: str) -> None:
    reply = await ask(a_gateway(), "GET", path)
    assert (reply.status, reply.body) == (404, b'{"code":404,"message":"Not found"}')


@pytest.mark.parametrize("path", [ORDERS + "/", "/trigger/v2/orders/", "/price/v3/"])
async def test_a_trailing_slash_is_a_404(path: str) -> None:
    assert (await ask(a_gateway(), "GET", path)).body == b'{"code":404,"message":"Not found"}'


@pytest.mark.parametrize("path", ["/sandbox/nowhere", "/sandbox/clock/", "//sandbox", "/sandbox//clock"])
async def test_an_unknown_path_of_the_sandbox_is_a_404_in_its_own_shape(path: str) -> None:
    reply = await ask(a_gateway(), "GET", path)
    assert (reply.status, reply.body) in ((404, b'{"error":"Not found"}'), (404, b'{"code":404,"message":"Not found"}'))
    assert ("error" in reply.json) is path.startswith("/sandbox")


async def test_an_unknown_path_of_the_operator_is_a_404_in_its_own_shape() -> None:
    reply = await ask(a_gateway(), "GET", "/admin/nowhere")
    assert (reply.status, reply.json) == (404, {"error": {"code": "not_found", "message": "Not found"}})


@pytest.mark.parametrize("path", ["/sapi/v1/orders", "/sapi/v1/orders/"])
async def test_tanx_takes_paths_with_and_without_a_trailing_slash(path: str) -> None:
    reply = await ask(a_gateway(), "GET", path)
    assert (reply.status, reply.json) == (200, {"path": "/sapi/v1/orders"})


async def test_a_wrong_method_says_which_are_right() -> None:
    reply = await ask(a_gateway(), "DELETE", "/trigger/v2/vault/register")
    assert (reply.status, reply.body) == (405, b'{"code":405,"message":"Method not allowed"}')
    assert "GET" in reply.headers["allow"]


@pytest.mark.parametrize(
    "path", [ORDERS, "/price/v3", "/sapi/v1/orders/", "/sandbox/clock", "/rpc", "/nowhere", "/broken"]
)
async def test_head_is_get_without_its_body(path: str) -> None:
    """C2."""
    got, head = await ask(a_gateway(), "GET", path), await ask(a_gateway(), "HEAD", path)
    assert (head.status, head.body, head.ended) == (got.status, b"", True)
    assert head.headers["content-length"] == str(len(got.body))
    assert head.headers["content-type"] == got.headers["content-type"]


async def test_a_lost_answer_is_not_lost_to_a_head() -> None:
    """It changes nothing."""
    faults = GatewayFaults(lose_answers=1)
    assert (await ask(a_gateway(faults), "HEAD", ORDERS)).ended
    assert faults.lose_answers == 1


@pytest.mark.parametrize("method", ["BREW", "TRACE", "PROPFIND"])
async def test_an_unknown_method_is_as_any_that_a_path_has_not(method: str) -> None:
    """C2."""
    reply = await ask(a_gateway(), method, ORDERS)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, PATCH, POST, PUT, OPTIONS, HEAD")


async def test_a_bug_is_a_500_that_tells_nothing() -> None:
    reply = await ask(a_gateway(), "GET", "/broken")
    assert (reply.status, reply.body) == (500, b'{"code":500,"message":"Internal server error"}')


async def test_other_errors_of_falcon_have_the_same_shape() -> None:
    reply = await ask(a_gateway(), "POST", "/broken")
    assert (reply.status, reply.json, reply.headers["x-why"]) == (422, {"code": 422, "message": "No."}, "because")


# API keys


@pytest.mark.parametrize("key", [None, "", "your-api-key"])
async def test_without_configured_keys_any_key_passes(key: str | None) -> None:
    assert (await ask(a_gateway(), "GET", ORDERS, {} if key is None else {"x-api-key": key})).status == 200


@pytest.mark.parametrize(("key", "status"), [(None, 200), ("", 200), ("mine", 200), ("yours", 401), ("MINE", 401)])
@pytest.mark.parametrize("path", [ORDERS, "/price/v3", "/sapi/v1/orders"])
async def test_with_configured_keys_only_unknown_ones_are_refused(path: str, key: str | None, status: int) -> None:
    app = a_gateway(settings=Settings(api_keys=frozenset({"mine", "other"})))
    reply = await ask(app, "GET", path, {} if key is None else {"x-api-key": key})
    assert reply.status == status
    if status == 401:
        assert reply.body == b'{"code":401,"message":"Invalid API key"}'
        assert "x-api-gateway-request-id" in reply.headers
        assert "x-ratelimit-remaining" not in reply.headers


async def test_an_unknown_key_is_refused_before_anything_else() -> None:
    faults = GatewayFaults(rate_limit=1)
    app = a_gateway(faults, Settings(api_keys=frozenset({"mine"})))
    for path in (ORDERS, ORDERS + "/", "/trigger/v2/nowhere"):
        assert (await ask(app, "POST", path, {"x-api-key": "yours"}, b"x" * 300_000)).status == 401
    assert faults.rate_limit == 1


@pytest.mark.parametrize("path", ["/rpc", "/sandbox/clock"])
async def test_keys_are_for_the_dialects_only(path: str) -> None:
    app = a_gateway(settings=Settings(api_keys=frozenset({"mine"})))
    assert (await ask(app, "GET", path, {"x-api-key": "yours"})).status == 200


@pytest.mark.parametrize(
    ("path", "waits"), [("/price/v3", True), ("/sandbox/clock", True), ("/rpc", True), ("/broken", False)]
)
async def test_what_a_reset_replaces_waits_for_its_end(path: str, waits: bool) -> None:
    resetting = asyncio.Event()
    begun = list[bool]()

    async def begins() -> str | None:
        begun.append(True)
        await resetting.wait()
        return None

    asking = asyncio.create_task(ask(a_gateway(begins=begins), "GET", path))
    await asyncio.sleep(0)
    while not begun and not asking.done():
        await asyncio.sleep(0)
    assert asking.done() is not waits
    resetting.set()
    assert (await asking).status == (200 if waits else 500)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ORDERS, {"error": "a half"}),
        ("/trigger/v1/createOrder", {"error": "a half", "code": 503}),
        ("/recurring/v1/createOrder", {"code": 503, "error": "a half", "status": "Service Unavailable"}),
        ("/sapi/v1/orders", {"status": "error", "message": "a half", "payload": ""}),
        ("/price/v3", {"error": "a half"}),
        ("/admin/keys", {"error": {"code": "unavailable", "message": "a half"}}),
        ("/sandbox/clock", None),
    ],
)
async def test_a_half_of_a_sandbox_answers_only_itself(path: str, body: dict[str, object] | None) -> None:
    async def begins() -> str | None:
        return "a half"

    reply = await ask(a_gateway(begins=begins), "GET", path)
    assert (reply.status, reply.json) == ((503, body) if body else (200, reply.json))


# Headers of the gateway


async def test_the_dialects_and_the_price_carry_the_gateways_headers() -> None:
    app = a_gateway()
    ids = set()
    for count, path in enumerate((ORDERS, "/price/v3", "/sapi/v1/orders"), 1):
        reply = await ask(app, "GET", path)
        ids.add(reply.headers["x-api-gateway-request-id"])
        limits = {name: value for name, value in reply.headers.items() if name.startswith("x-ratelimit")}
        assert limits == {
            "x-ratelimit-remaining": str(9_000 - count),
            "x-ratelimit-current": str(count),
            "x-ratelimit-reset": "1800000060",
        }
    assert len(ids) == 3


async def test_no_other_path_carries_them() -> None:
    for path in ("/rpc", "/sandbox/clock", "/nowhere"):
        names = (await ask(a_gateway(), "GET", path)).headers
        assert not [name for name in names if re.match("x-(ratelimit|api-gateway)", name)]


@pytest.mark.parametrize("path", ["/trigger/v2/nowhere", ORDERS + "/"])
async def test_a_404_of_a_dialect_carries_an_id_and_no_limits(path: str) -> None:
    headers = (await ask(a_gateway(), "GET", path)).headers
    assert "x-api-gateway-request-id" in headers
    assert "x-ratelimit-remaining" not in headers


# CORS

EXPOSED = "x-ratelimit-remaining, x-ratelimit-current, x-ratelimit-reset, x-api-gateway-request-id, retry-after"
VARY = "origin, access-control-request-headers, access-control-request-private-network"
PREFLIGHT = {
    "origin": "https://app.example.org",
    "access-control-request-method": "PATCH",
    "access-control-request-headers": "authorization,content-type,x-api-key",
}
PREFLIGHT_ANSWER = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers": "content-type, accept, x-api-key, authorization, solana-client",
    "access-control-expose-headers": EXPOSED,
    "access-control-max-age": "600",
    "vary": VARY,
}


@pytest.mark.parametrize("path", ["/rpc", "/nowhere", "/", "/health/live"])
async def test_a_preflight_is_answered_on_every_path(path: str) -> None:
    reply = await ask(a_gateway(), "OPTIONS", path, PREFLIGHT)
    assert (reply.status, reply.headers, reply.body) == (204, PREFLIGHT_ANSWER, b"")


@pytest.mark.parametrize("path", [ORDERS, "/price/v3", "/sapi/v1/orders/"])
async def test_a_preflight_needs_no_key(path: str) -> None:
    reply = await ask(a_gateway(settings=Settings(api_keys=frozenset({"mine"}))), "OPTIONS", path, PREFLIGHT)
    assert reply.headers.pop("x-api-gateway-request-id")
    assert (reply.status, reply.headers) == (204, PREFLIGHT_ANSWER)


async def test_listed_origins_see_answers_and_others_do_not() -> None:
    app = a_gateway(settings=Settings(cors_origins=("https://app.example.org",)))
    good = await ask(app, "OPTIONS", ORDERS, PREFLIGHT)
    assert good.headers["access-control-allow-origin"] == "https://app.example.org"
    assert good.headers["vary"] == VARY
    bad = await ask(app, "OPTIONS", ORDERS, {**PREFLIGHT, "origin": "https://evil.example.org"})
    assert (bad.status, bad.headers["vary"]) == (204, VARY)
    assert "access-control-allow-origin" not in bad.headers


ASKED = "traceparent, sentry-trace, baggage, cache-control, x-requested-with"


async def test_a_preflight_is_granted_the_headers_that_it_asks_for() -> None:
    """C4: tracing and clients add headers of their own, and a browser blocks the call if one is missing."""
    for asked in (ASKED, ASKED.replace(", ", ","), ASKED.upper(), "x-a, X-A,x-b", "authorization"):
        reply = await ask(a_gateway(), "OPTIONS", ORDERS, {**PREFLIGHT, "access-control-request-headers": asked})
        granted = reply.headers["access-control-allow-headers"].split(", ")
        assert {name.strip().lower() for name in asked.split(",")} <= set(granted)
        assert {"content-type", "x-api-key", "authorization", "solana-client"} <= set(granted)
        assert len(granted) == len(set(granted))
        assert "access-control-request-headers" in reply.headers["vary"]
    nothing = {name: value for name, value in PREFLIGHT.items() if name != "access-control-request-headers"}
    assert (await ask(a_gateway(), "OPTIONS", ORDERS, nothing)).headers == {
        **PREFLIGHT_ANSWER,
        "x-api-gateway-request-id": ANY,
    }


@pytest.mark.parametrize("asked", ["", ",", "a b", "a,,b", "x: y", "é", "a\tb", "*/*", "x" * 5_000])
async def test_what_is_no_list_of_headers_grants_nothing_more(asked: str) -> None:
    """C4."""
    reply = await ask(a_gateway(), "OPTIONS", "/rpc", {**PREFLIGHT, "access-control-request-headers": asked})
    assert (reply.status, reply.headers) == (204, PREFLIGHT_ANSWER)


async def test_an_origin_that_is_not_listed_is_granted_nothing_that_it_asks_for() -> None:
    """C4: outside the sandbox too, a listed origin is granted what it asks for."""
    app = a_gateway(settings=Settings(sandbox=False, cors_origins=("https://app.example.org",)))
    asked = {**PREFLIGHT, "access-control-request-headers": ASKED, "access-control-request-private-network": "true"}
    good = (await ask(app, "OPTIONS", ORDERS, asked)).headers
    assert "baggage" in good["access-control-allow-headers"]
    assert good["access-control-allow-private-network"] == "true"
    bad = (await ask(app, "OPTIONS", ORDERS, {**asked, "origin": "https://evil.example.org"})).headers
    assert bad["access-control-allow-headers"] == PREFLIGHT_ANSWER["access-control-allow-headers"]
    assert "access-control-allow-private-network" not in bad
    assert "access-control-allow-origin" not in bad


async def test_a_page_of_this_machine_is_granted_what_it_asks_for_in_the_sandbox() -> None:
    """C4: and no other page."""
    asked = {**PREFLIGHT, "access-control-request-headers": ASKED, "access-control-request-private-network": "true"}
    own = (await ask(a_gateway(), "OPTIONS", "/sandbox/clock", {**asked, "origin": "http://localhost:3000"})).headers
    assert own["access-control-allow-origin"] == "http://localhost:3000"
    assert "traceparent" in own["access-control-allow-headers"]
    assert own["access-control-allow-private-network"] == "true"
    foreign = (await ask(a_gateway(), "OPTIONS", "/sandbox/clock", asked)).headers
    assert "traceparent" not in foreign["access-control-allow-headers"]
    assert "access-control-allow-private-network" not in foreign


async def test_without_origins_there_is_no_cors() -> None:
    reply = await ask(
        a_gateway(settings=Settings(cors_origins=())), "GET", ORDERS, {"origin": "https://app.example.org"}
    )
    assert not [name for name in reply.headers if name.startswith("access-control")]


async def test_refusals_can_be_read_by_pages_too() -> None:
    app = a_gateway(GatewayFaults(), Settings(api_keys=frozenset({"mine"})))
    origin = {"origin": "https://app.example.org"}
    replies = {
        401: await ask(app, "GET", ORDERS, {**origin, "x-api-key": "yours"}),
        404: await ask(app, "GET", "/nowhere", origin),
        405: await ask(app, "DELETE", "/rpc", origin),
        413: await ask(app, "POST", ORDERS, {**origin, "content-length": "999999"}, b""),
    }
    for status, reply in replies.items():
        assert reply.status == status
        assert reply.headers["access-control-allow-origin"] == "*"
        assert reply.headers["access-control-expose-headers"] == EXPOSED


# The sandbox


async def test_the_sandbox_answers_this_machine() -> None:
    for host in ("127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LOCALHOST"):
        assert (await ask(a_gateway(), "GET", "/sandbox/clock", {"host": host})).status == 200
    for peer in ("::1", "127.9.9.9", "::ffff:127.0.0.1"):
        assert (await ask(a_gateway(), "GET", "/sandbox/clock", peer=peer)).status == 200


@pytest.mark.parametrize("peer", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"])
async def test_the_sandbox_answers_no_other_machine(peer: str) -> None:
    reply = await ask(a_gateway(), "GET", "/sandbox/clock", peer=peer)
    assert (reply.status, list(reply.json)) == (403, ["error"])


@pytest.mark.parametrize(
    "host", ["evil.example.org", "192.0.2.7:8080", "127.0.0.1.evil.example.org", "a@127.0.0.1", ""]
)
async def test_the_sandbox_wants_a_loopback_host(host: str) -> None:
    assert (await ask(a_gateway(), "GET", "/sandbox/clock", {"host": host})).status == 403


@pytest.mark.parametrize(
    "header",
    [
        *("x-forwarded-for", "x-forwarded-anything", "forwarded", "via", "x-real-ip", "cf-connecting-ip"),
        *(
            "x_forwarded_for",
            "x-original-forwarded-for",
            "x-envoy-external-address",
            "x-cluster-client-ip",
            "client-ip",
        ),
        *("fastly-client-ip", "fly-client-ip", "x-azure-clientip", "x-appengine-remote-addr", "cdn-loop", "cf-ray"),
    ],
)
async def test_a_request_that_a_proxy_passed_on_takes_a_setting(header: str) -> None:
    """C7."""
    forwarded = {header: "192.0.2.7"}
    refused = await ask(a_gateway(), "GET", "/sandbox/clock", forwarded)
    assert refused.status == 403
    assert "--trust-proxy" in refused.json["error"]
    trusting = a_gateway(settings=Settings(trust_proxy=True))
    assert (await ask(trusting, "GET", "/sandbox/clock", forwarded)).status == 200
    assert (await ask(trusting, "GET", "/sandbox/clock", {**forwarded, "host": "evil.example.org"})).status == 403
    assert (await ask(trusting, "GET", "/sandbox/clock", forwarded, peer="192.0.2.7")).status == 403


@pytest.mark.parametrize("path", ["//sandbox/clock", "/sandbox//clock"])
async def test_no_path_leads_around_the_guard_of_the_sandbox(path: str) -> None:
    assert (await ask(a_gateway(), "GET", path, peer="192.0.2.7")).status in {403, 404}


async def test_the_sandbox_takes_bodies_as_json_only() -> None:
    for media_type, status in (
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ):
        reply = await ask(a_gateway(), "POST", "/sandbox/clock", {"content-type": media_type}, b"{}")
        assert reply.status == status, media_type


async def test_a_page_of_elsewhere_cannot_touch_the_sandbox() -> None:
    app = a_gateway(settings=Settings(cors_origins=("*", "https://listed.example.org")))
    for origin in ("https://evil.example.org", "null", "http://127.0.0.1.evil.example.org", "http://[::1", "file://"):
        assert (await ask(app, "POST", "/sandbox/clock", {"origin": origin})).status == 403
        preflight = await ask(app, "OPTIONS", "/sandbox/clock", {**PREFLIGHT, "origin": origin})
        assert preflight.status == 204
        assert "access-control-allow-origin" not in preflight.headers
    for origin in ("http://localhost:5173", "http://127.0.0.1:3000", "https://[::1]", "https://listed.example.org"):
        reply = await ask(app, "POST", "/sandbox/clock", {**JSON, "origin": origin}, b"{}")
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, origin)


# Faults


def limits_of(reply: Reply) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name.startswith(("x-ratelimit", "retry"))}


async def test_the_rate_limit_of_the_sandbox() -> None:
    faults = GatewayFaults(rate_limit=2)
    app = a_gateway(faults)
    assert (await ask(app, "GET", "/rpc")).status == 200
    assert (await ask(app, "GET", "/price/v3")).status == 200
    for left in (1, 0):
        reply = await ask(app, "GET", ORDERS)
        assert (reply.status, reply.body) == (429, b'{"code":429,"message":"[API Gateway] Too many requests"}')
        assert limits_of(reply) == {
            "x-ratelimit-remaining": "0",
            "x-ratelimit-current": "9000",
            "x-ratelimit-reset": "1800000001",
            "retry-after": "1",
        }, "C8"
        assert faults.rate_limit == left
    assert (await ask(app, "GET", ORDERS)).status == 200


async def test_the_rate_limit_of_the_sandbox_has_the_shape_of_tanx_there() -> None:
    reply = await ask(a_gateway(GatewayFaults(rate_limit=1)), "GET", "/sapi/v1/orders")
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    assert reply.json == {"status": "error", "message": "[API Gateway] Too many requests", "payload": ""}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", ORDERS), ("PATCH", ORDERS), ("PUT", ORDERS), ("GET", "/trigger/v2/vault/register")],
)
async def test_a_lost_answer_is_cut_in_its_body(method: str, path: str) -> None:
    faults = GatewayFaults(lose_answers=1)
    app = a_gateway(faults)
    whole = len((await ask(a_gateway(), method, path, JSON, b"{}")).body)
    reply = await ask(app, method, path, JSON, b"{}")
    assert (reply.status, reply.headers["content-length"]) == (200, str(whole))
    assert 0 < len(reply.body) < whole
    assert not reply.ended
    assert faults.lose_answers == 0
    assert (await ask(app, method, path, JSON, b"{}")).ended


@pytest.mark.parametrize(("method", "path"), [("GET", ORDERS), ("POST", "/rpc"), ("POST", "/sandbox/clock")])
async def test_other_answers_are_not_lost(method: str, path: str) -> None:
    faults = GatewayFaults(lose_answers=1)
    assert (await ask(a_gateway(faults), method, path, JSON)).ended
    assert faults.lose_answers == 1


@pytest.mark.parametrize(
    ("path", "second", "routed"),
    [
        ("/rpc", False, "/rpc"),
        ("/rpc/", False, "/rpc"),
        ("/rpc/", True, "/rpc"),
        ("/", True, "/rpc"),
        ("/", False, "/"),
        ("/elsewhere", True, "/elsewhere"),
    ],
)
async def test_websockets_pass(path: str, routed: str, *, second: bool) -> None:
    """E7."""
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["path"])

    async def receive() -> Event:
        raise AssertionError

    async def send(_: Event) -> None:
        raise AssertionError

    state = {"second_port": True} if second else {}
    await HttpGateway(app, Settings())({"type": "websocket", "path": path, "state": state}, receive, send)
    assert seen == [routed]


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/private", 404, b'{"status":"error","message":"Not found","payload":""}'),
        ("/sapi/v1/orders", 405, b'{"status":"error","message":"Method not allowed","payload":""}'),
        ("/nowhere", 404, b'{"code":404,"message":"Not found"}'),
    ],
)
async def test_a_websocket_that_is_nowhere_is_told_so(path: str, status: int, body: bytes) -> None:
    """A bare 403, which is what the server makes of it, looks as if the token were wrong."""
    started, answered = await _handshake(path, {"websocket.http.response": {}})
    assert (started["type"], started["status"]) == ("websocket.http.response.start", status)
    assert (answered["type"], answered["body"]) == ("websocket.http.response.body", body)


async def test_a_server_that_cannot_answer_a_handshake_closes_it() -> None:
    (closed,) = await _handshake("/private", {})
    assert (closed["type"], closed["code"]) == ("websocket.close", 3404)


async def _handshake(path: str, extensions: dict[str, dict[str, str]]) -> list[Event]:
    events: list[Event] = []

    async def receive() -> Event:
        return {"type": "websocket.connect"}

    async def send(event: Event) -> None:
        events.append(event)

    scope = _scope("GET", path, {}) | {
        "type": "websocket",
        "query_string": b"",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "subprotocols": [],
        "extensions": extensions,
    }
    await a_gateway()(scope, receive, send)
    return events


def _scope(method: str, path: str, headers: dict[str, str]) -> Scope:
    pairs: Iterable[tuple[str, str]] = {"host": "127.0.0.1", **headers}.items()
    return {
        "type": "http",
        "method": method,
        "path": path,
        "client": ("127.0.0.1", "1"),
        "headers": [(name.encode(), value.encode()) for name, value in pairs],
    }
