"""The shapes of Trigger v1 and of limit/v2 on the wire, answers in their documented order, all names in camel case.

Whole numbers may come as strings of digits or as JSON numbers; an optional field may be null.
"""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

Number: TypeAlias = Annotated[str | int, Meta(description="A string of digits, or a whole number")]
ROWS_OF_A_PAGE: Final = 10


class Shape(Struct, frozen=True, kw_only=True, rename="camel"):
    """What all have in common."""


class Optionals(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """Fields that are left as they are by default are not written."""


# --- requests


class Params(Shape, frozen=True, kw_only=True):
    making_amount: Number
    taking_amount: Number
    expired_at: Annotated[Number | None, Meta(description="Seconds since the Unix epoch")] = None
    slippage_bps: Number | None = None
    fee_bps: Number | None = None


class CreateRequest(Shape, frozen=True, kw_only=True):
    """`referral` is the older name of `fee_account`."""

    input_mint: str
    output_mint: str
    maker: str
    payer: str
    params: Params
    compute_unit_price: Number | None = None
    fee_account: str | None = None
    referral: str | None = None
    wrap_and_unwrap_sol: bool | None = None


class CancelRequest(Shape, frozen=True, kw_only=True):
    maker: str
    order: str | None = None
    orders: tuple[str, ...] | None = None
    compute_unit_price: Number | None = None


class ExecuteRequest(Shape, frozen=True, kw_only=True):
    """`id` is what Recurring v1 calls `request_id`."""

    signed_transaction: str
    request_id: str | None = None
    id: str | None = None


class OrdersParams(Shape, frozen=True, kw_only=True):
    """The query of `orderHistory`. One of `wallet` and `user` is needed."""

    wallet: str | None = None
    user: str | None = None
    input_mint: str | None = None
    output_mint: str | None = None
    page: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 1


class OpenOrdersParams(OrdersParams, frozen=True, kw_only=True):
    """The query of `openOrders`. `response_v2`: by page, and as the histories show orders."""

    response_v2: Annotated[
        Literal["1", "true", "True", "0", "false", "False"],
        Meta(description="`1` or `true`, as Python writes it too: rows by page, ten at a time"),
    ] = "false"


class TriggerOrdersParams(Shape, frozen=True, kw_only=True):
    user: str
    order_status: Literal["active", "history"]
    page: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 1
    include_failed_tx: Literal["true", "True", "false", "False"] = "false"
    input_mint: str | None = None
    output_mint: str | None = None


# --- answers


class ErrorAnswer(Optionals, frozen=True, kw_only=True):
    error: str
    cause: str | UnsetType = UNSET
    code: int
    signature: str | UnsetType = UNSET
    status: Literal["Failed"] | UnsetType = UNSET


class CreatedAnswer(Shape, frozen=True, kw_only=True):
    """Clients in Rust ask for `order` and `code`, also when an order is cancelled."""

    request_id: str
    transaction: str
    order: str
    code: int = 0


class CancellingAnswer(CreatedAnswer, frozen=True, kw_only=True):
    """The cancel of one order."""


class CancellingManyAnswer(Shape, frozen=True, kw_only=True):
    request_id: str
    transactions: tuple[str, ...]
    txs: tuple[str, ...]
    code: int = 0


class LimitCreatedAnswer(Shape, frozen=True, kw_only=True):
    order: str
    tx: str


class LimitCancellingAnswer(Shape, frozen=True, kw_only=True):
    tx: str


class LimitCancellingManyAnswer(Shape, frozen=True, kw_only=True):
    txs: tuple[str, ...]


class ExecutedAnswer(Shape, frozen=True, kw_only=True):
    status: Literal["Success"] = "Success"
    signature: str
    code: int = 0


class OrderAccount(Shape, frozen=True, kw_only=True):
    """An order as the chain has it. `createdAt` and `expiredAt` are ISO times, `updatedAt` is in seconds."""

    borrow_making_amount: str
    created_at: str
    expired_at: str | None
    making_amount: str
    ori_making_amount: str
    ori_taking_amount: str
    taking_amount: str
    unique_id: str
    updated_at: str
    fee_account: str
    input_mint: str
    input_mint_reserve: str
    input_token_program: str
    maker: str
    output_mint: str
    output_token_program: str
    fee_bps: int
    bump: int
    slippage_bps: int


class OpenOrderRow(Shape, frozen=True, kw_only=True):
    account: OrderAccount
    public_key: str


class Trade(Shape, frozen=True, kw_only=True):
    order_key: str
    keeper: str
    input_mint: str
    output_mint: str
    input_amount: str
    output_amount: str
    raw_input_amount: str
    raw_output_amount: str
    fee_mint: str
    fee_amount: str
    raw_fee_amount: str
    tx_id: str
    confirmed_at: str
    action: str
    product_meta: None = None


Status: TypeAlias = Literal["Open", "Completed", "Cancelled"]


class OrderRow(Shape, frozen=True, kw_only=True):
    """Amounts are decimal text: of whole tokens, and of base units where the name begins with `raw`."""

    user_pubkey: str
    order_key: str
    input_mint: str
    output_mint: str
    making_amount: str
    taking_amount: str
    remaining_making_amount: str
    remaining_taking_amount: str
    raw_making_amount: str
    raw_taking_amount: str
    raw_remaining_making_amount: str
    raw_remaining_taking_amount: str
    slippage_bps: str
    expired_at: str | None
    created_at: str
    updated_at: str
    status: Status
    open_tx: str
    close_tx: str
    program_version: str
    trades: tuple[Trade, ...]


class FlatOrderRow(Shape, frozen=True, kw_only=True):
    """As `openOrders` with `responseV2` and `orderHistory` show an order: without the slippage."""

    user_pubkey: str
    order_key: str
    input_mint: str
    output_mint: str
    making_amount: str
    taking_amount: str
    remaining_making_amount: str
    remaining_taking_amount: str
    raw_making_amount: str
    raw_taking_amount: str
    raw_remaining_making_amount: str
    raw_remaining_taking_amount: str
    expired_at: str | None
    created_at: str
    updated_at: str
    status: Status
    open_tx: str
    close_tx: str
    program_version: str
    trades: tuple[Trade, ...]


class LimitOrderRow(Shape, frozen=True, kw_only=True):
    """As `/limit/v2/orderHistory` shows an order: without base units, too."""

    user_pubkey: str
    order_key: str
    input_mint: str
    output_mint: str
    making_amount: str
    taking_amount: str
    remaining_making_amount: str
    remaining_taking_amount: str
    expired_at: str | None
    created_at: str
    updated_at: str
    status: Status
    open_tx: str
    close_tx: str
    program_version: str
    trades: tuple[Trade, ...]


class TriggerOrdersAnswer(Shape, frozen=True, kw_only=True):
    user: str
    order_status: Literal["active", "history"]
    orders: tuple[OrderRow, ...]
    total_pages: int
    page: int


class OrdersPage(Shape, frozen=True, kw_only=True):
    orders: tuple[FlatOrderRow, ...]
    total_pages: int
    page: int
    has_more_data: bool


class LimitHistoryAnswer(Shape, frozen=True, kw_only=True):
    orders: tuple[LimitOrderRow, ...]
    has_more_data: bool
    page: int
