"""The OpenAPI document of Recurring v1, from the very types that decode its requests and write its answers."""

from typing import Any, Final

from countermand.dialects.recurring_v1 import wire
from countermand.dialects.recurring_v1.routes import ROOT
from countermand.examples import SIGNED_TRANSACTION, SOL, USDC, WALLET, Variable
from countermand.openapi import Operation, Schema, document, query

_UNAVAILABLE: Final = "Unavailable, or of unknown outcome: repeat the request"
_IN_BOTH_FORMS: Final[Schema] = {"anyOf": [wire.ErrorAnswer, wire.OlderErrorAnswer]}
_PRICE_BASED: Final = {400: ("Price-based orders are not supported", wire.ErrorAnswer)}

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

_OPERATIONS: Final = (
    Operation(
        "post",
        f"{ROOT}/createOrder",
        "Build the opening of an order, to be signed",
        {
            200: ("Built", wire.BuiltAnswer),
            400: ("Invalid, or below a minimum", wire.ErrorAnswer),
            503: (_UNAVAILABLE, wire.ErrorAnswer),
        },
        body=wire.CreateRequest,
        example=_CREATES,
    ),
    Operation(
        "post",
        f"{ROOT}/execute",
        "Land a signed transaction that was built here",
        {
            200: ("It landed, with success or without", wire.ExecutedAnswer),
            400: ("Not built here, or not signed", {"anyOf": [wire.InvalidAnswer, wire.ErrorAnswer]}),
            500: ("Not landed in time: repeat the request", wire.ExecutedAnswer),
            503: (_UNAVAILABLE, wire.ErrorAnswer),
        },
        body=wire.ExecuteRequest,
        example={"signedTransaction": SIGNED_TRANSACTION, "requestId": _REQUEST_ID},
    ),
    Operation(
        "post",
        f"{ROOT}/cancelOrder",
        "Build the cancel of an order, to be signed",
        {
            200: ("Built, in the form in which it was asked for", {"anyOf": [wire.BuiltAnswer, wire.OlderBuiltAnswer]}),
            400: ("Invalid, or no order of this user", _IN_BOTH_FORMS),
            503: (_UNAVAILABLE, _IN_BOTH_FORMS),
        },
        body=wire.CancelRequest,
        example={"order": _ORDER, "user": WALLET, "recurringType": "time"},
    ),
    Operation("post", f"{ROOT}/priceDeposit", "Not supported", _PRICE_BASED),
    Operation("post", f"{ROOT}/priceWithdraw", "Not supported", _PRICE_BASED),
    Operation(
        "get",
        f"{ROOT}/getRecurringOrders",
        "The orders of a wallet, the newest first, ten to a page",
        {
            200: (
                "Named as asked: `time`, `price` or `all`",
                {"anyOf": [wire.TimeOrdersAnswer, wire.PriceOrdersAnswer, wire.AllOrdersAnswer]},
            ),
            400: ("Invalid", wire.ErrorAnswer),
            503: (_UNAVAILABLE, wire.ErrorAnswer),
        },
        query(wire.OrdersParams, {"user": WALLET, "recurringType": "time", "orderStatus": "active"}),
    ),
)


def openapi() -> dict[str, Any]:
    return document("Recurring v1", "1.0.0", _OPERATIONS)
