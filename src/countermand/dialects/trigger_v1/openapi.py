"""The OpenAPI document of Trigger v1 and limit/v2, from the very types that decode requests and write answers."""

from collections.abc import Iterator
from typing import Any, Final

from countermand.dialects.trigger_v1 import wire
from countermand.dialects.trigger_v1.routes import Root
from countermand.examples import IN_2100_S, SIGNED_TRANSACTION, SOL, USDC, WALLET, Variable
from countermand.openapi import Operation, Responses, Schema, document, query

_FAILURES: Final = {
    400: "Invalid, or nothing matches",
    500: "Not built, not confirmed in time, or failed on the chain",
    503: "Unavailable, or of unknown outcome: repeat the request",
}
_ORDER: Final = Variable("ORDER", "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o", "the `order` of `createOrder`")
_CREATES: Final = {
    "inputMint": SOL,
    "outputMint": USDC,
    "maker": WALLET,
    "payer": WALLET,
    "params": {"makingAmount": "1000000000", "takingAmount": "1000000000", "expiredAt": str(IN_2100_S)},
    "computeUnitPrice": "auto",
}
_LISTS: Final = {"wallet": WALLET, "page": 1}

_CREATED: Final = {Root.TRIGGER: wire.CreatedAnswer, Root.LIMIT: wire.LimitCreatedAnswer}
_MANY: Final = {Root.TRIGGER: wire.CancellingManyAnswer, Root.LIMIT: wire.LimitCancellingManyAnswer}
_HISTORIES: Final = {Root.TRIGGER: wire.OrdersPage, Root.LIMIT: wire.LimitHistoryAnswer}
_ONE: Final = {
    Root.TRIGGER: {"oneOf": [wire.CancellingAnswer, wire.CancellingManyAnswer]},
    Root.LIMIT: {"oneOf": [wire.LimitCancellingAnswer, wire.LimitCancellingManyAnswer]},
}


def openapi() -> dict[str, Any]:
    operations = (operation for root in Root for operation in _operations(root))
    return document("Trigger v1 and limit/v2", "1.0.0", operations)


def _operations(root: Root) -> Iterator[Operation]:
    yield Operation(
        "post",
        f"{root.value}/createOrder",
        "Build the transaction that places an order",
        _responses(_CREATED[root]),
        body=wire.CreateRequest,
        example=_CREATES,
    )
    for name in ("execute", "executeOrder"):
        yield Operation(
            "post",
            f"{root.value}/{name}",
            "Land a signed transaction and wait for it",
            _responses(wire.ExecutedAnswer),
            body=wire.ExecuteRequest,
            example={"signedTransaction": SIGNED_TRANSACTION},
        )
    yield Operation(
        "post",
        f"{root.value}/cancelOrder",
        "Build the cancel of one order, or of several",
        _responses(_ONE[root]),
        body=wire.CancelRequest,
        example={"maker": WALLET, "order": _ORDER, "computeUnitPrice": "auto"},
    )
    yield Operation(
        "post",
        f"{root.value}/cancelOrders",
        "Build the cancels of some orders, or of all",
        _responses(_MANY[root]),
        body=wire.CancelRequest,
        example={"maker": WALLET, "orders": [_ORDER], "computeUnitPrice": "auto"},
    )
    yield Operation(
        "get",
        f"{root.value}/openOrders",
        "The orders on the chain",
        _responses({"oneOf": [list[wire.OpenOrderRow], wire.OrdersPage]}),
        query(wire.OpenOrdersParams, _LISTS),
    )
    yield Operation(
        "get",
        f"{root.value}/orderHistory",
        "Orders that are over",
        _responses(_HISTORIES[root]),
        query(wire.OrdersParams, _LISTS),
    )
    yield Operation(
        "get",
        f"{root.value}/getTriggerOrders",
        "Orders, by page",
        _responses(wire.TriggerOrdersAnswer),
        query(wire.TriggerOrdersParams, {"user": WALLET, "orderStatus": "active"}),
    )


def _responses(answer: Schema) -> Responses:
    return {200: ("Done", answer), **{status: (meaning, wire.ErrorAnswer) for status, meaning in _FAILURES.items()}}
