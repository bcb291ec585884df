"""The stop orders of a market that no trade has triggered yet."""

from bisect import bisect_left, bisect_right, insort

from countermand.orders.book.model.order import BUY, OrderId, Side


class Stops:
    """Both lists are sorted by stop price, then by id."""

    def __init__(self) -> None:
        self._buys: list[tuple[int, OrderId]] = []
        self._sells: list[tuple[int, OrderId]] = []

    def add(self, order_id: OrderId, side: Side, stop: int) -> None:
        insort(self._buys if side is BUY else self._sells, (stop, order_id))

    def remove(self, order_id: OrderId, side: Side, stop: int) -> None:
        stops = self._buys if side is BUY else self._sells
        place = bisect_left(stops, (stop, order_id))
        assert stops[place] == (stop, order_id), f"order {order_id} is no stop order at {stop}"
        del stops[place]

    def are_crossed(self, lowest: int, highest: int) -> bool:
        """Trades between these prices trigger at least one."""
        return bool((self._buys and self._buys[0][0] <= highest) or (self._sells and self._sells[-1][0] >= lowest))

    def crossed(self, lowest: int, highest: int, most: int) -> list[OrderId]:
        """At most so many of those that trades between these prices trigger, the oldest first.

        Of more, the buys that were reached first, then the sells.
        """
        end = min(most, bisect_right(self._buys, highest, key=lambda entry: entry[0]))
        start = max(len(self._sells) - (most - end), bisect_left(self._sells, lowest, key=lambda entry: entry[0]))
        return sorted(order_id for _, order_id in (*self._buys[:end], *self._sells[start:]))

    def waiting(self) -> list[OrderId]:
        """All, the oldest first."""
        return sorted(order_id for _, order_id in (*self._buys, *self._sells))

    def __len__(self) -> int:
        return len(self._buys) + len(self._sells)


def is_crossed(side: Side, stop: int, price: int) -> bool:
    return price >= stop if side is BUY else price <= stop
