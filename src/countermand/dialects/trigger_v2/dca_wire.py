"""The shapes of Trigger v2's recurring orders on the wire. Their times are ISO 8601 strings."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from countermand.dialects.trigger_v2.states import DcaDisplayState, DcaRawState
from countermand.dialects.trigger_v2.wire import (
    ABSENT,
    Amount,
    ExactNumber,
    GivenUsd,
    HistoryPageParams,
    NullableNumber,
    Optionals,
    Pagination,
    Shape,
)
from countermand.openapi import one_of

ROUNDS_MAX = 2**53 - 1
"""There is no bound but that of a number in JavaScript."""
Iso: TypeAlias = Annotated[str, Meta(description="ISO 8601, UTC", extra_json_schema={"format": "date-time"})]


class CreateDcaRequest(Shape, frozen=True, kw_only=True):
    deposit_request_id: str
    deposit_signed_tx: str
    user_pubkey: str
    input_mint: str
    output_mint: str
    input_amount: Amount
    order_count: Annotated[int, Meta(ge=2, le=ROUNDS_MAX)]
    interval_seconds: Annotated[int, Meta(ge=60, le=31_536_000)]
    order_type: Literal["time_based", "price_conditional"] | UnsetType = UNSET
    min_price_usd: GivenUsd = ABSENT
    max_price_usd: GivenUsd = ABSENT
    trigger_mint: str | UnsetType | None = UNSET
    begin_fill_at: str | UnsetType | None = UNSET
    jl_enabled: bool | UnsetType | None = UNSET
    jl_mint: str | UnsetType | None = UNSET


class DcaHistoryParams(HistoryPageParams, frozen=True, kw_only=True):
    """The query of a history of recurring orders."""

    sort: Literal["updated_at", "created_at", "next_fill_at"] = "updated_at"


class PlacedDcaAnswer(Optionals, frozen=True, kw_only=True):
    id: str
    tx_signature: str
    message: str | UnsetType = UNSET
    """Only when a create is repeated."""


class CancellingDcaAnswer(Shape, frozen=True, kw_only=True):
    id: str
    rounds_remaining: int
    refund_amount: str
    transaction: str
    request_id: str


class DcaEvent(Optionals, frozen=True, kw_only=True):
    type: Annotated[str, one_of("deposit", "fill", "withdrawal", "cancelled")]
    timestamp: Iso
    tx_signature: str | UnsetType = UNSET
    round_number: int | UnsetType = UNSET
    input_amount: str | UnsetType = UNSET
    output_amount: str | UnsetType = UNSET
    state: Annotated[str, one_of("success", "failed", "rescheduled", "pending")]
    attempt_count: int | UnsetType = UNSET


class DcaItem(Shape, frozen=True, kw_only=True):
    id: str
    request_id: str
    user_pubkey: str
    vault_pubkey: str
    input_mint: str
    output_mint: str
    input_amount_initial: str
    input_amount_remaining: str
    amount_per_round: str
    output_amount_total: str
    input_amount_used: str
    order_type: Annotated[str, one_of("time_based", "price_conditional")]
    min_price_usd: NullableNumber
    max_price_usd: NullableNumber
    trigger_mint: str | None
    retry_window_seconds: int
    jl_enabled: bool = False
    jl_yield_usd: NullableNumber = None
    number_of_rounds: int
    interval_seconds: int
    begin_fill_at: Iso
    next_fill_at: Iso | None
    last_fill_at: Iso | None
    rounds_filled: int
    fill_percent: ExactNumber
    state: Annotated[str, one_of(*(state.value for state in DcaRawState))]
    display_state: Annotated[str, one_of(*(state.value for state in DcaDisplayState))]
    created_at: Iso
    updated_at: Iso
    events: tuple[DcaEvent, ...]


class DcaHistoryAnswer(Shape, frozen=True, kw_only=True):
    orders: tuple[DcaItem, ...]
    pagination: Pagination
