"""The shapes of tanX's orders and markets on the wire, answers in their documented order.

Prices and volumes are decimal strings, but for the public trades, where they are JSON numbers.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

_DECIMAL_TEXT: Final = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
_SECONDS: Final = "Seconds since the Unix epoch; from 10¹¹ on, milliseconds"
_MS_MAX: Final = 10**15

Decimal: TypeAlias = Annotated[
    Raw, Meta(description="Exact", extra_json_schema={"anyOf": [{"type": "number"}, _DECIMAL_TEXT], "examples": [1]})
]
"""A number, or a string that says one, kept as it was written."""
Integer: TypeAlias = Annotated[Raw, Meta(extra_json_schema={"type": "integer", "minimum": 1, "examples": [1]})]
"""Kept as it was written, so that a string, `3.0` and `true` can be told from it."""
Number: TypeAlias = Annotated[Raw, Meta(extra_json_schema={"type": "number"})]
"""An exact number in an answer."""

Market: TypeAlias = Annotated[str, Meta(examples=["btcusdc"])]
Side: TypeAlias = Literal["buy", "sell"]
Kind: TypeAlias = Literal["limit", "market", "stop_limit", "limit_maker"]
State: TypeAlias = Literal["pending", "wait", "done", "cancel"]
Direction: TypeAlias = Literal["asc", "desc"]
Time: TypeAlias = Annotated[int, Meta(ge=0, le=_MS_MAX, description=_SECONDS)]
Page: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]

ORDERS_OF_A_PAGE: Final = 50
TRADES_OF_A_PAGE: Final = 100
CANCELS_AT_ONCE: Final = 100
ORDERS_OF_A_BOOK: Final = 20
CANDLES: Final = 30
CANDLES_MAX: Final = 10_000
PERIODS: Final = (1, 5, 15, 30, 60, 120, 240, 360, 720, 1440, 4320, 10080)
"""Minutes."""


class Shape(Struct, frozen=True, kw_only=True):
    """What all have in common."""


# --- requests


class OrderNonceRequest(Shape, frozen=True, kw_only=True):
    """`price`: the limit; of a market order, if there is one, the worst price. `stop_price`: of a stop_limit order."""

    market: Market
    ord_type: Kind
    side: Side
    volume: Decimal
    price: Decimal | UnsetType = UNSET
    stop_price: Decimal | UnsetType = UNSET


class SignatureWire(Shape, frozen=True, kw_only=True):
    """`0x` and hexadecimal digits, with or without leading zeros."""

    r: str
    s: str


class CreateRequest(Shape, frozen=True, kw_only=True):
    nonce: int
    msg_hash: str
    signature: SignatureWire


class CancelRequest(Shape, frozen=True, kw_only=True):
    order_id: Integer


class BulkCancelRequest(Shape, frozen=True, kw_only=True):
    """The oldest first."""

    market: Market
    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None
    side: Side | None = None


class OrdersParams(Shape, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=0, le=1000)] | None = None
    page: Page | None = None
    market: Market | None = None
    ord_type: Kind | None = None
    state: State | None = None
    base_unit: str | None = None
    quote_unit: str | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    side: Side | None = None
    order_by: Direction | None = None


class TradesParams(Shape, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None
    page: Page | None = None
    market: Market | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    order_by: Direction | None = None


class BalanceParams(Shape, frozen=True, kw_only=True):
    currency: str | None = None


class TickersParams(Shape, frozen=True, kw_only=True):
    market: Market | None = None


class OrderbookParams(Shape, frozen=True, kw_only=True):
    market: Market
    asks_limit: Annotated[int, Meta(ge=1, le=200)] | None = None
    bids_limit: Annotated[int, Meta(ge=1, le=200)] | None = None


class MarketTradesParams(Shape, frozen=True, kw_only=True):
    """`timestamp`: only trades before it."""

    market: Market
    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None
    timestamp: Time | None = None
    order_by: Direction | None = None


class KlineParams(Shape, frozen=True, kw_only=True):
    """`period` is in minutes. With both times given there is no limit."""

    market: Market
    limit: Annotated[int, Meta(ge=1, le=CANDLES_MAX)] | None = None
    period: int | None = None
    start_time: Time | None = None
    end_time: Time | None = None


# --- answers


class OrderRow(Shape, frozen=True, kw_only=True):
    """Times are ISO 8601, in seconds, with a numeric offset."""

    id: int
    uuid: str
    side: Side
    ord_type: Kind
    price: str | None
    stop_price: str | None
    avg_price: str
    state: State
    market: str
    created_at: str
    updated_at: str
    origin_volume: str
    remaining_volume: str
    executed_volume: str
    maker_fee: str
    taker_fee: str
    trades_count: int
    cancel_reason: str | None


class OwnTradeRow(Shape, frozen=True, kw_only=True):
    """`fee` is a rate, `fee_amount` what it took of what was received, in `fee_currency`."""

    id: int
    price: str
    amount: str
    total: str
    fee_currency: str
    fee: str
    fee_amount: str
    market: str
    created_at: str
    taker_type: Side
    side: Side
    order_id: int


class OrderWithTrades(OrderRow, frozen=True, kw_only=True):
    trades: tuple[OwnTradeRow, ...]


class PublicOrderRow(Shape, frozen=True, kw_only=True):
    """An order as every client sees it in the book."""

    id: int
    uuid: str
    side: Side
    ord_type: Kind
    price: str
    avg_price: str
    state: State
    market: str
    created_at: str
    updated_at: str
    origin_volume: str
    remaining_volume: str
    executed_volume: str
    maker_fee: str
    taker_fee: str
    trades_count: int


class OrderbookPayload(Shape, frozen=True, kw_only=True):
    """Orders, not levels, the best price first."""

    asks: tuple[PublicOrderRow, ...]
    bids: tuple[PublicOrderRow, ...]


class PublicTradeRow(Shape, frozen=True, kw_only=True):
    """`created_at` is in seconds since the Unix epoch."""

    id: int
    price: Number
    amount: Number
    total: Number
    market: str
    created_at: int
    taker_type: Side


class Ticker(Shape, frozen=True, kw_only=True):
    """Of 24 hours. `volume` is in the quote currency, `amount` in the base currency."""

    at: str
    avg_price: str
    high: str
    last: str
    low: str
    open: str
    price_change_percent: str
    volume: str
    amount: str


class TickerOfMarket(Shape, frozen=True, kw_only=True):
    at: str
    ticker: Ticker


Candle: TypeAlias = Annotated[tuple[Number, ...], Meta(min_length=6, max_length=6)]
"""When its period began in seconds, then open, high, low, close and volume."""


class OrderNoncePayload(Shape, frozen=True, kw_only=True):
    nonce: int
    msg_hash: str


class BalanceRow(Shape, frozen=True, kw_only=True):
    """`balance` is what can be used; `locked` comes on top."""

    currency: str
    balance: str
    locked: str


class BalanceOfCurrency(BalanceRow, frozen=True, kw_only=True):
    deposit_address: None = None


class Nothing(Shape, frozen=True, kw_only=True):
    """`{}`."""


class Problem(Shape, frozen=True, kw_only=True):
    """`payload` is an object where it says more, and a string without meaning elsewhere."""

    status: Literal["error"]
    message: str
    payload: Any
