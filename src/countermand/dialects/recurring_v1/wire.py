"""The shapes of Recurring v1 on the wire: requests as they are decoded, answers in their published order of fields.

On the wire all names are in camel case.
"""

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from countermand.openapi import one_of

I64_MAX = 2**63 - 1

Count: TypeAlias = Annotated[int, Meta(ge=0, le=I64_MAX)]
Seconds: TypeAlias = Annotated[int, Meta(ge=-I64_MAX - 1, le=I64_MAX)]
GivenPrice: TypeAlias = Annotated[
    Raw,
    Meta(
        description="Whole tokens of the input for one of the output",
        extra_json_schema={"type": ["number", "null"], "exclusiveMinimum": 0},
    ),
]
NO_PRICE: Any = field(default_factory=lambda: Raw(b"null"))


class Shape(Struct, frozen=True, kw_only=True, rename="camel"):
    """What all have in common."""


# --- requests


class TimeParams(Shape, frozen=True, kw_only=True):
    """`in_amount` is the total, in base units."""

    in_amount: Count
    number_of_orders: Count
    interval: Seconds
    min_price: GivenPrice = NO_PRICE
    max_price: GivenPrice = NO_PRICE
    start_at: Seconds | None = None


class Params(Shape, frozen=True, kw_only=True):
    """Exactly one of the two."""

    time: TimeParams | UnsetType = UNSET
    price: Any = None


class CreateRequest(Shape, frozen=True, kw_only=True):
    user: str
    input_mint: str
    output_mint: str
    params: Params


class CancelRequest(Shape, frozen=True, kw_only=True):
    """`params` in the older form, `recurring_type` in the newer one."""

    order: str
    user: str
    recurring_type: Annotated[str, one_of("time", "price")] | UnsetType = UNSET
    params: Annotated[str, one_of("recurring", "time", "price")] | UnsetType = UNSET


class ExecuteRequest(Shape, frozen=True, kw_only=True):
    """`id` is what the older form calls the request's id."""

    signed_transaction: str
    request_id: str | None = None
    id: str | None = None


class OrdersParams(Shape, frozen=True, kw_only=True):
    """The query of a list of orders."""

    user: str
    recurring_type: Annotated[str, one_of("time", "price", "all")]
    order_status: Annotated[str, one_of("active", "history")]
    page: str | UnsetType = UNSET
    mint: str | UnsetType = UNSET
    include_failed_tx: Annotated[str, one_of("true", "True", "false", "False")] | UnsetType = UNSET


# --- answers


class BuiltAnswer(Shape, frozen=True, kw_only=True):
    request_id: str
    transaction: str


class OlderBuiltAnswer(Shape, frozen=True, kw_only=True):
    id: str
    tx: str


class ExecutedAnswer(Shape, frozen=True, kw_only=True):
    signature: str
    status: Literal["Success", "Failed"]
    order: str | None
    error: str | None


class InvalidAnswer(Shape, frozen=True, kw_only=True):
    """To the execution of something that was not built here, or not signed."""

    error: str = "invalid transaction"
    code: int = 400
    status: str = "Failed"


class ErrorAnswer(Shape, frozen=True, kw_only=True):
    code: int
    error: str
    status: str


class OlderErrorAnswer(Shape, frozen=True, kw_only=True):
    code: int
    message: str
    status: str


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


class OrderRow(Shape, frozen=True, kw_only=True):
    """Amounts are decimal text: of whole tokens, and of base units where the name begins with `raw`."""

    user_pubkey: str
    order_key: str
    input_mint: str
    output_mint: str
    in_deposited: str
    in_withdrawn: str
    raw_in_deposited: str
    raw_in_withdrawn: str
    cycle_frequency: str
    out_withdrawn: str
    in_amount_per_cycle: str
    min_out_amount: str
    max_out_amount: str
    in_used: str
    out_received: str
    raw_out_withdrawn: str
    raw_in_amount_per_cycle: str
    raw_min_out_amount: str
    raw_max_out_amount: str
    raw_in_used: str
    raw_out_received: str
    open_tx: str
    close_tx: str = ""
    user_closed: bool = False
    created_at: str
    updated_at: str
    trades: tuple[Trade, ...]


class TypedOrderRow(OrderRow, frozen=True, kw_only=True):
    recurring_type: Literal["time"] = "time"


class TimeOrdersAnswer(Shape, frozen=True, kw_only=True):
    """A client in Swift asks for `total_items`, which the published shape leaves out."""

    user: str
    order_status: str
    time: tuple[OrderRow, ...]
    total_pages: int
    page: int
    total_items: int


class PriceOrdersAnswer(Shape, frozen=True, kw_only=True):
    user: str
    order_status: str
    price: list[Any] = []
    total_pages: int
    page: int
    total_items: int


class AllOrdersAnswer(Shape, frozen=True, kw_only=True):
    user: str
    order_status: str
    all: tuple[TypedOrderRow, ...]
    total_pages: int
    page: int
    total_items: int
