"""The OpenAPI document of Recurring v1 says what the endpoints do."""

import json
from typing import Any

import jsonschema_rs

from countermand.dialects.recurring_v1.openapi import openapi
from countermand.dialects.recurring_v1.routes import ROOT, resources
from tests.orders.recurring.stage import SEED_ORDER, USER, Stage, a_cancel, a_create, an_order, older_cancel

DOCUMENT = openapi()


def schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}


def answered(path: str, method: str, status: int) -> dict[str, Any]:
    described = DOCUMENT["paths"][f"{ROOT}/{path}"][method]["responses"][str(status)]["content"]["application/json"]
    return {**described["schema"], "components": DOCUMENT["components"]}


def test_every_endpoint_is_described() -> None:
    stage = Stage()
    assert list(DOCUMENT["paths"]) == [path for path, _ in resources(stage.orders)]
    for path, operations in DOCUMENT["paths"].items():
        for method in ("get", "post"):
            status = stage.api.ask(method.upper(), path, body=b"{}").status_code
            assert status == (400 if method in operations else 405), f"{method} {path}"
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_what_is_asked_is_as_described() -> None:
    jsonschema_rs.validate(schema("CreateRequest"), a_create())
    assert not jsonschema_rs.is_valid(schema("CreateRequest"), a_create(inAmount="104000000"))
    jsonschema_rs.validate(schema("CreateRequest"), a_create(minPrice=1, maxPrice=1.5))
    for price in (0, -1, "1"):
        assert not jsonschema_rs.is_valid(schema("CreateRequest"), a_create(minPrice=price))
    for good in (a_cancel(), older_cancel(), older_cancel(params="time")):
        jsonschema_rs.validate(schema("CancelRequest"), good)
    assert not jsonschema_rs.is_valid(schema("CancelRequest"), a_cancel(recurringType="all"))
    jsonschema_rs.validate(schema("ExecuteRequest"), {"signedTransaction": "", "requestId": None})


def test_what_is_answered_is_as_described() -> None:
    stage = Stage()
    stage.chain.has_order(SEED_ORDER, an_order(USER))
    asked = {"createOrder": [a_create(), {}], "cancelOrder": [a_cancel(), older_cancel(), {}, {"params": 1}]}
    asked |= {"execute": [{}, {"signedTransaction": ""}], "priceDeposit": [{}], "priceWithdraw": [{}]}
    for path, bodies in asked.items():
        for body in bodies:
            answer = stage.post(path, body)
            jsonschema_rs.validate(answered(path, "post", answer.status_code), answer.json)
    for kind in ("time", "all", "price", "x"):
        for status in ("active", "history"):
            answer = stage.get(user=USER, recurringType=kind, orderStatus=status)
            jsonschema_rs.validate(answered("getRecurringOrders", "get", answer.status_code), answer.json)
