"""The store of the index of orders on the chain."""

from collections.abc import Sequence
from typing import Protocol

from countermand.kernel.ports import ShardStore
from countermand.orders.chain.model.order import ChainFamily, IndexedOrder, Trade
from countermand.orders.chain.rows import ChainRows
from countermand.values.identity import Address, Mint, Wallet
from countermand.values.structs import Struct


class ChainHistoryQuery(Struct, frozen=True, kw_only=True):
    """Orders that have ended, of one owner and family, those that ended last first. None: any mint.

    `either_mint`: sold or bought. `with_failed`: fills that failed are among the trades.
    """

    owner: Wallet
    family: ChainFamily
    input_mint: Mint | None = None
    output_mint: Mint | None = None
    either_mint: Mint | None = None
    with_failed: bool = False
    limit: int
    offset: int


class OrderWithTrades(Struct, frozen=True):
    """An order with its newest trades, the newest first."""

    order: IndexedOrder
    trades: Sequence[Trade]


class ChainHistory(Struct, frozen=True):
    """A page, and how many orders match."""

    total: int
    orders: Sequence[OrderWithTrades]


class Histories(Protocol):
    """What landed transactions tell of orders. Every coroutine may raise `Unavailable`."""

    async def history(self, query: ChainHistoryQuery) -> ChainHistory: ...

    async def open_at(
        self, addresses: Sequence[Address], *, with_failed: bool = False
    ) -> dict[Address, OrderWithTrades]:
        """What is known of the open orders at these addresses."""

    async def last_at(self, address: Address) -> IndexedOrder | None:
        """The one that was opened last at an address."""

    async def unknown(self, addresses: Sequence[Address]) -> Sequence[Address]:
        """Those at which no order is known, neither an open one nor one that has ended."""


class ChainIndexStore(ShardStore[ChainRows], Protocol):
    """Every method may raise `Unavailable`."""

    async def epoch(self, shard: int) -> int:
        """The number of the newest one."""

    async def live_orders(self, shard: int) -> Sequence[tuple[str, str, str, bytes]]:
        """Address, opening signature, family and body of each open order. It may take a while."""

    async def cursors(self, shard: int) -> Sequence[tuple[str, bytes]]:
        """By program."""

    async def history(self, query: ChainHistoryQuery) -> ChainHistory: ...

    async def open_at(self, addresses: Sequence[Address], *, with_failed: bool) -> Sequence[OrderWithTrades]:
        """The open orders at these addresses."""

    async def last_at(self, address: Address) -> IndexedOrder | None:
        """The one that is open at an address, or else ended last there."""
