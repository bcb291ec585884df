"""tanX's answers. Prices and volumes are exact; times are ISO 8601 with an offset."""

from decimal import Decimal

from msgspec import Struct


class Trade(Struct, frozen=True, kw_only=True):
    """One of the account's own trades. `fee_amount` was taken of what was received."""

    id: int
    price: Decimal
    amount: Decimal
    total: Decimal
    market: str
    created_at: str
    side: str
    order_id: int
    fee_currency: str | None = None
    fee_amount: Decimal | None = None
    taker_type: str | None = None


class Order(Struct, frozen=True, kw_only=True):
    """`state`: `pending`, `wait`, `done` or `cancel`. `trades`: of a single order only."""

    id: int
    uuid: str
    side: str
    ord_type: str
    price: Decimal | None = None
    stop_price: Decimal | None = None
    avg_price: Decimal
    state: str
    market: str
    created_at: str
    updated_at: str
    origin_volume: Decimal
    remaining_volume: Decimal
    executed_volume: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    trades_count: int
    cancel_reason: str | None = None
    trades: tuple[Trade, ...] = ()


class Balance(Struct, frozen=True, kw_only=True):
    """`balance` is what can be used; `locked` comes on top."""

    currency: str
    balance: Decimal
    locked: Decimal


class BookOrder(Struct, frozen=True, kw_only=True):
    id: int
    side: str
    price: Decimal
    remaining_volume: Decimal


class Book(Struct, frozen=True, kw_only=True):
    """Orders, not levels, the best price first."""

    asks: tuple[BookOrder, ...]
    bids: tuple[BookOrder, ...]


class Draft(Struct, frozen=True, kw_only=True):
    nonce: int
    msg_hash: str


class Tokens(Struct, frozen=True, kw_only=True):
    access: str
    refresh: str
