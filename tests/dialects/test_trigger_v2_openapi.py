"""The OpenAPI document says what the endpoints do."""

import json
from typing import Any

import jsonschema_rs
import pytest

from countermand.dialects.trigger_v2.openapi import openapi
from countermand.dialects.trigger_v2.routes import ROOT
from countermand.orders.trigger.model.order import State
from tests.dialects.fakes import FakeVenue

DOCUMENT = openapi()


def schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}


def test_every_endpoint_is_described() -> None:
    venue = FakeVenue()
    methods = ("get", "post", "patch")
    for path, operations in DOCUMENT["paths"].items():
        for method in operations:
            asked = path.replace("{order_id}", "x")
            assert venue.ask(method.upper(), asked, {}).status_code in (400, 401), f"{method} {path}"
        other = next(method for method in methods if method not in operations)
        assert venue.ask(other.upper(), path.replace("{order_id}", "x"), {}).status_code in (404, 405)
    assert len(DOCUMENT["paths"]) == 16
    assert all(path.startswith(ROOT) for path in DOCUMENT["paths"])
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize("state", State)
def test_what_is_answered_is_as_described(state: State) -> None:
    alice = FakeVenue().user()
    order = alice.has_order_in(state)
    jsonschema_rs.validate(schema("HistoryItem"), alice.sees(order))
    jsonschema_rs.validate(schema("HistoryAnswer"), alice.ask("GET", "/trigger/v2/orders/history").json)
    jsonschema_rs.validate(schema("ErrorAnswer"), alice.ask("PATCH", f"/trigger/v2/orders/price/{order}", {}).json)


def test_what_is_asked_is_as_described() -> None:
    alice = FakeVenue().user()
    crafted = alice.crafts()
    jsonschema_rs.validate(schema("CraftAnswer"), crafted)
    jsonschema_rs.validate(schema("CraftRequest"), alice.craft_body())
    for price in (200.5, "200.5"):
        jsonschema_rs.validate(schema("CreateRequest"), alice.order_body(crafted, triggerPriceUsd=price))
    assert not jsonschema_rs.is_valid(schema("CreateRequest"), alice.order_body(crafted, triggerPriceUsd=True))
    assert not jsonschema_rs.is_valid(schema("CreateRequest"), alice.order_body(crafted, slippageBps=10_001))
    order = alice.places()
    jsonschema_rs.validate(schema("AmendRequest"), {"orderType": "single", "triggerPriceUsd": 1})
    cancelling = alice.cancels(order)
    jsonschema_rs.validate(schema("CancellingAnswer"), cancelling)
    jsonschema_rs.validate(schema("ConfirmRequest"), alice.confirm_body(cancelling))
    jsonschema_rs.validate(schema("WithdrawnAnswer"), alice.withdraws(order).json)
