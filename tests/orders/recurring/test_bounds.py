"""What the prices of a recurring order bound a cycle's output to. The first example is the published one."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.orders.recurring.model.decide import CycleBounds, bounds_of_cycle
from countermand.orders.recurring.model.order import PRICE_SCALE, CyclePrice, RecurringTerms
from countermand.orders.recurring.model.refusals import RecurringRefusal, RecurringRefused
from countermand.values.identity import Mint, Wallet
from countermand.values.quantities import U64_MAX, BaseUnits, exact
from countermand.values.structs import replace
from tests.orders.recurring.stage import SOL, USDC, USER

TERMS = RecurringTerms(
    wallet=Wallet(USER),
    input_mint=Mint(USDC),
    output_mint=Mint(SOL),
    amount=BaseUnits(1_000_000_000),
    cycles=10,
    interval_s=86_400,
)


def price(text: str | None) -> CyclePrice | None:
    if text is None:
        return None
    scaled = exact(text, scale=PRICE_SCALE, bound=10**60)
    assert isinstance(scaled, int)
    return CyclePrice(scaled)


def bounds(least: str | None, most: str | None) -> CycleBounds | RecurringRefused:
    return bounds_of_cycle(replace(TERMS, price_min=price(least), price_max=price(most)), 6, 9)


def units(number: int | None) -> BaseUnits | None:
    return None if number is None else BaseUnits(number)


@pytest.mark.parametrize(
    ("low", "high", "least", "most"),
    [
        (None, None, None, None),
        (None, "20", 5_000_000_000, None),
        ("10", None, None, 10_000_000_000),
        ("10", "20", 5_000_000_000, 10_000_000_000),
        (None, "30", 3_333_333_334, None),
        ("30", None, None, 3_333_333_333),
        ("20", "20", 5_000_000_000, 5_000_000_000),
        (None, "0.1", 1_000_000_000_000, None),
        ("1e11", None, None, 1),
        (None, "1e20", 1, None),
    ],
)
def test_one_hundred_usdc_a_cycle(low: str | None, high: str | None, least: int | None, most: int | None) -> None:
    assert bounds(low, high) == CycleBounds(units(least), units(most))


@pytest.mark.parametrize(
    ("low", "high", "which"),
    [
        ("1e12", None, "minPrice"),
        ("1e-9", None, "minPrice"),
        (None, "1e-9", "maxPrice"),
        ("30", "30", "minPrice to maxPrice"),
    ],
)
def test_what_no_cycle_can_give(low: str | None, high: str | None, which: str) -> None:
    assert bounds(low, high) == RecurringRefused(RecurringRefusal.PRICE_UNFIT, which)


@given(st.integers(1, 10**50), st.integers(0, 12), st.integers(0, 12))
def test_no_price_outside_the_range_is_paid(scaled: int, of_input: int, of_output: int) -> None:
    """One unit less, or more, would be outside; the bound itself is within."""
    asked = Fraction(scaled, 10**PRICE_SCALE)

    def paid(received: int) -> Fraction:
        return Fraction(TERMS.per_cycle.units, received) * Fraction(10**of_output, 10**of_input)

    high = bounds_of_cycle(replace(TERMS, price_max=CyclePrice(scaled)), of_input, of_output)
    if isinstance(high, CycleBounds):
        assert high.least is not None
        assert paid(high.least.units) <= asked
        assert high.least.units == 1 or paid(high.least.units - 1) > asked
    low = bounds_of_cycle(replace(TERMS, price_min=CyclePrice(scaled)), of_input, of_output)
    if isinstance(low, CycleBounds):
        assert low.most is not None
        assert paid(low.most.units) >= asked
        assert low.most.units == U64_MAX or paid(low.most.units + 1) < asked
