"""A list that takes several reads is what it was at one moment."""

import pytest

from countermand.orders.chain.moments import as_of_one_moment


@pytest.mark.parametrize(
    ("reads", "found"),
    [
        ([("all", False)], "all"),
        ([("one ended", True), ("another began", False)], "another began"),
        ([("1", True), ("2", True), ("3", True), ("4", True), ("5", False)], "4"),
    ],
)
async def test_it_is_read_again_while_something_ends(reads: list[tuple[str, bool]], found: str) -> None:
    """But not for ever."""
    left = iter(reads)

    async def read() -> tuple[str, bool]:
        return next(left)

    assert await as_of_one_moment(read) == found
