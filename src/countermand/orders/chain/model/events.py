"""What a landed transaction did to one order, as its program says. Amounts are base units, times seconds."""

from typing import TypeAlias

from countermand.values.identity import Address, Mint, Wallet
from countermand.values.structs import Struct


class LimitOpened(Struct, frozen=True, kw_only=True):
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


class LimitFilled(Struct, frozen=True, kw_only=True):
    """`taking` is before the fee; the `remaining` amounts are what is left after it."""

    order: Address
    keeper: Address
    making: int
    taking: int
    remaining_making: int
    remaining_taking: int


class LimitCancelled(Struct, frozen=True, kw_only=True):
    """By its maker, or by any wallet once it had expired. `dust`: by a keeper, since too little was left."""

    order: Address
    dust: bool = False


class RecurringOpened(Struct, frozen=True, kw_only=True):
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


class CycleFilled(Struct, frozen=True, kw_only=True):
    """`received` is without the fee."""

    order: Address
    keeper: Address
    used: int
    received: int
    fee_mint: Mint
    fee: int


class RecurringDeposited(Struct, frozen=True, kw_only=True):
    order: Address
    amount: int


class RecurringWithdrawn(Struct, frozen=True, kw_only=True):
    """`by_owner`: its owner asked for it; otherwise a keeper paid out."""

    order: Address
    sold: int
    bought: int
    by_owner: bool


class RecurringClosed(Struct, frozen=True, kw_only=True):
    """What was not sold and what was bought went to the owner. `by_owner` false: nothing was left to sell."""

    order: Address
    by_owner: bool


class FillFailed(Struct, frozen=True, kw_only=True):
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
