"""One venue for all pages, as its readers have it: with a keeper."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.venue import Venue, running_venue


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("documented"), "--keeper") as venue:
        yield venue
