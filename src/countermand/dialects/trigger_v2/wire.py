"""The shapes of Jupiter's Trigger v2 on the wire: requests as they are decoded, answers in their documented order.

USD prices stay raw JSON here: `translate` reads and writes them exactly. On the wire all names are in camel case.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from countermand.dialects.trigger_v2.states import DisplayState, RawState
from countermand.openapi import one_of
from countermand.orders.trigger.model.order import Purpose
from countermand.orders.trigger.model.trailing import BPS_MAX, BPS_MIN

EXPIRY_MS_MAX: Final = 8_640_000_000_000_000
"""The last instant that a JavaScript date can hold."""
ABSENT: Final = Raw(b"")

GivenUsd: TypeAlias = Annotated[
    Raw,
    Meta(description="US dollars: a JSON number or a decimal string", extra_json_schema={"type": ["number", "string"]}),
]
ExactNumber: TypeAlias = Annotated[Raw, Meta(extra_json_schema={"type": "number"})]
NullableNumber: TypeAlias = Annotated[Raw | None, Meta(extra_json_schema={"type": ["number", "null"]})]
Amount: TypeAlias = Annotated[str | int, Meta(description="Base units: a string of digits, or a whole number")]
Slippage: TypeAlias = Annotated[int, Meta(ge=0, le=10_000, description="Basis points")]
Trailing: TypeAlias = Annotated[
    int, Meta(ge=BPS_MIN, le=BPS_MAX, description="Basis points between the watermark and the trigger")
]
ExpiresAt: TypeAlias = Annotated[int, Meta(ge=0, le=EXPIRY_MS_MAX, description="Milliseconds since the Unix epoch")]
ChallengeType: TypeAlias = Literal["message", "transaction"]
OrderType: TypeAlias = Literal["single", "oco", "otoco"]


class Shape(Struct, frozen=True, kw_only=True, rename="camel"):
    """What all have in common."""


class Optionals(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """Fields that are left as they are by default are not written."""


# --- requests


class ChallengeRequest(Shape, frozen=True, kw_only=True):
    wallet_pubkey: str
    type: ChallengeType


class VerifyRequest(Shape, frozen=True, kw_only=True):
    type: ChallengeType
    wallet_pubkey: str
    signature: str | UnsetType = UNSET
    signed_transaction: str | UnsetType = UNSET


class CraftRequest(Shape, frozen=True, kw_only=True):
    input_mint: str
    output_mint: str
    user_address: str
    amount: Amount
    order_type: Literal["price", "dca"] | UnsetType = UNSET
    order_sub_type: OrderType | UnsetType = UNSET
    jl_mint: str | UnsetType | None = UNSET


class GivenTerms(Shape, frozen=True, kw_only=True):
    """What may be given at creation and changed later."""

    order_type: OrderType
    trigger_price_usd: GivenUsd = ABSENT
    trailing_bps: Trailing | UnsetType = UNSET
    slippage_bps: Slippage | UnsetType = UNSET
    tp_price_usd: GivenUsd = ABSENT
    sl_price_usd: GivenUsd = ABSENT
    tp_slippage_bps: Slippage | UnsetType = UNSET
    sl_slippage_bps: Slippage | UnsetType = UNSET


class CreateRequest(GivenTerms, frozen=True, kw_only=True):
    deposit_request_id: str
    deposit_signed_tx: str
    user_pubkey: str
    input_mint: str
    input_amount: Amount
    output_mint: str
    trigger_mint: str
    expires_at: ExpiresAt
    trigger_condition: Literal["above", "below"] | UnsetType = UNSET


class AmendRequest(GivenTerms, frozen=True, kw_only=True):
    expires_at: ExpiresAt | UnsetType = UNSET


class ConfirmRequest(Shape, frozen=True, kw_only=True):
    signed_transaction: str
    cancel_request_id: str


class HistoryPageParams(Shape, frozen=True, kw_only=True):
    """The query of a history, but for what it may be sorted by."""

    state: Literal["active", "past"] | UnsetType = UNSET
    mint: str | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    offset: Annotated[int, Meta(ge=0, le=2**53 - 1)] = 0
    dir: Literal["asc", "desc"] = "desc"


class HistoryParams(HistoryPageParams, frozen=True, kw_only=True):
    """The query of a history of trigger orders."""

    sort: Literal["updated_at", "created_at", "expires_at"] = "updated_at"


# --- answers


class ErrorAnswer(Optionals, frozen=True, kw_only=True):
    """`id`: the order that stands in the way, where it is the asker's own."""

    error: str
    id: str | UnsetType = UNSET
    details: dict[str, Any] | UnsetType = UNSET


class MessageChallenge(Shape, frozen=True, kw_only=True):
    type: Literal["message"] = "message"
    challenge: str


class TransactionChallenge(Shape, frozen=True, kw_only=True):
    type: Literal["transaction"] = "transaction"
    transaction: str


class TokenAnswer(Shape, frozen=True, kw_only=True):
    auth_mode: Literal["access_only"] = "access_only"
    token: str


class VaultAnswer(Shape, frozen=True, kw_only=True):
    user_pubkey: str
    vault_pubkey: str
    privy_vault_id: str


class CraftAnswer(Optionals, frozen=True, kw_only=True):
    transaction: str
    request_id: str
    receiver_address: str
    mint: str
    amount: str
    token_decimals: int
    input_token_account: str
    output_token_account: str | UnsetType = UNSET
    """Only of an OTOCO."""


class PlacedAnswer(Optionals, frozen=True, kw_only=True):
    id: str
    tx_signature: str
    deposit_confirmed: bool
    message: str | UnsetType = UNSET
    """Only when a create is repeated."""


class AmendedAnswer(Shape, frozen=True, kw_only=True):
    id: str


class CancellingAnswer(Shape, frozen=True, kw_only=True):
    id: str
    transaction: str
    request_id: str


class WithdrawnAnswer(Shape, frozen=True, kw_only=True):
    id: str
    tx_signature: str


class HistoryEvent(Optionals, frozen=True, kw_only=True):
    type: Annotated[str, one_of("deposit", "fill", "withdrawal", "cancelled", "expired")]
    timestamp: int
    tx_signature: str | UnsetType = UNSET
    mint: str | UnsetType = UNSET
    amount: str | UnsetType = UNSET
    output_mint: str | UnsetType = UNSET
    output_amount: str | UnsetType = UNSET
    order_context: Annotated[str, one_of(*(purpose.value for purpose in Purpose))] | UnsetType = UNSET
    state: Annotated[str, one_of("success", "failed", "pending")]


class HistoryItem(Shape, frozen=True, kw_only=True):
    id: str
    order_type: Annotated[str, one_of("single", "oco", "otoco")]
    order_state: Annotated[str, one_of(*(state.value for state in DisplayState))]
    raw_state: Annotated[str, one_of(*(state.value for state in RawState))]
    user_pubkey: str
    privy_wallet_pubkey: str
    input_mint: str
    initial_input_amount: str
    remaining_input_amount: str
    output_mint: str
    trigger_mint: str
    trigger_condition: Annotated[str, one_of("above", "below")] | None
    trigger_price_usd: NullableNumber
    slippage_bps: int | None
    expires_at: int
    created_at: int
    updated_at: int
    triggered_at: int | None
    output_amount: str | None
    input_used: str | None
    fill_percent: ExactNumber
    trailing_bps: int | None = None
    high_watermark: NullableNumber = None
    low_watermark: NullableNumber = None
    tp_price_usd: NullableNumber = None
    sl_price_usd: NullableNumber = None
    tp_slippage_bps: int | None = None
    sl_slippage_bps: int | None = None
    events: tuple[HistoryEvent, ...]


class Pagination(Shape, frozen=True, kw_only=True):
    total: int
    limit: int
    offset: int


class HistoryAnswer(Shape, frozen=True, kw_only=True):
    orders: tuple[HistoryItem, ...]
    pagination: Pagination
