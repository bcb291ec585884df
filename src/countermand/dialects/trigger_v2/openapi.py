"""The OpenAPI document of Trigger v2, from the very types that decode its requests and write its answers."""

from functools import cache
from typing import Annotated, Any, Final, get_args, get_origin

import msgspec

from countermand.dialects.trigger_v2 import dca_wire, wire
from countermand.dialects.trigger_v2.routes import ROOT
from countermand.examples import IN_2100_MS, SOL, USDC, WALLET, Variable
from countermand.openapi import Operation, Responses, Schema, bearer, document, in_path, query

_MEANINGS: Final = {
    400: "Invalid, or not possible in the order's state",
    401: "No valid token, or a wrong signature",
    403: "Not yours",
    404: "Not found",
    409: "Exists already",
    500: "Not landed in time, or not built: repeat the request",
    503: "Unavailable, or of unknown outcome: repeat the request",
}
_TOKEN: Final = Variable("TOKEN", "eyJh…", "the `token` of `POST /trigger/v2/auth/verify`")
_SIGNATURE: Final = Variable("SIGNATURE", "5h6x…", "your wallet's signature of the `challenge`, base58")
_ORDER_ID: Final = Variable(
    "ORDER_ID", "0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3c", "the `id` of `POST /trigger/v2/orders/price`"
)
_DCA_ORDER_ID: Final = Variable(
    "DCA_ORDER_ID", "0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3d", "the `id` of `POST /trigger/v2/orders/dca`"
)
_DEPOSIT: Final = (
    Variable("DEPOSIT_REQUEST_ID", "1b4e28ba-2fa1-4d3b-8c6e-0f1c8f1b0a77", "the `requestId` of `deposit/craft`"),
    Variable("SIGNED_DEPOSIT", "AQAB…", "the `transaction` of `deposit/craft`, signed by your wallet, base64"),
)
_DCA_DEPOSIT: Final = (
    Variable(
        "DCA_DEPOSIT_REQUEST_ID",
        "1b4e28ba-2fa1-4d3b-8c6e-0f1c8f1b0a78",
        'the `requestId` of `deposit/craft` with `"orderType":"dca"`',
    ),
    Variable("SIGNED_DCA_DEPOSIT", "AQAB…", "its `transaction`, signed by your wallet, base64"),
)
_WITHDRAWAL: Final = (
    Variable("CANCEL_REQUEST_ID", "7d444840-9dc0-41d1-b245-5ffdce74fad2", "the `requestId` of the cancel"),
    Variable("SIGNED_WITHDRAWAL", "AQAB…", "the `transaction` of the cancel, signed by your wallet, base64"),
)

_CRAFT: Final = {"inputMint": SOL, "outputMint": USDC, "userAddress": WALLET, "amount": "1000000000"}

_SCHEME: Final = "token"
_IN_PATH: Final = (in_path("order_id", {"type": "string", "format": "uuid"}, _ORDER_ID),)
_DCA_IN_PATH: Final = (in_path("order_id", {"type": "string", "format": "uuid"}, _DCA_ORDER_ID),)


def _history(params: type[msgspec.Struct]) -> tuple[dict[str, Any], ...]:
    """All are optional, and the document leaves it at the default of `required`."""
    parameters = query(params, {"state": "active", "limit": 20, "sort": "updated_at", "dir": "desc"})
    return tuple({name: value for name, value in parameter.items() if name != "required"} for parameter in parameters)


_OF_AN_ORDER: Final = (400, 401, 403, 404, 503)


def _responses(answer: Schema, *failures: int) -> Responses:
    return {200: ("Done", answer), **{status: (_MEANINGS[status], wire.ErrorAnswer) for status in sorted(failures)}}


_OPERATIONS: Final = (
    Operation(
        "post",
        f"{ROOT}/auth/challenge",
        "Ask for a challenge to a wallet",
        _responses({"oneOf": [wire.MessageChallenge, wire.TransactionChallenge]}, 400),
        body=wire.ChallengeRequest,
        example={"walletPubkey": WALLET, "type": "message"},
    ),
    Operation(
        "post",
        f"{ROOT}/auth/verify",
        "Give the signed challenge for a token",
        _responses(wire.TokenAnswer, 400, 401),
        body=wire.VerifyRequest,
        example={"type": "message", "walletPubkey": WALLET, "signature": _SIGNATURE},
    ),
    Operation(
        "get", f"{ROOT}/vault", "The wallet's vault", _responses(wire.VaultAnswer, 401, 404, 503), security=_SCHEME
    ),
    Operation(
        "get",
        f"{ROOT}/vault/register",
        "Make the wallet's vault",
        _responses(wire.VaultAnswer, 401, 409, 503),
        security=_SCHEME,
    ),
    Operation(
        "post",
        f"{ROOT}/deposit/craft",
        "Build the deposit of an order, to be signed",
        _responses(wire.CraftAnswer, 400, 401, 403, 500, 503),
        body=wire.CraftRequest,
        examples={
            "an order by price": _CRAFT | {"orderType": "price", "orderSubType": "single"},
            "a recurring order": _CRAFT | {"orderType": "dca"},
        },
        security=_SCHEME,
    ),
    Operation(
        "post",
        f"{ROOT}/orders/price",
        "Place an order with its signed deposit",
        _responses(wire.PlacedAnswer, 400, 401, 403, 500, 503),
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
        security=_SCHEME,
    ),
    Operation(
        "patch",
        f"{ROOT}/orders/price/{{order_id}}",
        "Change an open order",
        _responses(wire.AmendedAnswer, *_OF_AN_ORDER),
        _IN_PATH,
        body=wire.AmendRequest,
        example={"orderType": "single", "triggerPriceUsd": 1100},
        security=_SCHEME,
    ),
    Operation(
        "post",
        f"{ROOT}/orders/price/cancel/{{order_id}}",
        "Stop all fills, and build the withdrawal, to be signed",
        _responses(wire.CancellingAnswer, *_OF_AN_ORDER, 500),
        _IN_PATH,
        security=_SCHEME,
    ),
    Operation(
        "post",
        f"{ROOT}/orders/price/confirm-cancel/{{order_id}}",
        "Withdraw with the signed transaction",
        _responses(wire.WithdrawnAnswer, *_OF_AN_ORDER, 500),
        _IN_PATH,
        body=wire.ConfirmRequest,
        example={"signedTransaction": _WITHDRAWAL[1], "cancelRequestId": _WITHDRAWAL[0]},
        security=_SCHEME,
    ),
    Operation(
        "post",
        f"{ROOT}/orders/dca",
        "Place a recurring order with its signed deposit",
        _responses(dca_wire.PlacedDcaAnswer, 400, 401, 403, 500, 503),
        body=dca_wire.CreateDcaRequest,
        example={
            "depositRequestId": _DCA_DEPOSIT[0],
            "depositSignedTx": _DCA_DEPOSIT[1],
            "userPubkey": WALLET,
            "inputMint": SOL,
            "outputMint": USDC,
            "inputAmount": "1000000000",
            "orderCount": 3,
            "intervalSeconds": 3600,
        },
        security=_SCHEME,
    ),
    Operation(
        "post",
        f"{ROOT}/orders/dca/cancel/{{order_id}}",
        "Stop all rounds, and build the withdrawal, to be signed",
        _responses(dca_wire.CancellingDcaAnswer, 400, 401, 404, 500, 503),
        _DCA_IN_PATH,
        security=_SCHEME,
    ),
    Operation(
        "post",
        f"{ROOT}/orders/dca/confirm-cancel/{{order_id}}",
        "Withdraw with the signed transaction",
        _responses(wire.WithdrawnAnswer, 400, 401, 404, 500, 503),
        _DCA_IN_PATH,
        body=wire.ConfirmRequest,
        example={"signedTransaction": _WITHDRAWAL[1], "cancelRequestId": _WITHDRAWAL[0]},
        security=_SCHEME,
    ),
    Operation(
        "get",
        f"{ROOT}/orders/history/dca",
        "The wallet's recurring orders",
        _responses(dca_wire.DcaHistoryAnswer, 400, 401, 503),
        _history(dca_wire.DcaHistoryParams),
        security=_SCHEME,
    ),
    Operation(
        "get",
        f"{ROOT}/orders/history/dca/{{order_id}}",
        "One recurring order",
        _responses(dca_wire.DcaItem, 400, 401, 404, 503),
        _DCA_IN_PATH,
        security=_SCHEME,
    ),
    Operation(
        "get",
        f"{ROOT}/orders/history",
        "The wallet's orders",
        _responses(wire.HistoryAnswer, 400, 401, 503),
        _history(wire.HistoryParams),
        security=_SCHEME,
    ),
    Operation(
        "get",
        f"{ROOT}/orders/history/{{order_id}}",
        "One order",
        _responses(wire.HistoryItem, *_OF_AN_ORDER),
        _IN_PATH,
        security=_SCHEME,
    ),
)


def openapi() -> dict[str, Any]:
    return document(
        "Trigger v2",
        "2.0.0",
        _OPERATIONS,
        security_schemes={_SCHEME: bearer("Bearer $TOKEN", bearerFormat="JWT")},
        variables=(_TOKEN,),
        described_as=_describable,
    )


def _describable(kind: Any) -> Any:
    """The same type, but where it holds raw JSON only what is said of it remains: msgspec describes no raw JSON."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _describable_shape(kind)
    if get_origin(kind) is Annotated:
        inner, *said = get_args(kind)
        is_raw = msgspec.Raw in (inner, *get_args(inner))
        return Annotated.__class_getitem__((Any, *said)) if is_raw else kind
    if get_origin(kind) is tuple:
        return tuple.__class_getitem__((_describable(get_args(kind)[0]), ...))
    return kind


@cache
def _describable_shape(shape: type[msgspec.Struct]) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for field in msgspec.structs.fields(shape):
        kind = _describable(field.type)
        if field.required:
            fields.append((field.name, kind))
        elif field.default is wire.ABSENT:
            fields.append((field.name, kind | msgspec.UnsetType, msgspec.UNSET))
        else:
            fields.append((field.name, kind, field.default))
    return msgspec.defstruct(shape.__name__, fields, kw_only=True, rename="camel")
