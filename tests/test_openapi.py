"""Tables of operations become OpenAPI documents."""

import json
from typing import Any, Literal

import msgspec
import pytest

from countermand.dialects.price_v2 import openapi as price_v2
from countermand.dialects.price_v3 import openapi as price_v3
from countermand.dialects.recurring_v1 import openapi as recurring_v1
from countermand.dialects.swap_v1 import openapi as swap_v1
from countermand.dialects.tanx import openapi as tanx
from countermand.dialects.tokens_v2 import openapi as tokens_v2
from countermand.dialects.trigger_v1 import openapi as trigger_v1
from countermand.dialects.trigger_v2 import openapi as trigger_v2
from countermand.examples import Variable
from countermand.openapi import Operation, bearer, document, in_path, query
from countermand.sandbox.openapi import openapi as sandbox_openapi

WALLET = Variable("WALLET", "EHqm", "your wallet")
ORDER = Variable("ORDER", "0199", "an order's id")
TOKEN = Variable("TOKEN", "eyJh", "the token of a login")


class Leg(msgspec.Struct):
    price: str


class Order(msgspec.Struct):
    id: int
    legs: list[Leg]


class Failure(msgspec.Struct):
    error: str


class Filters(msgspec.Struct, rename="camel"):
    wallet: str
    page_size: int = 20


def operation_of(table: Operation) -> dict[str, Any]:
    described: dict[str, Any] = document("Orders", "1", [table])["paths"][table.path][table.method]
    return described


def test_a_type_stands_for_its_schema_at_any_depth() -> None:
    envelope = {"type": "object", "properties": {"payload": {"oneOf": [Order, list[Order] | None]}}}
    made = document(
        "Orders", "1", [Operation("get", "/orders", "Orders", {200: ("Done", envelope), 400: ("", Failure)})]
    )
    responses = made["paths"]["/orders"]["get"]["responses"]
    ref = {"$ref": "#/components/schemas/Order"}
    assert responses["200"]["content"]["application/json"]["schema"] == {
        "type": "object",
        "properties": {"payload": {"oneOf": [ref, {"anyOf": [{"type": "array", "items": ref}, {"type": "null"}]}]}},
    }
    assert responses["400"]["description"] == ""
    assert set(made["components"]["schemas"]) == {"Order", "Leg", "Failure"}
    assert json.loads(json.dumps(made)) == made


def test_what_has_no_schema_is_described_as_something_else() -> None:
    table = [Operation("get", "/orders", "Orders", {200: ("Done", bytes | int)})]
    made = document("Orders", "1", table, described_as=lambda kind: str if kind == bytes | int else kind)
    content = made["paths"]["/orders"]["get"]["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"type": "string"}


def test_the_fields_of_a_struct_are_the_parameters_of_a_query() -> None:
    listed = query(Filters, {"wallet": WALLET, "pageSize": 10})
    assert operation_of(Operation("get", "/orders", "Orders", {}, listed))["parameters"] == [
        {
            "name": "wallet",
            "in": "query",
            "required": True,
            "schema": {"type": "string"},
            "example": "EHqm",
            "x-variable": "WALLET",
        },
        {
            "name": "pageSize",
            "in": "query",
            "required": False,
            "schema": {"type": "integer", "default": 20},
            "example": 10,
        },
    ]


class Flags(msgspec.Struct):
    flag: Literal["true", "True", "false", "False"] = "false"
    version: Literal["V1", "V2"] = "V1"


def test_of_texts_that_differ_in_their_case_alone_one_is_described() -> None:
    flag, version = query(Flags, {})
    assert flag["schema"]["enum"] == ["false", "true"]
    assert version["schema"]["enum"] == ["V1", "V2"]


def test_parameters_by_their_schemas_are_optional_and_may_have_no_example() -> None:
    listed = query({"family": {"type": "string"}}, {})
    assert list(listed) == [{"name": "family", "in": "query", "required": False, "schema": {"type": "string"}}]


def test_only_a_body_of_the_sandbox_that_has_defaults_for_all_may_be_left_out() -> None:
    paths = sandbox_openapi()["paths"]
    optional = {
        (method, path)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if operation.get("requestBody", {}).get("required") is False
    }
    assert optional == {("post", "/sandbox/settle"), ("post", "/sandbox/reset"), ("put", "/sandbox/faults")}


def test_the_example_of_a_body_names_its_variables() -> None:
    example = {"wallet": WALLET, "orders": [ORDER], "limit": 1}
    described = operation_of(Operation("post", "/cancel", "Cancel", {}, body=Leg, example=example))
    content = described["requestBody"]["content"]["application/json"]
    assert content["example"] == {"wallet": "EHqm", "orders": ["0199"], "limit": 1}
    assert content["x-variables"] == {"/wallet": "WALLET", "/orders/0": "ORDER"}


def test_the_document_says_what_its_variables_mean() -> None:
    path = (in_path("id", {"type": "string"}, ORDER),)
    made = document(
        "Orders",
        "1",
        [
            Operation("get", "/orders/{id}", "One order", {}, path, security="token"),
            Operation("post", "/orders/{id}", "Change it", {}, path, body=Leg, example={"price": "1"}),
        ],
        security_schemes={"token": bearer("Bearer $TOKEN", bearerFormat="JWT")},
        variables=(TOKEN,),
    )
    assert made["x-variables"] == {"TOKEN": "the token of a login", "ORDER": "an order's id"}
    assert list(made["paths"]["/orders/{id}"]) == ["get", "post"]
    assert made["paths"]["/orders/{id}"]["get"]["security"] == [{"token": []}]
    assert "security" not in made["paths"]["/orders/{id}"]["post"]
    assert made["components"]["securitySchemes"]["token"]["x-header"] == "Bearer $TOKEN"


def test_each_part_of_a_path_in_braces_is_a_parameter() -> None:
    with pytest.raises(AssertionError, match=r"/orders/\{id\} does not have the parameters"):
        document("Orders", "1", [Operation("get", "/orders/{id}", "One order", {})])


DOCUMENTS = (price_v2, price_v3, recurring_v1, swap_v1, tanx, tokens_v2, trigger_v1, trigger_v2)


def test_each_operation_has_an_id_that_no_other_has_in_any_document() -> None:
    documents = [sandbox_openapi(), *(module.openapi() for module in DOCUMENTS)]
    paths = [path for made in documents for path in made["paths"].values()]
    ids = [operation["operationId"] for path in paths for operation in path.values()]
    assert "patchTriggerV2OrdersPriceByOrderId" in ids
    assert "getSapiV1OrdersByOrder" in ids
    assert sorted(ids) == sorted(set(ids))
