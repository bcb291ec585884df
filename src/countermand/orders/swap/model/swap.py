"""A swap as it is asked for, and as it is built for the user to sign."""

from collections.abc import Callable

from countermand.orders.swap.model.quote import bound
from countermand.values.identity import Address
from countermand.values.quantities import Bps
from countermand.values.structs import Struct
from countermand.values.tokens import Token

PriceFor = Callable[[int], int]
"""Micro-lamports for each of so many compute units."""


class SwapTerms(Struct, frozen=True):
    """`amount` is of the output if that is `exact_out`, else of the input; `quoted` is the other side.

    `payer` pays fees, and the rent of accounts that are made. `destination_account`: the token account that gets the
    output, in place of the user's own. `unwraps`: SOL comes from the user's lamports, and goes to them.
    """

    user: Address
    payer: Address
    source: Token
    destination: Token
    amount: int
    quoted: int
    slippage: Bps
    integrator_fee: Bps
    exact_out: bool = False
    fee_account: Address | None = None
    destination_account: Address | None = None
    unwraps: bool = True
    tracking: Address | None = None

    @property
    def input_at_most(self) -> int:
        return self.threshold if self.exact_out else self.amount

    @property
    def output(self) -> int:
        """As it was quoted."""
        return self.amount if self.exact_out else self.quoted

    @property
    def threshold(self) -> int:
        return bound(self.quoted, self.slippage, self.exact_out)


class BuildTerms(Struct, frozen=True):
    """`simulates`: as many compute units as it takes now, and a tenth more. `legacy`: not a message of version 0."""

    price_for: PriceFor
    simulates: bool
    legacy: bool


class AccountUse(Struct, frozen=True):
    address: Address
    signs: bool
    writes: bool


class PlainInstruction(Struct, frozen=True):
    program: Address
    accounts: tuple[AccountUse, ...]
    data: bytes


class BuiltSwap(Struct, frozen=True):
    """`transaction` is base64, its signatures empty. The instructions are those in it, by what they are for.

    `unit_price` is in micro-lamports. `simulated_at`: the slot, if it was. `simulation_error`: a node's sentence.
    """

    transaction: str
    last_valid_height: int
    budget: tuple[PlainInstruction, ...]
    setup: tuple[PlainInstruction, ...]
    swap: PlainInstruction
    cleanup: PlainInstruction | None
    units: int
    unit_price: int
    fee_lamports: int
    simulated_at: int | None
    simulation_error: str | None
