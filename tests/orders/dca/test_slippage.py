"""The least that a round may give."""

import pytest

from countermand.orders.dca.model.slippage import cents_of, least_of
from countermand.orders.vaults.model.market import PairPrices
from countermand.values.quantities import BaseUnits
from tests.orders.dca.samples import usd


def market(sold: int = 1, bought: int = 150) -> PairPrices:
    """Six decimals are sold for nine."""
    return PairPrices(usd(sold), 6, usd(bought), 9)


@pytest.mark.parametrize(
    ("amount", "least"),
    [
        (150_000_000, 970_000_000),
        (20_000_000, 129_333_334),  # Of 133,333,333.3 the 97 % are 129,333,333.3: rounded for the maker.
    ],
)
def test_a_round_gives_97_percent_of_its_worth_at_least(amount: int, least: int) -> None:
    assert least_of(BaseUnits(amount), market()) == least


def test_no_swap_pays_the_fraction_of_a_unit() -> None:
    dear = PairPrices(usd(1), 0, usd(3), 0)
    assert least_of(BaseUnits(32), dear) == 10, "97 % of 10.67 are 10.35, and 11 is more than there is"


@pytest.mark.parametrize(("amount", "cents"), [(9_999_999, 999), (10_000_000, 1_000), (1, 0)])
def test_a_worth_is_in_whole_cents(amount: int, cents: int) -> None:
    assert cents_of(BaseUnits(amount), usd(1), 6) == cents
