"""What a swap would give now. A quote is not binding: what the user signs bounds the swap by it."""

from countermand.values.identity import Address
from countermand.values.quantities import BPS_ONE, Bps
from countermand.values.structs import Struct
from countermand.values.tokens import Token


class QuoteTerms(Struct, frozen=True):
    """`amount` is of the output if that is `exact_out`, else of the input. The client's maker gets `integrator_fee`."""

    source: Token
    destination: Token
    amount: int
    slippage: Bps
    integrator_fee: Bps
    exact_out: bool


class SwapQuote(Struct, frozen=True):
    """What the user gives and gets, in base units, and what moves through the pool for that.

    The integrator's fee is a part of what is given if the output is exact; else it is taken from what the pool gives.
    `pool_fee` is in the output token, and what the pool gives is after it. `impact` is how much less than the market.
    """

    terms: QuoteTerms
    pool: Address
    pool_takes: int
    pool_gives: int
    pool_fee: int
    impact: Bps

    @property
    def integrator_fee(self) -> int:
        return part(self.pool_takes if self.terms.exact_out else self.pool_gives, self.terms.integrator_fee)

    @property
    def given(self) -> int:
        return self.pool_takes + (self.integrator_fee if self.terms.exact_out else 0)

    @property
    def taken(self) -> int:
        return self.pool_gives - (0 if self.terms.exact_out else self.integrator_fee)

    @property
    def threshold(self) -> int:
        """The most that is given, or the least that is taken: whichever is not exact."""
        return bound(self.given if self.terms.exact_out else self.taken, self.terms.slippage, self.terms.exact_out)


def bound(quoted: int, slippage: Bps, exact_out: bool) -> int:
    less = part(quoted, slippage)
    return quoted + less if exact_out else quoted - less


def part(amount: int, bps: Bps) -> int:
    """Rounded down, as the program rounds."""
    return amount * bps.bps // BPS_ONE
