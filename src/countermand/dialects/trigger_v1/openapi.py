"""The OpenAPI document of Trigger v1 and limit/v2, from the very types that decode requests and write answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from countermand import examples
from countermand.dialects.trigger_v1 import wire
from countermand.dialects.trigger_v1.routes import Root
from countermand.examples import IN_2100_S, SIGNED_TRANSACTION, SOL, USDC, WALLET, Variable

_REF: Final = "#/components/schemas/{name}"
_FAILURES: Final = {
    400: "Invalid, or nothing matches",
    500: "Not built, not confirmed in time, or failed on the chain",
    503: "Unavailable, or of unknown outcome: repeat the request",
}


@dataclass(frozen=True, slots=True)
class _Operation:
    """`answers` by root; an order list is an array."""

    name: str
    summary: str
    answers: Mapping[Root, tuple[Any, ...]]
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    example: Any = None
    """Of the body, or of the query."""


_ORDER: Final = Variable("ORDER", "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o", "the `order` of `createOrder`")
_CREATES: Final = {
    "inputMint": SOL,
    "outputMint": USDC,
    "maker": WALLET,
    "payer": WALLET,
    "params": {"makingAmount": "1000000000", "takingAmount": "1000000000", "expiredAt": str(IN_2100_S)},
    "computeUnitPrice": "auto",
}
_EXECUTES: Final = {"signedTransaction": SIGNED_TRANSACTION}
_LISTS: Final = {"wallet": WALLET, "page": 1}


def _same(answer: Any) -> dict[Root, tuple[Any, ...]]:
    return dict.fromkeys(Root, (answer,))


_EXECUTED: Final = "Land a signed transaction and wait for it"
_MANY: Final = {Root.TRIGGER: (wire.CancellingManyAnswer,), Root.LIMIT: (wire.LimitCancellingManyAnswer,)}
_ONE: Final = {
    Root.TRIGGER: (wire.CancellingAnswer, *_MANY[Root.TRIGGER]),
    Root.LIMIT: (wire.LimitCancellingAnswer, *_MANY[Root.LIMIT]),
}
_CREATED: Final = {Root.TRIGGER: (wire.CreatedAnswer,), Root.LIMIT: (wire.LimitCreatedAnswer,)}
_OPERATIONS: Final = (
    _Operation(
        "createOrder", "Build the transaction that places an order", _CREATED, body=wire.CreateRequest, example=_CREATES
    ),
    _Operation("execute", _EXECUTED, _same(wire.ExecutedAnswer), body=wire.ExecuteRequest, example=_EXECUTES),
    _Operation("executeOrder", _EXECUTED, _same(wire.ExecutedAnswer), body=wire.ExecuteRequest, example=_EXECUTES),
    _Operation(
        "cancelOrder",
        "Build the cancel of one order, or of several",
        _ONE,
        body=wire.CancelRequest,
        example={"maker": WALLET, "order": _ORDER, "computeUnitPrice": "auto"},
    ),
    _Operation(
        "cancelOrders",
        "Build the cancels of some orders, or of all",
        _MANY,
        body=wire.CancelRequest,
        example={"maker": WALLET, "orders": [_ORDER], "computeUnitPrice": "auto"},
    ),
    _Operation(
        "openOrders", "The orders on the chain", _same(list[wire.OpenOrderRow]), query=wire.OrdersParams, example=_LISTS
    ),
    _Operation(
        "orderHistory", "Orders that are over", _same(wire.HistoryAnswer), query=wire.OrdersParams, example=_LISTS
    ),
    _Operation(
        "getTriggerOrders",
        "Orders, by page",
        _same(wire.TriggerOrdersAnswer),
        query=wire.TriggerOrdersParams,
        example={"user": WALLET, "orderStatus": "active"},
    ),
)


def openapi() -> dict[str, Any]:
    shapes: dict[Any, None] = {wire.ErrorAnswer: None}
    for operation in _OPERATIONS:
        shapes.update(dict.fromkeys(answer for answers in operation.answers.values() for answer in answers))
        if operation.body is not None:
            shapes[operation.body] = None
    described, schemas = msgspec.json.schema_components(shapes, ref_template=_REF)
    schema_of = dict(zip(shapes, described, strict=True))
    paths = {
        f"{root.value}/{operation.name}": {
            "post" if operation.body else "get": _described(operation, root, schema_of),
        }
        for root in Root
        for operation in _OPERATIONS
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Trigger v1 and limit/v2", "version": "1.0.0"},
        examples.VARIABLES: examples.meanings(*(operation.example for operation in _OPERATIONS)),
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _described(operation: _Operation, root: Root, schema_of: Mapping[Any, Any]) -> dict[str, Any]:
    answers = [schema_of[answer] for answer in operation.answers[root]]
    answered = answers[0] if len(answers) == 1 else {"oneOf": answers}
    responses = {"200": {"description": "Done", "content": _content(answered)}}
    for status, meaning in _FAILURES.items():
        responses[str(status)] = {"description": meaning, "content": _content(schema_of[wire.ErrorAnswer])}
    described: dict[str, Any] = {"summary": operation.summary, "responses": responses}
    if operation.query is not None:
        shape = msgspec.json.schema(operation.query)["$defs"][operation.query.__name__]
        parameters = [
            {"name": name, "in": "query", "required": name in shape.get("required", ()), "schema": schema}
            for name, schema in shape["properties"].items()
        ]
        described["parameters"] = examples.show_parameters(parameters, operation.example)
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": examples.show_body(_content(schema_of[operation.body]), operation.example),
        }
    return described


def _content(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
