"""The book as one would explain it: a list of orders in the order of their arrival. Slow, and obviously right."""

from collections.abc import Iterator

from countermand.orders.book.model.book import Resting, plan_and_do
from countermand.orders.book.model.order import BUY, Side


class NaiveBook:
    def __init__(self) -> None:
        self._orders: list[tuple[int, Side, int, int]] = []
        """Id, side, price and remaining lots, the first that came first."""

    def add(self, order_id: int, side: Side, price: int, lots: int) -> None:
        assert order_id not in self, f"order {order_id} is in the book already"
        assert lots > 0, f"order {order_id} would rest with nothing"
        self._orders.append((order_id, side, price, lots))

    def reduce(self, order_id: int, lots: int) -> None:
        place = self._place(order_id)
        _, side, price, there = self._orders[place]
        assert 0 < lots <= there, f"order {order_id} has {there} lots, not {lots}"
        if lots == there:
            del self._orders[place]
        else:
            self._orders[place] = (order_id, side, price, there - lots)

    def remove(self, order_id: int) -> None:
        del self._orders[self._place(order_id)]

    def submit(self, order_id: int, side: Side, limit: int, lots: int) -> list[Resting]:
        return plan_and_do(self, order_id, side, limit, lots)

    def best(self, side: Side) -> int | None:
        prices = [price for _, its_side, price, _ in self._orders if its_side is side]
        return (max(prices) if side is BUY else min(prices)) if prices else None

    def makers(self, taker: Side, limit: int) -> Iterator[Resting]:
        meets = [
            (order_id, price, lots)
            for order_id, side, price, lots in self._orders
            if side is not taker and (price <= limit if taker is BUY else price >= limit)
        ]
        # Sorting keeps those of one price in the order of their arrival.
        yield from sorted(meets, key=lambda order: order[1] if taker is BUY else -order[1])

    def levels(self, side: Side) -> Iterator[tuple[int, int]]:
        prices = {price: 0 for _, its_side, price, _ in self._orders if its_side is side}
        for price in sorted(prices, reverse=side is BUY):
            yield price, sum(lots for _, its_side, p, lots in self._orders if its_side is side and p == price)

    def __contains__(self, order_id: int) -> bool:
        return any(order[0] == order_id for order in self._orders)

    def __len__(self) -> int:
        return len(self._orders)

    def _place(self, order_id: int) -> int:
        places = [place for place, order in enumerate(self._orders) if order[0] == order_id]
        assert places, f"order {order_id} is not in the book"
        return places[0]
