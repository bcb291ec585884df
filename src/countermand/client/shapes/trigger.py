"""Trigger v2's answers: price orders and recurring orders. Times of the first are milliseconds, of the second ISO."""

from decimal import Decimal

from msgspec import Struct


class Answer(Struct, frozen=True, kw_only=True, rename="camel"):
    """What all have in common."""


class ChallengeAnswer(Answer, frozen=True, kw_only=True):
    challenge: str | None = None
    transaction: str | None = None


class TokenAnswer(Answer, frozen=True, kw_only=True):
    token: str


class Vault(Answer, frozen=True, kw_only=True):
    user_pubkey: str
    vault_pubkey: str
    privy_vault_id: str | None = None


class CraftAnswer(Answer, frozen=True, kw_only=True):
    transaction: str
    request_id: str
    receiver_address: str
    mint: str
    amount: int
    token_decimals: int | None = None
    input_token_account: str | None = None
    output_token_account: str | None = None


class PlacedAnswer(Answer, frozen=True, kw_only=True):
    id: str
    tx_signature: str
    deposit_confirmed: bool | None = None
    message: str | None = None


class IdAnswer(Answer, frozen=True, kw_only=True):
    id: str


class CancellingAnswer(Answer, frozen=True, kw_only=True):
    """The last two: of a recurring order only."""

    id: str
    transaction: str
    request_id: str
    rounds_remaining: int | None = None
    refund_amount: int | None = None


class WithdrawnAnswer(Answer, frozen=True, kw_only=True):
    id: str
    tx_signature: str


class Event(Answer, frozen=True, kw_only=True):
    """`state`: `success`, `failed` or `pending`."""

    type: str
    timestamp: int
    state: str | None = None
    tx_signature: str | None = None
    mint: str | None = None
    amount: int | None = None
    output_mint: str | None = None
    output_amount: int | None = None
    order_context: str | None = None


class Order(Answer, frozen=True, kw_only=True):
    """A price order as its owner sees it. `order_state` is what is displayed; events are the newest first."""

    id: str
    order_type: str
    order_state: str
    raw_state: str
    user_pubkey: str
    input_mint: str
    initial_input_amount: int
    remaining_input_amount: int | None = None
    output_mint: str
    trigger_mint: str | None = None
    trigger_condition: str | None = None
    trigger_price_usd: Decimal | None = None
    slippage_bps: int | None = None
    expires_at: int | None = None
    created_at: int
    updated_at: int | None = None
    triggered_at: int | None = None
    output_amount: int | None = None
    input_used: int | None = None
    fill_percent: Decimal | None = None
    trailing_bps: int | None = None
    high_watermark: Decimal | None = None
    low_watermark: Decimal | None = None
    tp_price_usd: Decimal | None = None
    sl_price_usd: Decimal | None = None
    tp_slippage_bps: int | None = None
    sl_slippage_bps: int | None = None
    events: tuple[Event, ...] = ()


class Pagination(Answer, frozen=True, kw_only=True):
    total: int
    limit: int
    offset: int


class OrdersAnswer(Answer, frozen=True, kw_only=True):
    orders: tuple[Order, ...]
    pagination: Pagination


class DcaEvent(Answer, frozen=True, kw_only=True):
    """`state`: `success`, `failed`, `rescheduled` or `pending`."""

    type: str
    timestamp: str
    state: str | None = None
    tx_signature: str | None = None
    round_number: int | None = None
    input_amount: int | None = None
    output_amount: int | None = None
    attempt_count: int | None = None


class DcaOrder(Answer, frozen=True, kw_only=True):
    """A recurring order as its owner sees it. Events are the newest first."""

    id: str
    user_pubkey: str
    input_mint: str
    output_mint: str
    input_amount_initial: int
    input_amount_remaining: int
    amount_per_round: int
    output_amount_total: int
    input_amount_used: int
    order_type: str
    min_price_usd: Decimal | None = None
    max_price_usd: Decimal | None = None
    trigger_mint: str | None = None
    number_of_rounds: int
    interval_seconds: int
    begin_fill_at: str | None = None
    next_fill_at: str | None = None
    last_fill_at: str | None = None
    rounds_filled: int
    fill_percent: Decimal | None = None
    state: str
    display_state: str
    created_at: str
    updated_at: str | None = None
    events: tuple[DcaEvent, ...] = ()


class DcaOrdersAnswer(Answer, frozen=True, kw_only=True):
    orders: tuple[DcaOrder, ...]
    pagination: Pagination
