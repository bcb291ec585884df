"""The books themselves: what they hold, which makers a taker meets, and that the fast one does as the naive one."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.orders.book.model.book import WORST_TO_BUY, WORST_TO_SELL, Book, plan_and_do, resting
from countermand.orders.book.model.fast import FastBook
from countermand.orders.book.model.naive import NaiveBook
from countermand.orders.book.model.order import BUY, SELL, Side


def test_an_empty_book_has_no_best_price_and_no_makers(book: Book) -> None:
    assert book.best(BUY) is None
    assert book.best(SELL) is None
    assert list(book.makers(BUY, WORST_TO_BUY)) == list(book.makers(SELL, WORST_TO_SELL)) == []
    assert len(book) == 0


def test_the_better_price_comes_first_and_at_one_price_the_older(book: Book) -> None:
    for order_id, price in enumerate((101, 100, 102, 100), start=1):
        book.add(order_id, SELL, price, 10)
    for order_id, price in enumerate((98, 99, 97, 99), start=5):
        book.add(order_id, BUY, price, 10)
    assert [order_id for order_id, _, _ in resting(book, SELL)] == [2, 4, 1, 3]
    assert [order_id for order_id, _, _ in resting(book, BUY)] == [6, 8, 5, 7]
    assert (book.best(BUY), book.best(SELL)) == (99, 100)


def test_a_taker_meets_no_maker_beyond_its_limit(book: Book) -> None:
    for order_id, price in enumerate((100, 101, 102), start=1):
        book.add(order_id, SELL, price, 10)
    assert [price for _, price, _ in book.makers(BUY, 101)] == [100, 101]
    assert list(book.makers(BUY, 99)) == []
    for order_id, price in enumerate((97, 98, 99), start=4):
        book.add(order_id, BUY, price, 10)
    assert [price for _, price, _ in book.makers(SELL, 98)] == [99, 98]
    assert list(book.makers(SELL, 100)) == []


def test_what_is_reduced_keeps_its_place(book: Book) -> None:
    book.add(1, SELL, 100, 10)
    book.add(2, SELL, 100, 10)
    book.reduce(1, 4)
    assert list(resting(book, SELL)) == [(1, 100, 6), (2, 100, 10)]
    book.reduce(1, 6)
    assert 1 not in book
    assert list(resting(book, SELL)) == [(2, 100, 10)]


def test_a_level_that_empties_is_gone_and_can_come_back(book: Book) -> None:
    book.add(1, BUY, 100, 10)
    book.add(2, BUY, 99, 10)
    book.remove(1)
    assert book.best(BUY) == 99
    book.add(3, BUY, 100, 5)
    assert list(book.levels(BUY)) == [(100, 5), (99, 10)]
    assert (1 in book, 2 in book, 3 in book, len(book)) == (False, True, True, 2)


@pytest.mark.parametrize("misuse", [lambda b: b.remove(7), lambda b: b.reduce(7, 1), lambda b: b.reduce(1, 11)])
def test_what_is_not_there_is_never_taken_from_another_order(book: Book, misuse: Callable[[Book], None]) -> None:
    book.add(1, SELL, 100, 10)
    book.add(2, SELL, 100, 10)
    with pytest.raises(AssertionError):
        misuse(book)
    assert list(resting(book, SELL)) == [(1, 100, 10), (2, 100, 10)]


def test_an_id_is_in_the_book_at_most_once_and_never_with_nothing(book: Book) -> None:
    book.add(1, SELL, 100, 10)
    with pytest.raises(AssertionError):
        book.add(1, BUY, 90, 10)
    with pytest.raises(AssertionError):
        book.add(2, BUY, 90, 0)
    assert len(book) == 1


def test_an_incoming_order_takes_the_makers_prices_and_rests_with_the_rest(book: Book) -> None:
    book.add(1, SELL, 100, 10)
    book.add(2, SELL, 101, 10)
    assert book.submit(3, BUY, 101, 25) == [(1, 100, 10), (2, 101, 10)]
    assert list(resting(book, BUY)) == [(3, 101, 5)]
    assert book.best(SELL) is None


def test_the_first_of_a_level_is_found_without_a_long_walk_however_many_left_before_it() -> None:
    book, orders = FastBook(), 50_000
    for order_id in range(1, orders + 1):
        book.add(order_id, SELL, 100, 1)
    for order_id in range(1, orders):
        assert book.submit(orders + order_id, BUY, 100, 1) == [(order_id, 100, 1)]
        assert book._worn <= 64 + 4 * 224, "as many places of those that left are walked over"
    assert list(resting(book, SELL)) == [(orders, 100, 1)]
    assert sys.getsizeof(book._levels[-100]) < 100_000, "the places are given back"


def test_empty_levels_do_not_pile_up() -> None:
    book = FastBook()
    book.add(1, BUY, 100_000, 1)
    for order_id in range(2, 20_000):
        book.add(order_id, BUY, order_id, 1)
        book.remove(order_id)
        assert len(book._levels) <= 64 + 2 * 2 + 1
    book.add(20_001, BUY, 7, 3)
    assert list(book.levels(BUY)) == [(100_000, 1), (7, 3)]
    book.remove(1)
    assert (book.best(BUY), list(book._levels)) == (7, [7])


sides = st.sampled_from(Side)
operations = st.one_of(
    st.tuples(st.just("submit"), sides, st.integers(1, 12), st.integers(1, 9)),
    st.tuples(st.just("remove"), st.integers(0, 40)),
    st.tuples(st.just("reduce"), st.integers(0, 40), st.integers(1, 9)),
)


@given(st.lists(operations, max_size=120))
def test_the_fast_book_does_what_the_naive_one_does(steps: list[Any]) -> None:
    books: tuple[Book, ...] = (FastBook(), NaiveBook(), FastBook())
    for number, (what, *how) in enumerate(steps, start=1):
        if what == "submit":
            hit = books[0].submit(number, *how)
            assert books[1].submit(number, *how) == plan_and_do(books[2], number, *how) == hit
        else:
            assert len(dict.fromkeys(_outcome(book, what, *how) for book in books)) == 1
        _agree(books[0], books[1])
        _agree(books[2], books[1])


def _outcome(book: Book, what: str, *how: int) -> bool:
    try:
        getattr(book, what)(*how)
    except AssertionError:
        return False
    return True


def _agree(fast: Book, naive: Book) -> None:
    bid, ask = naive.best(BUY), naive.best(SELL)
    assert bid is None or ask is None or bid < ask
    assert len(fast) == len(naive)
    for side in Side:
        assert list(resting(fast, side)) == list(resting(naive, side))
        assert list(fast.levels(side)) == list(naive.levels(side))
        assert fast.best(side) == naive.best(side)
    for order_id in range(130):
        assert (order_id in fast) == (order_id in naive)
