"""The OpenAPI document of Recurring v1, from the very types that decode its requests and write its answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from countermand import examples
from countermand.dialects.recurring_v1 import wire
from countermand.dialects.recurring_v1.routes import ROOT
from countermand.examples import SIGNED_TRANSACTION, SOL, USDC, WALLET, Variable

_REF: Final = "#/components/schemas/{name}"
_BUILT: Final = (wire.BuiltAnswer, wire.OlderBuiltAnswer)
_REFUSED: Final = (wire.ErrorAnswer,)
_REFUSED_IN_BOTH_FORMS: Final = (wire.ErrorAnswer, wire.OlderErrorAnswer)
_UNAVAILABLE: Final = "Unavailable, or of unknown outcome: repeat the request"

Shapes = tuple[type[msgspec.Struct], ...]


@dataclass(frozen=True, slots=True)
class _Operation:
    """`answers`: by status, what it means and what may come."""

    method: str
    path: str
    summary: str
    answers: Mapping[int, tuple[str, Shapes]]
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    example: Any = None
    """Of the body, or of the query."""


_ORDER: Final = Variable("ORDER", "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o", "the order's account, see the list")
_REQUEST_ID: Final = Variable(
    "REQUEST_ID", "1b4e28ba-2fa1-4d3b-8c6e-0f1c8f1b0a77", "the `requestId` of the answer that built the transaction"
)
_CREATES: Final = {
    "user": WALLET,
    "inputMint": USDC,
    "outputMint": SOL,
    "params": {"time": {"inAmount": 200_000_000, "numberOfOrders": 2, "interval": 86_400, "startAt": None}},
}

_PRICE_BASED: Final = {400: ("Price-based orders are not supported", _REFUSED)}
_OPERATIONS: Final = (
    _Operation(
        "post",
        "/createOrder",
        "Build the opening of an order, to be signed",
        {
            200: ("Built", (wire.BuiltAnswer,)),
            400: ("Invalid, or below a minimum", _REFUSED),
            503: (_UNAVAILABLE, _REFUSED),
        },
        body=wire.CreateRequest,
        example=_CREATES,
    ),
    _Operation(
        "post",
        "/cancelOrder",
        "Build the cancel of an order, to be signed",
        {
            200: ("Built, in the form in which it was asked for", _BUILT),
            400: ("Invalid, or no order of this user", _REFUSED_IN_BOTH_FORMS),
            503: (_UNAVAILABLE, _REFUSED_IN_BOTH_FORMS),
        },
        body=wire.CancelRequest,
        example={"order": _ORDER, "user": WALLET, "recurringType": "time"},
    ),
    _Operation(
        "post",
        "/execute",
        "Land a signed transaction that was built here",
        {
            200: ("It landed, with success or without", (wire.ExecutedAnswer,)),
            400: ("Not built here, or not signed", (wire.InvalidAnswer, wire.ErrorAnswer)),
            500: ("Not landed in time: repeat the request", (wire.ExecutedAnswer,)),
            503: (_UNAVAILABLE, _REFUSED),
        },
        body=wire.ExecuteRequest,
        example={"signedTransaction": SIGNED_TRANSACTION, "requestId": _REQUEST_ID},
    ),
    _Operation("post", "/priceDeposit", "Not supported", _PRICE_BASED),
    _Operation("post", "/priceWithdraw", "Not supported", _PRICE_BASED),
    _Operation(
        "get",
        "/getRecurringOrders",
        "The orders of a wallet, the newest first, ten to a page",
        {
            200: ("Named as asked: `time`, or `all`", (wire.TimeOrdersAnswer, wire.AllOrdersAnswer)),
            400: ("Invalid", _REFUSED),
            501: ("Only active orders are known", _REFUSED),
            503: (_UNAVAILABLE, _REFUSED),
        },
        query=wire.OrdersParams,
        example={"user": WALLET, "recurringType": "time", "orderStatus": "active"},
    ),
)


def openapi() -> dict[str, Any]:
    shapes = dict.fromkeys(
        shape
        for operation in _OPERATIONS
        for _, answered in operation.answers.values()
        for shape in (*answered, operation.body)
        if shape is not None
    )
    _, schemas = msgspec.json.schema_components(list(shapes), ref_template=_REF)
    paths = {ROOT + operation.path: {operation.method: _described(operation)} for operation in _OPERATIONS}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Recurring v1", "version": "1.0.0"},
        examples.VARIABLES: examples.meanings(*(operation.example for operation in _OPERATIONS)),
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _described(operation: _Operation) -> dict[str, Any]:
    responses = {
        str(status): {"description": meaning, "content": _content(*shapes)}
        for status, (meaning, shapes) in operation.answers.items()
    }
    described: dict[str, Any] = {"summary": operation.summary, "responses": responses}
    if operation.query is not None:
        described["parameters"] = examples.show_parameters(_parameters(operation.query), operation.example)
    if operation.body is not None:
        content = examples.show_body(_content(operation.body), operation.example)
        described["requestBody"] = {"required": True, "content": content}
    return described


def _parameters(query: type[msgspec.Struct]) -> list[dict[str, Any]]:
    schema = msgspec.json.schema(query)["$defs"][query.__name__]
    return [
        {"name": name, "in": "query", "required": name in schema["required"], "schema": kind}
        for name, kind in schema["properties"].items()
    ]


def _content(*shapes: type[msgspec.Struct]) -> dict[str, Any]:
    refs = [{"$ref": _REF.format(name=shape.__name__)} for shape in shapes]
    return {"application/json": {"schema": refs[0] if len(refs) == 1 else {"anyOf": refs}}}
