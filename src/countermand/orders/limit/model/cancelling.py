"""Which orders a cancel means, and how they are put into transactions."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from countermand.orders.limit.model.order import OpenLimitOrder
from countermand.values.identity import Address

_Order = TypeVar("_Order")

BATCH: Final = 5
"""So many orders are cancelled by one transaction, if it holds them."""


def chosen(open_orders: Sequence[OpenLimitOrder], named: Sequence[Address] | None) -> list[OpenLimitOrder]:
    """Those named, in their order, each once, without those that are not open; None is all, by creation and address."""
    if named is None:
        return sorted(open_orders, key=lambda order: (order.created_at_s, order.address))
    by_address = {order.address: order for order in open_orders}
    return [by_address[address] for address in dict.fromkeys(named) if address in by_address]


def batches(orders: Sequence[_Order], fits: Callable[[Sequence[_Order]], bool]) -> Iterator[Sequence[_Order]]:
    """Fives, in this order. One that does not fit a transaction is split; a single order is taken to fit."""
    for start in range(0, len(orders), BATCH):
        rest = orders[start : start + BATCH]
        while rest:
            size = next((size for size in range(len(rest), 1, -1) if fits(rest[:size])), 1)
            yield rest[:size]
            rest = rest[size:]
