"""The answers of Trigger v1 and limit/v2, and of Recurring v1."""

from decimal import Decimal

from msgspec import Struct


class Answer(Struct, frozen=True, kw_only=True, rename="camel"):
    """What all have in common."""


class BuiltAnswer(Answer, frozen=True, kw_only=True):
    """`tx` and `txs` in limit/v2, `id` in the older form of Recurring v1."""

    request_id: str | None = None
    id: str | None = None
    transaction: str | None = None
    tx: str | None = None
    transactions: tuple[str, ...] | None = None
    txs: tuple[str, ...] | None = None
    order: str | None = None


class ExecutedAnswer(Answer, frozen=True, kw_only=True):
    """`status`: `Success` or `Failed`."""

    status: str
    signature: str
    order: str | None = None
    error: str | None = None


class LimitTrade(Answer, frozen=True, kw_only=True):
    raw_input_amount: int | None = None
    raw_output_amount: int | None = None
    fee_mint: str | None = None
    raw_fee_amount: int | None = None
    tx_id: str
    confirmed_at: str
    action: str


class LimitOrder(Answer, frozen=True, kw_only=True):
    """Amounts that begin with `raw` are base units, the others whole tokens. `close_tx` is "" while it is open."""

    user_pubkey: str
    order_key: str
    input_mint: str
    output_mint: str
    making_amount: Decimal
    taking_amount: Decimal
    remaining_making_amount: Decimal
    remaining_taking_amount: Decimal
    raw_making_amount: int | None = None
    raw_taking_amount: int | None = None
    raw_remaining_making_amount: int | None = None
    raw_remaining_taking_amount: int | None = None
    slippage_bps: int | None = None
    expired_at: str | None = None
    created_at: str
    updated_at: str
    status: str
    open_tx: str
    close_tx: str | None = None
    trades: tuple[LimitTrade, ...] = ()


class LimitOrdersAnswer(Answer, frozen=True, kw_only=True):
    orders: tuple[LimitOrder, ...]
    page: int
    total_pages: int | None = None
    has_more_data: bool | None = None


class OpenAccount(Answer, frozen=True, kw_only=True):
    """An order as the chain has it: `making_amount` and `taking_amount` are what remains of those with `ori`."""

    maker: str
    input_mint: str
    output_mint: str
    making_amount: int
    taking_amount: int
    ori_making_amount: int
    ori_taking_amount: int
    unique_id: int
    expired_at: str | None = None
    created_at: str
    fee_bps: int | None = None


class OpenOrder(Answer, frozen=True, kw_only=True):
    account: OpenAccount
    public_key: str


class RecurringOrder(Answer, frozen=True, kw_only=True):
    """Amounts that begin with `raw` are base units. `close_tx` is "" while it is open."""

    user_pubkey: str
    order_key: str
    input_mint: str
    output_mint: str
    raw_in_deposited: int
    raw_in_withdrawn: int
    raw_in_used: int
    raw_out_received: int
    raw_out_withdrawn: int
    raw_in_amount_per_cycle: int
    cycle_frequency: int
    open_tx: str
    close_tx: str | None = None
    user_closed: bool
    created_at: str
    updated_at: str
    trades: tuple[LimitTrade, ...] = ()


class RecurringOrdersAnswer(Answer, frozen=True, kw_only=True):
    time: tuple[RecurringOrder, ...]
    page: int
    total_pages: int
