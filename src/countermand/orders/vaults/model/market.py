"""What a pair of tokens is worth."""

from fractions import Fraction
from math import ceil, floor

from countermand.values.quantities import BaseUnits, UsdPrice
from countermand.values.structs import Struct


class PairPrices(Struct, frozen=True):
    """What the two tokens of a pair are worth now, and how many decimals each has."""

    input_price: UsdPrice
    input_decimals: int
    output_price: UsdPrice
    output_decimals: int

    def worth(
        self, amount: BaseUnits, *, input_price: UsdPrice | None = None, output_price: UsdPrice | None = None
    ) -> Fraction:
        """Of an amount of the input, in units of the output; at other prices than those of now, if given."""
        of_input, of_output = input_price or self.input_price, output_price or self.output_price
        return Fraction(
            amount.units * of_input.picodollars * 10**self.output_decimals,
            of_output.picodollars * 10**self.input_decimals,
        )


def least_units(bound: Fraction, *worths: Fraction) -> int:
    """The least whole number of units that keeps the bound.

    It is rounded for the maker, but no swap pays the fraction of a unit: a worth that keeps the bound keeps it in whole
    units, too.
    """
    return min(ceil(bound), *(floor(worth) for worth in worths if worth >= bound))
