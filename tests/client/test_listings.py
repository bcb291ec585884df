"""A list that rows leave while its pages are read."""

from collections.abc import Callable

from countermand.client.effects import Flow
from countermand.client.operations import Page, Pages, at_once

ROWS_A_PAGE = 10


class Listed:
    """Rows of which some leave before a page is read."""

    def __init__(self, count: int, leave: Callable[[int], int]) -> None:
        self.rows = list(range(count))
        self.reads = 0
        self._leave = leave

    def pages(self) -> Pages[int]:
        def page(number: int) -> Flow[Page[int]]:
            del self.rows[: self._leave(self.reads)]
            self.reads += 1
            start, end = number * ROWS_A_PAGE, (number + 1) * ROWS_A_PAGE
            yield from ()
            return [(row, row) for row in self.rows[start:end]], end < len(self.rows)

        return page


def read(listed: Listed) -> set[object]:
    try:
        next(at_once(listed.pages())(0))
    except StopIteration as done:
        rows, more = done.value
        assert not more
        assert len(rows) == len(dict(rows)), "each once"
        return set(dict(rows))
    raise AssertionError("nothing is asked for")


def test_a_row_that_moves_up_while_others_leave_is_not_missed() -> None:
    listed = Listed(45, lambda reads: 10 if reads == 1 else 0)
    assert read(listed) >= set(listed.rows)


def test_what_stays_on_one_page_is_read_once() -> None:
    listed = Listed(ROWS_A_PAGE, lambda _: 0)
    assert (read(listed), listed.reads) == (set(range(ROWS_A_PAGE)), 1)


def test_a_list_that_never_rests_is_read_to_an_end() -> None:
    listed = Listed(5_000, lambda _: 1)
    assert read(listed) >= set(listed.rows)
    assert listed.reads < 11 * 500
