"""What a landed transaction did to one order, as its program says. Amounts are base units, times seconds."""

from dataclasses import dataclass
from typing import TypeAlias

from countermand.values.identity import Address, Mint, Wallet


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOpened:
    order: Address
    owner: Wallet
    input_mint: Mint
    output_mint: Mint
    making: int
    taking: int
    expires_at_s: int | None
    fee_bps: int
    fee_account: Address
    slippage_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFilled:
    """`taking` is before the fee; the `remaining` amounts are what is left after it."""

    order: Address
    keeper: Address
    making: int
    taking: int
    remaining_making: int
    remaining_taking: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCancelled:
    """By its maker, or by anybody once it had expired. `dust`: by a keeper, since too little was left."""

    order: Address
    dust: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringOpened:
    order: Address
    owner: Wallet
    input_mint: Mint
    output_mint: Mint
    deposited: int
    per_cycle: int
    interval_s: int
    out_min: int
    out_max: int
    created_at_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleFilled:
    """`received` is without the fee."""

    order: Address
    keeper: Address
    used: int
    received: int
    fee_mint: Mint
    fee: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringDeposited:
    order: Address
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringWithdrawn:
    """`by_owner`: its owner asked for it; otherwise a keeper paid out."""

    order: Address
    sold: int
    bought: int
    by_owner: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringClosed:
    """What was not sold and what was bought went to the owner. `by_owner` false: nothing was left to sell."""

    order: Address
    by_owner: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFailed:
    """A keeper's fill landed and failed: nothing of it happened."""

    order: Address
    keeper: Address


Event: TypeAlias = (
    LimitOpened
    | LimitFilled
    | LimitCancelled
    | RecurringOpened
    | CycleFilled
    | RecurringDeposited
    | RecurringWithdrawn
    | RecurringClosed
    | FillFailed
)
