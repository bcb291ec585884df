"""The shapes of Swap v1 on the wire, answers in their observed order, all names in camel case."""

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from countermand.values.quantities import BPS_ONE

Amount: TypeAlias = Annotated[str, Meta(description="Base units, a string of digits")]
Lamports: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
SlippageBps: TypeAlias = Annotated[int, Meta(ge=0, le=BPS_ONE)]
SwapMode: TypeAlias = Literal["ExactIn", "ExactOut"]


class Shape(Struct, frozen=True, kw_only=True, rename="camel"):
    """What all have in common."""


# --- requests


class QuoteParams(Shape, frozen=True, kw_only=True):
    """What a route through one pool does not depend on, such as `restrictIntermediateTokens`, is read and not used."""

    input_mint: str
    output_mint: str
    amount: Amount
    slippage_bps: SlippageBps = 50
    swap_mode: SwapMode = "ExactIn"
    dexes: str | None = None
    exclude_dexes: str | None = None
    restrict_intermediate_tokens: bool = True
    only_direct_routes: bool = False
    as_legacy_transaction: bool = False
    platform_fee_bps: Annotated[int, Meta(ge=0, le=255)] | None = None
    max_accounts: Annotated[int, Meta(ge=0)] = 64
    instruction_version: Literal["V1", "V2"] = "V1"
    dynamic_slippage: bool = False
    for_jito_bundle: bool = False


class PlatformFee(Shape, frozen=True, kw_only=True):
    amount: Amount | None = None
    fee_bps: Annotated[int, Meta(ge=0, le=255)] = 0


class QuotedRequest(Shape, frozen=True, kw_only=True):
    """The answer of `quote`, given back. Only these fields are used."""

    input_mint: str
    in_amount: Amount
    output_mint: str
    out_amount: Amount
    swap_mode: SwapMode
    slippage_bps: SlippageBps
    platform_fee: PlatformFee | None = None


class PriorityLevel(Shape, frozen=True, kw_only=True):
    priority_level: Literal["medium", "high", "veryHigh"]
    max_lamports: Lamports


class Prioritization(Shape, frozen=True, kw_only=True):
    priority_level_with_max_lamports: PriorityLevel | None = None
    auto_multiplier: Annotated[int, Meta(ge=0)] | None = None
    jito_tip_lamports: Lamports | None = None
    jito_tip_lamports_with_payer: Any = None


class SwapRequest(Shape, frozen=True, kw_only=True):
    """What a sandbox has no use for, such as `useSharedAccounts`, is ignored."""

    user_public_key: str
    quote_response: QuotedRequest
    payer: str | None = None
    wrap_and_unwrap_sol: bool | None = True
    fee_account: str | None = None
    tracking_account: str | None = None
    prioritization_fee_lamports: Lamports | Prioritization | Literal["auto"] | None = None
    compute_unit_price_micro_lamports: Lamports | Literal["auto"] | None = None
    as_legacy_transaction: bool | None = False
    destination_token_account: str | None = None
    native_destination_account: str | None = None
    dynamic_compute_unit_limit: bool | None = False
    dynamic_slippage: Any = None
    use_token_ledger: bool | None = False


# --- answers


class PlatformFeeAnswer(Shape, frozen=True, kw_only=True):
    amount: str
    fee_bps: int


class SwapInfo(Shape, frozen=True, kw_only=True):
    amm_key: str
    label: str
    input_mint: str
    output_mint: str
    in_amount: str
    out_amount: str
    fee_amount: str
    fee_mint: str


class RouteStep(Shape, frozen=True, kw_only=True):
    swap_info: SwapInfo
    percent: int = 100
    bps: int = 10_000


class QuoteAnswer(Shape, frozen=True, kw_only=True):
    """`time_taken` is in seconds; no client needs how long one pool takes."""

    input_mint: str
    in_amount: str
    output_mint: str
    out_amount: str
    other_amount_threshold: str
    swap_mode: str
    slippage_bps: int
    platform_fee: PlatformFeeAnswer | None
    price_impact_pct: str
    route_plan: tuple[RouteStep, ...]
    context_slot: int | None
    time_taken: int = 0
    swap_usd_value: str
    simpler_route_used: bool = False
    most_reliable_amms_quote_report: None = None
    use_incurred_slippage_for_quoting: None = None
    other_route_plans: None = None
    loaded_longtail_token: bool = False
    instruction_version: str = "V1"


class ComputeBudgetAnswer(Shape, frozen=True, kw_only=True):
    micro_lamports: int
    estimated_micro_lamports: int


class PrioritizationType(Shape, frozen=True, kw_only=True):
    compute_budget: ComputeBudgetAnswer


class SlippageReport(Shape, frozen=True, kw_only=True):
    slippage_bps: int
    other_amount: int
    simulated_incurred_slippage_bps: int = 0
    amplification_ratio: str = "1"


class SimulationError(Shape, frozen=True, kw_only=True):
    error_code: str
    error: str


class SwapAnswer(Shape, frozen=True, kw_only=True):
    swap_transaction: str
    last_valid_block_height: int
    prioritization_fee_lamports: int
    compute_unit_limit: int
    prioritization_type: PrioritizationType
    simulation_slot: int | None
    dynamic_slippage_report: SlippageReport | None
    simulation_error: SimulationError | None
    addresses_by_lookup_table_address: None = None


class AccountMetaAnswer(Shape, frozen=True, kw_only=True):
    pubkey: str
    is_signer: bool
    is_writable: bool


class InstructionAnswer(Shape, frozen=True, kw_only=True):
    program_id: str
    accounts: tuple[AccountMetaAnswer, ...]
    data: Annotated[str, Meta(description="Base64")]


class InstructionsAnswer(Shape, frozen=True, kw_only=True):
    token_ledger_instruction: None = None
    compute_budget_instructions: tuple[InstructionAnswer, ...]
    setup_instructions: tuple[InstructionAnswer, ...]
    swap_instruction: InstructionAnswer
    cleanup_instruction: InstructionAnswer | None
    other_instructions: tuple[InstructionAnswer, ...] = ()
    address_lookup_table_addresses: tuple[str, ...] = ()
    prioritization_fee_lamports: int
    compute_unit_limit: int
    prioritization_type: PrioritizationType
    simulation_slot: int | None
    dynamic_slippage_report: SlippageReport | None
    simulation_error: SimulationError | None
    addresses_by_lookup_table_address: None = None


class ErrorAnswer(Shape, frozen=True, kw_only=True, omit_defaults=True):
    error: str
    error_code: str | UnsetType = UNSET
