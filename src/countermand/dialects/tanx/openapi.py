"""The OpenAPI document of tanX, from the very types that decode its requests and write its answers."""

from collections.abc import Iterator
from typing import Any, Final

from countermand.dialects.tanx import auth, wire
from countermand.examples import Variable
from countermand.openapi import Operation, Responses, Schema, bearer, document, in_path, query

_ABOUT: Final = (
    "Paths work with and without the slash at the end. A body may be JSON or a form, and what a GET is asked for may "
    "stand in its body. Deposits, withdrawals, internal transfers and `user/pnl` answer 501 yet."
)
_MEANINGS: Final = {
    400: "Invalid, or not possible: the message says why",
    401: "No valid token",
    404: "Not found",
    503: "Unavailable, or of unknown outcome: repeat the request",
}
_ACCESS: Final = Variable("ACCESS", "eyJh…", "the `token.access` of a login")
_REFRESH: Final = Variable("REFRESH", "eyJh…", "the `token.refresh` of a login")
_ADDRESS: Final = Variable("ETH_ADDRESS", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F", "your Ethereum address")
_LOGIN_SIGNATURE: Final = Variable(
    "LOGIN_SIGNATURE", "0x5f1d…", "the text of the nonce, signed by your Ethereum key (`personal_sign`), 0x and hex"
)
_STARK_KEY: Final = Variable("STARK_KEY", "0x1ef1…", "the public key that signs your orders, 0x and hex")
_ID: Final = "the `id` of an order of the book"
_BOOK_ORDER: Final = Variable("BOOK_ORDER", 1, _ID)
_SIGNED: Final = {
    "nonce": Variable("NONCE", 1, "the `nonce` of `orders/nonce`"),
    "msg_hash": Variable("MSG_HASH", "0x1d2c…", "the `msg_hash` of `orders/nonce`"),
    "signature": {
        "r": Variable("R", "0x1ef1…", "the `r` of your Stark signature of `MSG_HASH`, 0x and hex"),
        "s": Variable("S", "0x2ab3…", "its `s`"),
    },
}
_DRAFT: Final = {"market": "btcusdc", "ord_type": "limit", "side": "buy", "volume": "0.01", "price": "20000"}
_OF_MARKET: Final = {"market": "btcusdc"}
_IN_PATH: Final = (in_path("order", {"type": "string"}, Variable("BOOK_ORDER", "1", _ID)),)
_SCHEME: Final = "access"


def openapi() -> dict[str, Any]:
    scheme = bearer("JWT $ACCESS", description="`JWT <access>` and `Bearer <access>`")
    return document(
        "tanX",
        "1.0.0",
        (*_of_sessions(), *_of_members(), *_public()),
        description=_ABOUT,
        security_schemes={_SCHEME: scheme},
        variables=(_ACCESS,),
    )


def _responses(payload: Schema, *failures: int, **beside: Schema) -> Responses:
    """`payload`: what the answer carries. `beside`: what stands beside it."""
    properties = {"status": {"const": "success"}, "message": {"type": "string"}, "payload": payload, **beside}
    success = {"type": "object", "properties": properties, "required": list(properties)}
    return {200: ("Done", success), **{status: (_MEANINGS[status], wire.Problem) for status in failures}}


def _of_sessions() -> Iterator[Operation]:
    for path in auth.NONCE_PATHS:
        yield Operation(
            "post",
            f"{path}/",
            "Ask for a text to sign",
            _responses(str, 400, 503),
            body=auth.NonceRequest,
            example={"eth_address": _ADDRESS},
        )
    for path in auth.LOGIN_PATHS:
        yield Operation(
            "post",
            f"{path}/",
            "Log in with a signed text; who comes for the first time is registered",
            _responses(dict[str, str], 400, 503, token=dict[str, str]),
            body=auth.LoginRequest,
            example={"eth_address": _ADDRESS, "user_signature": _LOGIN_SIGNATURE},
        )
    for path in auth.REFRESH_PATHS:
        yield Operation(
            "post",
            f"{path}/",
            "Exchange a refresh token",
            _responses(dict[str, str], 400, 401, 503),
            body=auth.RefreshRequest,
            example={"refresh": _REFRESH},
        )
    yield Operation(
        "get", f"{auth.PROFILE_PATH}/", "Who one is", _responses(dict[str, str | None], 401, 503), security=_SCHEME
    )
    yield Operation(
        "post",
        f"{auth.STARK_KEY_PATH}/",
        "Register the key of one's orders",
        _responses(dict[str, str], 400, 401, 503),
        body=auth.StarkKeyRequest,
        example={"stark_key": _STARK_KEY},
        security=_SCHEME,
    )


def _of_members() -> Iterator[Operation]:
    yield Operation(
        "get",
        "/sapi/v1/user/balance/",
        "One's balances, or one of them",
        _responses(list[wire.BalanceRow] | wire.BalanceOfCurrency, 400, 401, 503),
        query(wire.BalanceParams, {"currency": "usdc"}),
        security=_SCHEME,
    )
    yield Operation(
        "post",
        "/sapi/v1/orders/nonce/",
        "Ask for what signs an order",
        _responses(wire.OrderNoncePayload, 400, 401, 503),
        body=wire.OrderNonceRequest,
        example=_DRAFT,
        security=_SCHEME,
    )
    yield Operation(
        "post",
        "/sapi/v1/orders/create/",
        "Place a signed order",
        _responses(wire.OrderRow, 400, 401, 503),
        body=wire.CreateRequest,
        example=_SIGNED,
        security=_SCHEME,
    )
    yield Operation(
        "post",
        "/sapi/v1/orders/cancel/",
        "Cancel an order",
        _responses(wire.OrderRow, 400, 401, 404, 503),
        body=wire.CancelRequest,
        example={"order_id": _BOOK_ORDER},
        security=_SCHEME,
    )
    yield Operation(
        "post",
        "/sapi/v1/user/bulkcancel/",
        "Cancel the oldest",
        _responses(wire.Nothing, 400, 401, 503),
        body=wire.BulkCancelRequest,
        example=_OF_MARKET | {"limit": 10},
        security=_SCHEME,
    )
    yield Operation(
        "get",
        "/sapi/v1/orders/",
        "One's orders",
        _responses(list[wire.OrderRow], 400, 401, 503),
        query(wire.OrdersParams, _OF_MARKET | {"state": "wait"}),
        security=_SCHEME,
    )
    yield Operation(
        "get",
        "/sapi/v1/orders/{order}/",
        "An order, by its id or its uuid",
        _responses(wire.OrderWithTrades, 400, 401, 404, 503),
        _IN_PATH,
        security=_SCHEME,
    )
    yield Operation(
        "get",
        "/sapi/v1/trades/",
        "One's trades",
        _responses(list[wire.OwnTradeRow], 400, 401, 503),
        query(wire.TradesParams, _OF_MARKET | {"limit": 10}),
        security=_SCHEME,
    )


def _public() -> Iterator[Operation]:
    yield Operation("get", "/sapi/v1/health/", "Whether it works", _responses(str, 400, 503))
    yield Operation(
        "get",
        "/sapi/v1/market/tickers/",
        "The last 24 hours",
        _responses(dict[str, wire.TickerOfMarket], 400, 503),
        query(wire.TickersParams, _OF_MARKET),
    )
    yield Operation(
        "get",
        "/sapi/v1/market/orderbook/",
        "The orders in a book",
        _responses(wire.OrderbookPayload, 400, 503),
        query(wire.OrderbookParams, _OF_MARKET),
    )
    yield Operation(
        "get",
        "/sapi/v1/market/trades/",
        "What was traded",
        _responses(list[wire.PublicTradeRow], 400, 503),
        query(wire.MarketTradesParams, _OF_MARKET),
    )
    yield Operation(
        "get",
        "/sapi/v1/market/kline/",
        "Candles, without a gap",
        _responses(list[wire.Candle], 400, 503),
        query(wire.KlineParams, _OF_MARKET | {"period": 60}),
    )
    yield Operation("post", "/main/stat/v2/coins/", "The coins, by name", _responses(dict[str, Any]))
    yield Operation("post", "/main/stat/v2/app-and-markets/", "Networks and markets", _responses(dict[str, Any]))
