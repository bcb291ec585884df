"""Limit orders that live on the chain: what a maker asks for, and what an open one is."""

from countermand.values.identity import Address, Mint, Wallet
from countermand.values.quantities import BaseUnits
from countermand.values.structs import Struct


class LimitTerms(Struct, frozen=True, kw_only=True):
    """What a maker asks for. The payer pays rents and fees; `expires_at_s` is in seconds since the epoch.

    `fee_account`: the integrator's token account for the output, with `fee_bps`, beside the program's own fee.
    `slippage_bps`: how much less than `taking` a fill may give; None asks for no word about it.
    `wraps_sol`: SOL is given and taken as lamports.
    """

    maker: Wallet
    payer: Wallet
    input_mint: Mint
    output_mint: Mint
    making: BaseUnits
    taking: BaseUnits
    expires_at_s: int | None = None
    fee_bps: int | None = None
    fee_account: Address | None = None
    slippage_bps: int | None = None
    wraps_sol: bool = True


class OpenLimitOrder(Struct, frozen=True, kw_only=True):
    """An order as the chain has it. `making` and `taking` are what remains of the `original` ones; times in seconds.

    `borrowed` is what a keeper has taken within the transaction of a fill, and 0 outside.
    """

    address: Address
    maker: Wallet
    input_mint: Mint
    output_mint: Mint
    input_program: Address
    output_program: Address
    reserve: Address
    unique_id: int
    original_making: BaseUnits
    original_taking: BaseUnits
    making: BaseUnits
    taking: BaseUnits
    borrowed: BaseUnits
    expires_at_s: int | None
    fee_bps: int
    fee_account: Address
    created_at_s: int
    updated_at_s: int
    bump: int
    slippage_bps: int = 0


class Unsigned(Struct, frozen=True):
    """A transaction for the maker to sign: its message, and the whole with empty signatures, base64.

    `order` is the one that it opens or closes, or the first that it closes.
    """

    order: Address
    message: bytes
    transaction: str
    last_valid_height: int
