"""A side of buyers and a side of sellers, in price-time priority. Whole numbers only: ids, ticks and lots.

A book knows orders by their ids, prices and remaining volumes, and nothing of owners, money or time. There are two, the
fast one that serves and the naive one that is obviously right, and both must do the same.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol, TypeAlias

from countermand.orders.book.model.order import SELL, Side

Resting: TypeAlias = tuple[int, int, int]
"""An order's id, its price in ticks, and what remains of it in lots."""

WORST_TO_BUY: Final = 2**127
WORST_TO_SELL: Final = 0
"""Limits that every price meets."""


class Book(Protocol):
    """An id that is not in the book is our own mistake, except for `in`, which tells."""

    def add(self, order_id: int, side: Side, price: int, lots: int) -> None:
        """Behind all that rest at this price."""

    def reduce(self, order_id: int, lots: int) -> None:
        """Takes so much off. What remains keeps its place; if nothing remains, it leaves."""

    def remove(self, order_id: int) -> None: ...

    def submit(self, order_id: int, side: Side, limit: int, lots: int) -> list[Resting]:
        """A plain limit order, at once: it takes what it meets, and what is left of it rests.

        Returns who was hit, at which price, by how much.
        """

    def best(self, side: Side) -> int | None:
        """The price at the front of a side."""

    def makers(self, taker: Side, limit: int) -> Iterable[Resting]:
        """Those on the other side that a taker with this limit meets, in the order in which it meets them.

        The book must not change while they are walked along.
        """

    def levels(self, side: Side) -> Iterator[tuple[int, int]]:
        """Each price of a side with the volume there, the best first."""

    def __contains__(self, order_id: int) -> bool: ...

    def __len__(self) -> int: ...


def resting(book: Book, side: Side) -> Iterable[Resting]:
    """A whole side, in priority order."""
    return book.makers(side.other, WORST_TO_SELL if side.other is SELL else WORST_TO_BUY)


def plan_and_do(book: Book, order_id: int, side: Side, limit: int, lots: int) -> list[Resting]:
    """What `submit` does, in the two steps in which the venue does it, since it says what happens before it happens."""
    hit = []
    for maker_id, price, there in book.makers(side, limit):
        taken = min(there, lots)
        hit.append((maker_id, price, taken))
        lots -= taken
        if not lots:
            break
    for maker_id, _, taken in hit:
        book.reduce(maker_id, taken)
    if lots:
        book.add(order_id, side, limit, lots)
    return hit
