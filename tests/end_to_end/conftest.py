"""One venue for all tests, with new traders for each: no faults, the clock running, and the first prices."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, PRICES, SOL, USDC, Venue, running_venue


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("venue")) as venue:
        yield venue


@pytest.fixture
def venue(house: Venue) -> Iterator[Venue]:
    """After each test the books must agree, whatever the test did."""
    house.prices(PRICES)
    yield house
    house.faults()
    house.runs()
    house.settles()
    assert house.audit()["ok"] is True


@pytest.fixture
def alice(venue: Venue) -> Trader:
    """New here, with 10 SOL, 1,000 USDC and 1,000 JUP."""
    return with_funds(Trader(venue))


@pytest.fixture
def bob(venue: Venue) -> Trader:
    return with_funds(Trader(venue))


def with_funds(trader: Trader) -> Trader:
    trader.has(10 * SOL, 1_000 * USDC, 1_000 * JUP)
    return trader.joins()
