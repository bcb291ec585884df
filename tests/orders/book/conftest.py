"""Everything that is said of the book is said of both books."""

from collections.abc import Callable, Iterator

import pytest

from countermand.orders.book.model.book import Book
from countermand.orders.book.model.fast import FastBook
from countermand.orders.book.model.naive import NaiveBook
from tests.orders.book.venue import Venue


@pytest.fixture(params=[FastBook, NaiveBook], ids=["fast", "naive"])
def new_book(request: pytest.FixtureRequest) -> Callable[[], Book]:
    made: Callable[[], Book] = request.param
    return made


@pytest.fixture
def book(new_book: Callable[[], Book]) -> Book:
    return new_book()


@pytest.fixture
def venue(new_book: Callable[[], Book]) -> Iterator[Venue]:
    """Afterwards its journal is replayed, and what it would store is loaded."""
    venue = Venue(new_book)
    yield venue
    venue.replays()


@pytest.fixture
def poor(new_book: Callable[[], Book]) -> Iterator[Venue]:
    """A venue in which no account has anything."""
    venue = Venue(new_book, rich=False)
    yield venue
    venue.replays()
