"""The OpenAPI document of tanX, from the very types that decode its requests and write its answers."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from countermand import examples
from countermand.dialects.tanx import auth, wire
from countermand.examples import Variable

_REF: Final = "#/components/schemas/{name}"
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


@dataclass(frozen=True, slots=True)
class _Operation:
    """`payload`: the type of what the answer carries. `top`: what stands beside it."""

    method: str
    path: str
    summary: str
    payload: Any
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    secured: bool = True
    statuses: tuple[int, ...] = (400, 401, 503)
    top: tuple[tuple[str, Any], ...] = ()
    example: Any = None
    """Of the body, or of the query."""


def _public(
    path: str, summary: str, payload: Any, query: type[msgspec.Struct] | None = None, example: Any = None
) -> _Operation:
    more: dict[str, Any] = {"secured": False, "statuses": (400, 503), "example": example}
    return _Operation("get", path, summary, payload, query=query, **more)


_ACCESS: Final = Variable("ACCESS", "eyJh…", "the `token.access` of a login")
_REFRESH: Final = Variable("REFRESH", "eyJh…", "the `token.refresh` of a login")
_ADDRESS: Final = Variable("ETH_ADDRESS", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F", "your Ethereum address")
_LOGIN_SIGNATURE: Final = Variable(
    "LOGIN_SIGNATURE", "0x5f1d…", "the text of the nonce, signed by your Ethereum key (`personal_sign`), 0x and hex"
)
_STARK_KEY: Final = Variable("STARK_KEY", "0x1ef1…", "the public key that signs your orders, 0x and hex")
_BOOK_ORDER: Final = Variable("BOOK_ORDER", 1, "the `id` of an order of the book")
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
_ORDER: Final = (400, 401, 404, 503)
_LOGIN: Final = "Log in with a signed text; who comes for the first time is registered"
_OPERATIONS: Final = (
    *(
        _Operation(
            "post",
            path,
            "Ask for a text to sign",
            str,
            auth.NonceRequest,
            secured=False,
            statuses=(400, 503),
            example={"eth_address": _ADDRESS},
        )
        for path in auth.NONCE_PATHS
    ),
    *(
        _Operation(
            *("post", path, _LOGIN, dict[str, str], auth.LoginRequest),
            secured=False,
            statuses=(400, 503),
            top=(("token", dict[str, str]),),
            example={"eth_address": _ADDRESS, "user_signature": _LOGIN_SIGNATURE},
        )
        for path in auth.LOGIN_PATHS
    ),
    *(
        _Operation(
            "post",
            path,
            "Exchange a refresh token",
            dict[str, str],
            auth.RefreshRequest,
            secured=False,
            example={"refresh": _REFRESH},
        )
        for path in auth.REFRESH_PATHS
    ),
    _Operation("get", auth.PROFILE_PATH, "Who one is", dict[str, str | None], statuses=(401, 503)),
    _Operation(
        "post",
        auth.STARK_KEY_PATH,
        "Register the key of one's orders",
        dict[str, str],
        auth.StarkKeyRequest,
        example={"stark_key": _STARK_KEY},
    ),
    _Operation(
        *("get", "/sapi/v1/user/balance", "One's balances, or one of them"),
        payload=list[wire.BalanceRow] | wire.BalanceOfCurrency,
        query=wire.BalanceParams,
        example={"currency": "usdc"},
    ),
    _Operation(
        "post",
        "/sapi/v1/orders/nonce",
        "Ask for what signs an order",
        wire.OrderNoncePayload,
        wire.OrderNonceRequest,
        example=_DRAFT,
    ),
    _Operation(
        "post", "/sapi/v1/orders/create", "Place a signed order", wire.OrderRow, wire.CreateRequest, example=_SIGNED
    ),
    _Operation(
        "post",
        "/sapi/v1/orders/cancel",
        "Cancel an order",
        wire.OrderRow,
        wire.CancelRequest,
        statuses=_ORDER,
        example={"order_id": _BOOK_ORDER},
    ),
    _Operation(
        "post",
        "/sapi/v1/user/bulkcancel",
        "Cancel the oldest",
        wire.Nothing,
        wire.BulkCancelRequest,
        example=_OF_MARKET | {"limit": 10},
    ),
    _Operation(
        "get",
        "/sapi/v1/orders",
        "One's orders",
        list[wire.OrderRow],
        query=wire.OrdersParams,
        example=_OF_MARKET | {"state": "wait"},
    ),
    _Operation(
        "get", "/sapi/v1/orders/{order}", "An order, by its id or its uuid", wire.OrderWithTrades, statuses=_ORDER
    ),
    _Operation(
        "get",
        "/sapi/v1/trades",
        "One's trades",
        list[wire.OwnTradeRow],
        query=wire.TradesParams,
        example=_OF_MARKET | {"limit": 10},
    ),
    _public("/sapi/v1/health", "Whether it works", str),
    _public(
        "/sapi/v1/market/tickers", "The last 24 hours", dict[str, wire.TickerOfMarket], wire.TickersParams, _OF_MARKET
    ),
    _public(
        "/sapi/v1/market/orderbook", "The orders in a book", wire.OrderbookPayload, wire.OrderbookParams, _OF_MARKET
    ),
    _public(
        "/sapi/v1/market/trades", "What was traded", list[wire.PublicTradeRow], wire.MarketTradesParams, _OF_MARKET
    ),
    _public(
        "/sapi/v1/market/kline",
        "Candles, without a gap",
        list[wire.Candle],
        wire.KlineParams,
        _OF_MARKET | {"period": 60},
    ),
    _Operation("post", "/main/stat/v2/coins", "The coins, by name", dict[str, Any], secured=False, statuses=()),
    _Operation(
        "post", "/main/stat/v2/app-and-markets", "Networks and markets", dict[str, Any], secured=False, statuses=()
    ),
)


def openapi() -> dict[str, Any]:
    kinds: list[Any] = [wire.Problem]
    for operation in _OPERATIONS:
        kinds += [kind for kind in (operation.body, operation.payload) if kind is not None]
        kinds += [kind for _, kind in operation.top]
    described, schemas = msgspec.json.schema_components(kinds, ref_template=_REF)
    schema_of = {repr(kind): schema for kind, schema in zip(kinds, described, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in _OPERATIONS:
        paths.setdefault(f"{operation.path}/", {})[operation.method] = _described(operation, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "tanX", "version": "1.0.0", "description": _ABOUT},
        examples.VARIABLES: examples.meanings(_ACCESS, *(operation.example for operation in _OPERATIONS)),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "access": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`JWT <access>` and `Bearer <access>`",
                    examples.HEADER: "JWT $ACCESS",
                }
            },
        },
    }


def _described(operation: _Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    responses = {"200": {"description": "Done", "content": _json(_success(operation, schema_of))}}
    for status in operation.statuses:
        responses[str(status)] = {"description": _MEANINGS[status], "content": _json(schema_of[repr(wire.Problem)])}
    described: dict[str, Any] = {"summary": operation.summary, "responses": responses}
    if operation.secured:
        described["security"] = [{"access": []}]
    if operation.body is not None:
        content = examples.show_body(_json(schema_of[repr(operation.body)]), operation.example)
        described["requestBody"] = {"required": True, "content": content}
    if parameters := _parameters(operation):
        given = operation.example if operation.query is not None else {}
        described["parameters"] = examples.show_parameters(parameters, {"order": _BOOK_ORDER} | given)
    return described


def _success(operation: _Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    carried = {name: schema_of[repr(kind)] for name, kind in (("payload", operation.payload), *operation.top)}
    properties = {"status": {"const": "success"}, "message": {"type": "string"}} | carried
    return {"type": "object", "properties": properties, "required": list(properties)}


def _parameters(operation: _Operation) -> list[dict[str, Any]]:
    named = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
        for part in operation.path.split("/")
        if part.startswith("{")
    ]
    if operation.query is None:
        return named
    schema = msgspec.json.schema(operation.query)["$defs"][operation.query.__name__]
    return named + [
        {"name": name, "in": "query", "required": name in schema["required"], "schema": kind}
        for name, kind in schema["properties"].items()
    ]


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
