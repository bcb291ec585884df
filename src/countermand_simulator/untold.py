"""An index of orders on the chain that knows none: what is open is read from the chain alone."""

# ruff: noqa: ARG002

from collections.abc import Sequence

from countermand.orders.chain.model.order import IndexedOrder
from countermand.orders.chain.ports import ChainHistory, ChainHistoryQuery, OrderWithTrades
from countermand.values.identity import Address


class NothingTold:
    """`orders.chain.ports.Histories`."""

    async def history(self, query: ChainHistoryQuery) -> ChainHistory:
        return ChainHistory(0, ())

    async def open_at(
        self, addresses: Sequence[Address], *, with_failed: bool = False
    ) -> dict[Address, OrderWithTrades]:
        return {}

    async def last_at(self, address: Address) -> IndexedOrder | None:
        return None

    async def unknown(self, addresses: Sequence[Address]) -> Sequence[Address]:
        return addresses
