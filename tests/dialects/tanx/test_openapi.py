"""The OpenAPI document of tanX says what the endpoints do."""

import json
from typing import Any

import jsonschema_rs

from countermand.dialects.tanx import absent
from countermand.dialects.tanx.openapi import openapi
from tests.dialects.tanx.order_api import ALICE, BOB, OrderApi, an_order, signed

DOCUMENT = openapi()


def answered(path: str, method: str, status: int) -> dict[str, Any]:
    described = DOCUMENT["paths"][path][method]["responses"][str(status)]["content"]["application/json"]
    return {**described["schema"], "components": DOCUMENT["components"]}


def schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}


def test_every_endpoint_that_is_here_is_described() -> None:
    api, described = OrderApi(), [path.rstrip("/").replace("{order}", "{which}") for path in DOCUMENT["paths"]]
    away = [path for path, _ in absent.resources()]
    assert sorted(path for path in api.paths if path not in away) == sorted(
        path for path in described if "/auth/" not in path and "/user/profile" not in path and "stark_key" not in path
    )
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_what_is_asked_is_as_described() -> None:
    for good in (an_order(), an_order(price="2000.5", volume="0.1"), an_order(ord_type="market")):
        jsonschema_rs.validate(schema("OrderNonceRequest"), good)
    for bad in (an_order(side="x"), an_order(volume="1e"), an_order(price="-1"), {}):
        assert not jsonschema_rs.is_valid(schema("OrderNonceRequest"), bad)
    for order_id in (0, "3", 3.5, None, True):
        assert not jsonschema_rs.is_valid(schema("CancelRequest"), {"order_id": order_id})


def test_what_is_answered_is_as_described() -> None:
    api = OrderApi()
    for who in (ALICE, BOB):
        api.gives(who, eth=10, usdc=10_000)
    api.creates(BOB, side="sell", volume=0.2)
    asked: list[tuple[str, str, Any]] = [
        ("post", "/sapi/v1/orders/nonce/", an_order()),
        ("post", "/sapi/v1/orders/nonce/", {}),
        ("post", "/sapi/v1/orders/create/", signed(api.drafts())),
        ("post", "/sapi/v1/orders/create/", signed({"nonce": 1, "msg_hash": "0x1"})),
        ("post", "/sapi/v1/orders/cancel/", {"order_id": 2}),
        ("post", "/sapi/v1/orders/cancel/", {"order_id": 2}),
        ("post", "/sapi/v1/orders/cancel/", {"order_id": 9}),
        ("post", "/sapi/v1/user/bulkcancel/", {"market": "ethusdc"}),
        ("get", "/sapi/v1/orders/", None),
        ("get", "/sapi/v1/trades/", {"market": "ethusdc"}),
        ("get", "/sapi/v1/user/balance/", None),
        ("get", "/sapi/v1/user/balance/", {"currency": "eth"}),
        ("get", "/sapi/v1/health/", None),
        ("get", "/sapi/v1/market/tickers/", None),
        *(("get", f"/sapi/v1/market/{name}/", {"market": "ethusdc"}) for name in ("orderbook", "trades", "kline")),
        ("post", "/main/stat/v2/coins/", None),
        ("post", "/main/stat/v2/app-and-markets/", None),
    ]
    for method, path, body in asked:
        answer = api.ask(method.upper(), path.rstrip("/"), json=body)
        jsonschema_rs.validate(answered(path, method, answer.status), answer.body)
    one = api.get("/sapi/v1/orders/2")
    jsonschema_rs.validate(answered("/sapi/v1/orders/{order}/", "get", one.status), one.body)
    stranger = api.get("/sapi/v1/orders", None)
    jsonschema_rs.validate(answered("/sapi/v1/orders/", "get", stranger.status), stranger.body)
