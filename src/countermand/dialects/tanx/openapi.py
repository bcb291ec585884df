"""The OpenAPI document of tanX, from the very types that decode its requests and write its answers."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from countermand.dialects.tanx import auth, wire

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


def _public(path: str, summary: str, payload: Any, query: type[msgspec.Struct] | None = None) -> _Operation:
    return _Operation("get", path, summary, payload, query=query, secured=False, statuses=(400, 503))


_ORDER: Final = (400, 401, 404, 503)
_LOGIN: Final = "Log in with a signed text; who comes for the first time is registered"
_OPERATIONS: Final = (
    *(
        _Operation("post", path, "Ask for a text to sign", str, auth.NonceRequest, secured=False, statuses=(400, 503))
        for path in auth.NONCE_PATHS
    ),
    *(
        _Operation(
            *("post", path, _LOGIN, dict[str, str], auth.LoginRequest),
            secured=False,
            statuses=(400, 503),
            top=(("token", dict[str, str]),),
        )
        for path in auth.LOGIN_PATHS
    ),
    *(
        _Operation("post", path, "Exchange a refresh token", dict[str, str], auth.RefreshRequest, secured=False)
        for path in auth.REFRESH_PATHS
    ),
    _Operation("get", auth.PROFILE_PATH, "Who one is", dict[str, str | None], statuses=(401, 503)),
    _Operation("post", auth.STARK_KEY_PATH, "Register the key of one's orders", dict[str, str], auth.StarkKeyRequest),
    _Operation(
        *("get", "/sapi/v1/user/balance", "One's balances, or one of them"),
        payload=list[wire.BalanceRow] | wire.BalanceOfCurrency,
        query=wire.BalanceParams,
    ),
    _Operation(
        "post", "/sapi/v1/orders/nonce", "Ask for what signs an order", wire.OrderNoncePayload, wire.OrderNonceRequest
    ),
    _Operation("post", "/sapi/v1/orders/create", "Place a signed order", wire.OrderRow, wire.CreateRequest),
    _Operation("post", "/sapi/v1/orders/cancel", "Cancel an order", wire.OrderRow, wire.CancelRequest, statuses=_ORDER),
    _Operation("post", "/sapi/v1/user/bulkcancel", "Cancel the oldest", wire.Nothing, wire.BulkCancelRequest),
    _Operation("get", "/sapi/v1/orders", "One's orders", list[wire.OrderRow], query=wire.OrdersParams),
    _Operation(
        "get", "/sapi/v1/orders/{order}", "An order, by its id or its uuid", wire.OrderWithTrades, statuses=_ORDER
    ),
    _Operation("get", "/sapi/v1/trades", "One's trades", list[wire.OwnTradeRow], query=wire.TradesParams),
    _public("/sapi/v1/health", "Whether it works", str),
    _public("/sapi/v1/market/tickers", "The last 24 hours", dict[str, wire.TickerOfMarket], wire.TickersParams),
    _public("/sapi/v1/market/orderbook", "The orders in a book", wire.OrderbookPayload, wire.OrderbookParams),
    _public("/sapi/v1/market/trades", "What was traded", list[wire.PublicTradeRow], wire.MarketTradesParams),
    _public("/sapi/v1/market/kline", "Candles, without a gap", list[wire.Candle], wire.KlineParams),
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
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "access": {"type": "http", "scheme": "bearer", "description": "`JWT <access>` and `Bearer <access>`"}
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
        described["requestBody"] = {"required": True, "content": _json(schema_of[repr(operation.body)])}
    if parameters := _parameters(operation):
        described["parameters"] = parameters
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
