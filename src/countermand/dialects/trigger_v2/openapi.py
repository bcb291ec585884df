"""The OpenAPI document of Trigger v2, from the very types that decode its requests and write its answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args, get_origin

import msgspec

from countermand import examples
from countermand.dialects.trigger_v2 import wire
from countermand.dialects.trigger_v2.routes import ROOT
from countermand.examples import IN_2100_MS, SOL, USDC, WALLET, Variable

_REF: Final = "#/components/schemas/{name}"
_MEANINGS: Final = {
    200: "Done",
    400: "Invalid, or not possible in the order's state",
    401: "No valid token, or a wrong signature",
    403: "Not yours",
    404: "Not found",
    409: "Exists already",
    500: "Not landed in time, or not built: repeat the request",
    503: "Unavailable, or of unknown outcome: repeat the request",
}


@dataclass(frozen=True, slots=True)
class _Operation:
    method: str
    path: str
    summary: str
    answers: tuple[type[msgspec.Struct], ...]
    statuses: tuple[int, ...]
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    secured: bool = True
    example: Any = None
    """Of the body, or of the query."""


_TOKEN: Final = Variable("TOKEN", "eyJh…", "the `token` of `POST /trigger/v2/auth/verify`")
_SIGNATURE: Final = Variable("SIGNATURE", "5h6x…", "your wallet's signature of the `challenge`, base58")
_ORDER_ID: Final = Variable(
    "ORDER_ID", "0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3c", "the `id` of `POST /trigger/v2/orders/price`"
)
_DEPOSIT: Final = (
    Variable("DEPOSIT_REQUEST_ID", "1b4e28ba-2fa1-4d3b-8c6e-0f1c8f1b0a77", "the `requestId` of `deposit/craft`"),
    Variable("SIGNED_DEPOSIT", "AQAB…", "the `transaction` of `deposit/craft`, signed by your wallet, base64"),
)
_WITHDRAWAL: Final = (
    Variable("CANCEL_REQUEST_ID", "7d444840-9dc0-41d1-b245-5ffdce74fad2", "the `requestId` of the cancel"),
    Variable("SIGNED_WITHDRAWAL", "AQAB…", "the `transaction` of the cancel, signed by your wallet, base64"),
)

_ORDER: Final = (400, 401, 403, 404, 503)
_OPERATIONS: Final = (
    _Operation(
        "post",
        "/auth/challenge",
        "Ask for a challenge to a wallet",
        (wire.MessageChallenge, wire.TransactionChallenge),
        (400,),
        body=wire.ChallengeRequest,
        secured=False,
        example={"walletPubkey": WALLET, "type": "message"},
    ),
    _Operation(
        "post",
        "/auth/verify",
        "Give the signed challenge for a token",
        (wire.TokenAnswer,),
        (400, 401),
        body=wire.VerifyRequest,
        secured=False,
        example={"type": "message", "walletPubkey": WALLET, "signature": _SIGNATURE},
    ),
    _Operation("get", "/vault", "The wallet's vault", (wire.VaultAnswer,), (401, 404, 503)),
    _Operation("get", "/vault/register", "Make the wallet's vault", (wire.VaultAnswer,), (401, 409, 503)),
    _Operation(
        "post",
        "/deposit/craft",
        "Build the deposit of an order, to be signed",
        (wire.CraftAnswer,),
        (400, 401, 403, 500, 503),
        body=wire.CraftRequest,
        example={
            "inputMint": SOL,
            "outputMint": USDC,
            "userAddress": WALLET,
            "amount": "1000000000",
            "orderType": "price",
            "orderSubType": "single",
        },
    ),
    _Operation(
        "post",
        "/orders/price",
        "Place an order with its signed deposit",
        (wire.PlacedAnswer,),
        (400, 401, 403, 500, 503),
        body=wire.CreateRequest,
        example={
            "orderType": "single",
            "depositRequestId": _DEPOSIT[0],
            "depositSignedTx": _DEPOSIT[1],
            "userPubkey": WALLET,
            "inputMint": SOL,
            "inputAmount": "1000000000",
            "outputMint": USDC,
            "triggerMint": SOL,
            "triggerCondition": "above",
            "triggerPriceUsd": 1000,
            "slippageBps": 100,
            "expiresAt": IN_2100_MS,
        },
    ),
    _Operation(
        "patch",
        "/orders/price/{order_id}",
        "Change an open order",
        (wire.AmendedAnswer,),
        _ORDER,
        body=wire.AmendRequest,
        example={"orderType": "single", "triggerPriceUsd": 1100},
    ),
    _Operation(
        "post",
        "/orders/price/cancel/{order_id}",
        "Stop all fills, and build the withdrawal, to be signed",
        (wire.CancellingAnswer,),
        (*_ORDER, 500),
    ),
    _Operation(
        "post",
        "/orders/price/confirm-cancel/{order_id}",
        "Withdraw with the signed transaction",
        (wire.WithdrawnAnswer,),
        (*_ORDER, 500),
        body=wire.ConfirmRequest,
        example={"signedTransaction": _WITHDRAWAL[1], "cancelRequestId": _WITHDRAWAL[0]},
    ),
    _Operation(
        "get",
        "/orders/history",
        "The wallet's orders",
        (wire.HistoryAnswer,),
        (400, 401, 503),
        query=wire.HistoryParams,
        example={"state": "active", "limit": 20, "sort": "updated_at", "dir": "desc"},
    ),
    _Operation("get", "/orders/history/{order_id}", "One order", (wire.HistoryItem,), _ORDER),
)


def openapi() -> dict[str, Any]:
    shapes = dict.fromkeys(
        shape for operation in _OPERATIONS for shape in (*operation.answers, operation.body) if shape
    )
    describable: dict[Any, Any] = {}
    kinds = [_describable(shape, describable) for shape in (*shapes, wire.ErrorAnswer)]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in _OPERATIONS:
        paths.setdefault(ROOT + operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Trigger v2", "version": "2.0.0"},
        examples.VARIABLES: examples.meanings(_TOKEN, _ORDER_ID, *(operation.example for operation in _OPERATIONS)),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    examples.HEADER: "Bearer $TOKEN",
                }
            },
        },
    }


def _described(operation: _Operation) -> dict[str, Any]:
    refs = [_ref(shape) for shape in operation.answers]
    answered = _content(refs[0] if len(refs) == 1 else {"oneOf": refs})
    failed = _content(_ref(wire.ErrorAnswer))
    responses = {"200": {"description": _MEANINGS[200], "content": answered}}
    for status in sorted(operation.statuses):
        responses[str(status)] = {"description": _MEANINGS[status], "content": failed}
    described: dict[str, Any] = {"summary": operation.summary, "responses": responses}
    parameters = _parameters(operation)
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = examples.show_body(_content(_ref(operation.body)), operation.example)
        described["requestBody"] = {"required": True, "content": content}
    if operation.secured:
        described["security"] = [{"token": []}]
    return described


def _parameters(operation: _Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    if "{order_id}" in operation.path:
        schema = {"type": "string", "format": "uuid"}
        parameters.append({"name": "order_id", "in": "path", "required": True, "schema": schema})
    if operation.query is not None:
        properties = msgspec.json.schema(operation.query)["$defs"][operation.query.__name__]["properties"]
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]
    given = operation.example if operation.query is not None else {}
    return examples.show_parameters(parameters, {"order_id": _ORDER_ID} | given)


def _content(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(shape: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=shape.__name__)}


def _describable(kind: Any, done: dict[Any, Any]) -> Any:
    """The same type, but where it holds raw JSON only what is said of it remains: msgspec describes no raw JSON."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind not in done:
            done[kind] = _describable_shape(kind, done)
        return done[kind]
    if get_origin(kind) is Annotated:
        inner, *said = get_args(kind)
        is_raw = msgspec.Raw in (inner, *get_args(inner))
        return Annotated.__class_getitem__((Any, *said)) if is_raw else kind
    if get_origin(kind) is tuple:
        return tuple.__class_getitem__((_describable(get_args(kind)[0], done), ...))
    return kind


def _describable_shape(shape: type[msgspec.Struct], done: dict[Any, Any]) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for field in msgspec.structs.fields(shape):
        kind = _describable(field.type, done)
        if field.required:
            fields.append((field.name, kind))
        elif field.default is wire.ABSENT:
            fields.append((field.name, kind | msgspec.UnsetType, msgspec.UNSET))
        else:
            fields.append((field.name, kind, field.default))
    return msgspec.defstruct(shape.__name__, fields, kw_only=True, rename="camel")
