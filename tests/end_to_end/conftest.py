"""One venue for all tests, with new traders for each: no faults, the clock running, and the first prices."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, SOL, USDC, Venue, running_venue


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("venue")) as venue:
        yield venue


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("kept"), "--keeper") as venue:
        yield venue


@pytest.fixture(scope="module")
def kept_audited(kept: Venue) -> Iterator[None]:
    """After each module its books must agree."""
    kept.restores()
    yield
    assert kept.audit().get("differences", []) == []


@pytest.fixture
def kept_venue(kept: Venue, kept_audited: None) -> Iterator[Venue]:
    """One with a keeper, as it was for the test before, but for orders that still wait."""
    yield kept
    kept.restores()
    kept.settles()


@pytest.fixture(scope="module")
def audited(house: Venue) -> Iterator[None]:
    """After each module the books must agree, whatever its tests did."""
    house.restores()
    yield
    audit = house.audit()
    assert audit["ok"] is True
    for column in audit["mints"].values():
        deposited, filled, withdrawn, remaining = (
            int(column[name]) for name in ("deposited", "filled", "withdrawn", "remaining")
        )
        assert deposited == filled + withdrawn + remaining


@pytest.fixture
def venue(house: Venue, audited: None) -> Iterator[Venue]:
    """As it was for the test before, but for orders that still wait: traders and orders are each test's own."""
    yield house
    house.restores()
    house.settles()


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
