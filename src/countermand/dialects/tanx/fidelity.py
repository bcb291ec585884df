"""Where each answer of tanX comes from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.orders.book.model.refusals import BookRefusal
from countermand.sources import OURS, KnownAnswer, Source, documented, observed, ours

_MOCK: Final = observed("the answers that the tests of tanX's own SDKs expect")
_SDK: Final = observed("tanx_connector 2.1.0 acts on it")
_DRF: Final = ours("in the words of Django REST Framework, which the original speaks")

REFUSALS: Final[Mapping[BookRefusal, Source]] = MappingProxyType(
    {
        BookRefusal.NONCE_USED: OURS,
        BookRefusal.MARKET_UNKNOWN: _MOCK,
        BookRefusal.PRICE_MISSING: _DRF,
        BookRefusal.STOP_MISSING: _DRF,
        BookRefusal.VOLUME_TOO_SMALL: OURS,
        BookRefusal.VOLUME_TOO_BIG: OURS,
        BookRefusal.PRICE_TOO_LOW: OURS,
        BookRefusal.PRICE_TOO_HIGH: OURS,
        BookRefusal.PRICE_OUTSIDE_BAND: OURS,
        BookRefusal.INSUFFICIENT_FUNDS: OURS,
        BookRefusal.ORDER_UNKNOWN: OURS,
        BookRefusal.ORDER_DONE: OURS,
        BookRefusal.ORDER_CANCELLED: OURS,
        BookRefusal.AMOUNT_TOO_BIG: OURS,
        BookRefusal.NOTHING_TO_DO: ours("never answered: the engine's own commands"),
    }
)
assert set(REFUSALS) == set(BookRefusal), "every refusal has a source"

ANSWERS: Final = (
    KnownAnswer(401, "Invalid API key", "all", ours("before all else, and in the shape of Jupiter's")),
    KnownAnswer(401, "Authentication credentials were not provided.", "members", _MOCK),
    KnownAnswer(401, "Given token not valid for any token type", "members", _SDK),
    KnownAnswer(401, "Token is invalid or expired", "auth/token/refresh", _MOCK),
    KnownAnswer(400, "Ensure eth_address has at least {least} characters.", "auth/nonce, auth/login", _MOCK),
    KnownAnswer(400, "Invalid Credentials or Token Expired, Kindly login again.", "auth/login", _MOCK),
    KnownAnswer(400, "Another Stark key is registered for this account", "user/stark_key", OURS),
    KnownAnswer(400, "please provide market, market is a mandatory field", "orderbook, bulkcancel", _MOCK),
    KnownAnswer(400, "please enter a valid market", "all with a market", _MOCK),
    KnownAnswer(400, "please enter a valid currency", "user/balance", OURS),
    KnownAnswer(400, "Maximum decimals allowed for {field} is {decimals} in {market} market", "orders/nonce", _MOCK),
    KnownAnswer(400, "Invalid nonce", "orders/create", OURS),
    KnownAnswer(400, "msg_hash mismatch", "orders/create", OURS),
    KnownAnswer(400, "Signature verification failed", "orders/create", OURS),
    KnownAnswer(
        400,
        "No Stark key is registered for this account, so its orders cannot be verified. Register its public key with "
        'POST /sapi/v1/user/stark_key {"stark_key"}',
        "orders/create",
        OURS,
    ),
    KnownAnswer(400, "{field}: {words}", "all", _DRF),
    KnownAnswer(404, "Order not found", "orders/cancel, orders/{id}", OURS),
    KnownAnswer(400, "Malformed JSON in the request body", "all", OURS),
    KnownAnswer(400, "Malformed form in the request body", "all", OURS),
    KnownAnswer(404, "Not found", "all", OURS),
    KnownAnswer(405, "Method not allowed", "all", OURS),
    KnownAnswer(408, "The body did not arrive within {seconds} seconds", "all", OURS),
    KnownAnswer(413, "The body is larger than {bytes} bytes", "all", OURS),
    KnownAnswer(415, "The body is compressed (content-encoding); send it as it is", "all", OURS),
    KnownAnswer(429, "[API Gateway] Too many requests", "all", ours("the fault `rateLimit` alone")),
    KnownAnswer(501, "{sentence}", "deposits, withdrawals, transfers, pnl", ours("they are not served")),
    KnownAnswer(500, "Internal server error", "all", OURS),
    KnownAnswer(503, "Service temporarily unavailable. Nothing was changed. Please retry.", "all", OURS),
    KnownAnswer(503, "The outcome of this request is unknown. Please repeat the same request.", "all", OURS),
)

SHAPES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "/sapi/v1/auth/v2/nonce": documented("login"),
        "/sapi/v1/auth/v2/login": documented("login"),
        "/sapi/v1/auth/token/refresh": _SDK,
        "/sapi/v1/user/profile": documented("profile information"),
        "/sapi/v1/user/stark_key": ours("tanX registers keys on its website"),
        "/sapi/v1/user/balance": documented("balance details"),
        "/sapi/v1/orders/nonce": documented("create order"),
        "/sapi/v1/orders/create": documented("create order"),
        "/sapi/v1/orders/cancel": documented("the seed's page, cancel order"),
        "/sapi/v1/user/bulkcancel": documented("bulk cancel"),
        "/sapi/v1/orders": documented("list orders"),
        "/sapi/v1/orders/{id}": documented("get order"),
        "/sapi/v1/trades": documented("list trades"),
        "/sapi/v1/health": _MOCK,
        "/sapi/v1/market/tickers": _MOCK,
        "/sapi/v1/market/orderbook": documented("order book"),
        "/sapi/v1/market/trades": _MOCK,
        "/sapi/v1/market/kline": documented("k-line data"),
        "/main/stat/v2/coins": _MOCK,
        "/main/stat/v2/app-and-markets": ours("clients read `network_config`; the list of markets is ours"),
    }
)
"""The good answers, by path."""
