"""A venue for the clients that place orders."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.venue import Venue, running_venue


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("venue")) as venue:
        yield venue


@pytest.fixture(scope="module")
def audited(house: Venue) -> Iterator[None]:
    house.restores()
    yield
    assert house.audit()["ok"] is True


@pytest.fixture
def venue(house: Venue, audited: None) -> Iterator[Venue]:
    yield house
    house.restores()
    house.settles()
