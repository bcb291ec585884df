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

    def crossed(self, lowest: int, highest: int) -> list[OrderId]:
        """Those that trades between these prices trigger, the oldest first."""
        buys = self._buys[: bisect_right(self._buys, highest, key=lambda entry: entry[0])]
        sells = self._sells[bisect_left(self._sells, lowest, key=lambda entry: entry[0]) :]
        return sorted(order_id for _, order_id in (*buys, *sells))

    def __len__(self) -> int:
        return len(self._buys) + len(self._sells)


def is_crossed(side: Side, stop: int, price: int) -> bool:
    return price >= stop if side is BUY else price <= stop
