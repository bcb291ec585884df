"""The least that a fill may give (D11), beside an oracle in fractions that says it as the contract does."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import Leg, OrderGroup, Role
from countermand.orders.trigger.model.slippage import Minimum, minimum_of, slippage_of
from countermand.orders.vaults.model.market import PairPrices
from countermand.values.identity import Mint
from countermand.values.quantities import U64_MAX, USD_PRICE_MAX, BaseUnits, Bps, UsdPrice
from countermand.values.structs import replace
from tests.orders.trigger.samples import SOL, USDC, order, usd

ABOVE, BELOW = Direction.ABOVE, Direction.BELOW
THIRD = Mint("JUP")
ONE_SOL, ONE_DOLLAR = BaseUnits(10**9), usd(1)


def triggered(
    direction: Direction, trigger: UsdPrice, slippage: int | None, *, sells: Mint = SOL, watches: Mint = SOL
) -> OrderGroup:
    """An order between SOL and USDC whose trigger has crossed."""
    leg = Leg(Role.TRIGGER, Condition(direction, trigger), None if slippage is None else Bps(slippage))
    group = order(legs=(leg,), triggered_leg=0)
    buys = USDC if sells == SOL else SOL
    return replace(group, terms=replace(group.terms, input_mint=sells, output_mint=buys, trigger_mint=watches))


def selling(now: UsdPrice) -> PairPrices:
    """SOL for USDC."""
    return PairPrices(now, 9, ONE_DOLLAR, 6)


def buying(now: UsdPrice) -> PairPrices:
    """USDC for SOL."""
    return PairPrices(ONE_DOLLAR, 6, now, 9)


@pytest.mark.parametrize(
    ("now", "least"),
    [
        (110, 120_000_000),  # The price has gapped past the buffer: 110 is less.
        (120, 120_000_000),  # Its very edge.
        (130, 120_000_000),
        (150, 120_000_000),
        (200, 160_000_000),  # Above the trigger the buffer is around the price of now.
    ],
)
def test_a_stop_at_150_with_2000_bps_gives_120_or_more(now: int, least: int) -> None:
    assert minimum_of(triggered(BELOW, usd(150), 2_000), ONE_SOL, selling(usd(now))).units == least


@pytest.mark.parametrize(("now", "least"), [(190, 194_000_000), (200, 194_000_000), (300, 291_000_000)])
def test_a_take_profit_gives_the_trigger_less_its_buffer_or_what_is_better(now: int, least: int) -> None:
    assert minimum_of(triggered(ABOVE, usd(200), 300), ONE_SOL, selling(usd(now))).units == least


@pytest.mark.parametrize(
    ("direction", "now", "dearest"),
    [
        (BELOW, 90, 99),  # A dip: the price of now is better than the trigger.
        (BELOW, 100, 110),
        (BELOW, 120, 110),  # It has come back further than the buffer.
        (ABOVE, 100, 110),
        (ABOVE, 105, 110),
        (ABOVE, 150, 110),  # A breakout that gapped away is not chased.
    ],
)
def test_a_buy_at_100_with_1000_bps_pays_no_more_than_110(direction: Direction, now: int, dearest: int) -> None:
    group = triggered(direction, usd(100), 1_000, sells=USDC)
    least = minimum_of(group, BaseUnits(dearest * 10**6), buying(usd(now)))
    assert least.units == ONE_SOL.units


def test_a_trigger_of_a_third_token_bounds_nothing() -> None:
    group = triggered(BELOW, usd(1_000_000), 2_000, watches=THIRD)
    assert minimum_of(group, ONE_SOL, selling(usd(110))) == Minimum(88_000_000, Bps(2_000), usd(110), is_trigger=False)


def test_which_price_bounds_it_is_told() -> None:
    stop, buy = triggered(BELOW, usd(150), 0), triggered(ABOVE, usd(100), 0, sells=USDC)
    assert [minimum_of(stop, ONE_SOL, selling(usd(now))).is_trigger for now in (149, 150, 151)] == [True, True, False]
    assert [minimum_of(buy, ONE_SOL, buying(usd(now))).is_trigger for now in (99, 100, 101)] == [False, True, True]


def test_without_slippage_the_market_itself_is_enough_though_units_are_whole() -> None:
    """The sale is worth 33.3… units, and no swap can pay a third of one."""
    third = PairPrices(UsdPrice(10**12), 0, UsdPrice(3 * 10**12), 0)
    assert minimum_of(triggered(ABOVE, usd(1), 0), BaseUnits(100), third).units == 33
    assert minimum_of(triggered(ABOVE, usd(1), 100), BaseUnits(1_000_000), third).units == 330_000
    assert minimum_of(triggered(ABOVE, usd(1), 100), BaseUnits(1_000_001), third).units == 330_001, "for the maker"


def test_a_price_of_now_at_the_very_edge_is_enough_though_units_are_whole() -> None:
    """100 USDC buy 0.8333… SOL at 120, the dearest that a trigger at 100 allows."""
    buy, stop = triggered(ABOVE, usd(100), 2_000, sells=USDC), triggered(BELOW, usd(150), 2_000)
    assert minimum_of(buy, BaseUnits(100 * 10**6), buying(usd(120))).units == 833_333_333
    assert minimum_of(stop, BaseUnits(1_000_000_001), selling(usd(120))).units == 120_000_000
    beyond = UsdPrice(120 * 10**12 + 1)
    assert minimum_of(buy, BaseUnits(100 * 10**6), buying(beyond)).units == 833_333_334


def test_all_slippage_is_no_minimum_for_a_sell_and_half_for_a_buy() -> None:
    assert minimum_of(triggered(BELOW, usd(150), 10_000), ONE_SOL, selling(usd(150))).units == 0
    assert minimum_of(triggered(ABOVE, usd(100), 10_000, sells=USDC), BaseUnits(200 * 10**6), buying(usd(100))).units


@pytest.mark.parametrize(
    ("direction", "watches", "sells", "default"),
    [
        (ABOVE, SOL, SOL, 300),  # Take profit.
        (BELOW, SOL, SOL, 2_000),  # Stop loss.
        (BELOW, SOL, USDC, 300),  # Buy below.
        (ABOVE, SOL, USDC, 2_000),  # Buy above.
        (ABOVE, THIRD, SOL, 300),  # What history calls a take profit, and
        (BELOW, THIRD, SOL, 2_000),  # a stop loss.
    ],
)
@pytest.mark.parametrize("role", Role)
def test_the_slippage_of_a_leg_that_names_none(
    direction: Direction, watches: Mint, sells: Mint, default: int, role: Role
) -> None:
    group = triggered(direction, usd(1), None, sells=sells, watches=watches)
    assert slippage_of(replace(group.legs[0], role=role), group.terms) == Bps(default)
    assert slippage_of(replace(group.legs[0], slippage=Bps(7)), group.terms) == Bps(7)


def oracle(group: OrderGroup, amount: int, market: PairPrices) -> Fraction:
    """In units of the output, as the contract says it: the larger of two minimums, each a bound on a price."""
    leg, terms = group.legs[0], group.terms
    assert leg.slippage is not None
    buffer = Fraction(leg.slippage.bps, 10**4)
    tokens = Fraction(amount, 10**market.input_decimals)
    input_price = Fraction(market.input_price.picodollars, 10**12)
    output_price = Fraction(market.output_price.picodollars, 10**12)
    trigger = Fraction(leg.condition.price.picodollars, 10**12)
    if terms.trigger_mint == terms.output_mint:
        bounds = [tokens * input_price / (price * (1 + buffer)) for price in (trigger, output_price)]
    elif terms.trigger_mint == terms.input_mint:
        bounds = [tokens * price * (1 - buffer) / output_price for price in (trigger, input_price)]
    else:
        bounds = [tokens * input_price * (1 - buffer) / output_price]
    return max(bounds) * Fraction(10**market.output_decimals)


def worth_now(amount: int, market: PairPrices) -> Fraction:
    tokens = Fraction(amount, 10**market.input_decimals)
    price = Fraction(market.input_price.picodollars, market.output_price.picodollars)
    return tokens * price * Fraction(10**market.output_decimals)


PRICES = st.one_of(
    st.integers(1, USD_PRICE_MAX),
    st.integers(1, 10**16),
    st.sampled_from([1, 10**12 - 1, 10**12, 10**12 + 1, USD_PRICE_MAX]),
).map(UsdPrice)
AMOUNTS = st.one_of(st.integers(1, 100), st.integers(1, U64_MAX), st.sampled_from([10**6, 10**9, U64_MAX]))
DECIMALS = st.integers(0, 12)
MARKETS = st.builds(PairPrices, PRICES, DECIMALS, PRICES, DECIMALS)
PAIRS = list(product(Direction, (SOL, USDC), (SOL, USDC, THIRD)))


@given(st.sampled_from(PAIRS), PRICES, st.integers(0, 10_000), AMOUNTS, MARKETS)
@example((BELOW, SOL, SOL), usd(150), 2_000, 10**9, selling(usd(110)))
@example((BELOW, USDC, SOL), usd(150), 10_000, 1, buying(usd(110)))
def test_the_least_is_what_the_contract_says_rounded_for_the_maker(
    pair: tuple[Direction, Mint, Mint], trigger: UsdPrice, slippage: int, amount: int, market: PairPrices
) -> None:
    direction, sells, watches = pair
    group = triggered(direction, trigger, slippage, sells=sells, watches=watches)
    least = minimum_of(group, BaseUnits(amount), market).units
    wanted = oracle(group, amount, market)
    whole = triggered(direction, trigger, 0, sells=sells, watches=watches)
    now = worth_now(amount, market)
    most = [int(oracle(whole, amount, market))]  # No swap can give more in whole units at such a price.
    most += [int(now)] if now >= wanted else []  # A price of now within the bound is enough.
    assert least == min(-(-wanted.numerator // wanted.denominator), *most)
    if slippage and wanted * slippage > 10**5 and not wanted <= now < wanted + 1:
        assert least >= wanted, "a buffer of more than a unit leaves room for rounding up"


@given(st.sampled_from(PAIRS), PRICES, st.integers(0, 9_999), AMOUNTS, MARKETS)
def test_more_slippage_never_asks_for_more(
    pair: tuple[Direction, Mint, Mint], trigger: UsdPrice, slippage: int, amount: int, market: PairPrices
) -> None:
    direction, sells, watches = pair
    strict, loose = (
        minimum_of(triggered(direction, trigger, bps, sells=sells, watches=watches), BaseUnits(amount), market).units
        for bps in (slippage, slippage + 1)
    )
    assert loose <= strict
