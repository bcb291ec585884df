"""The shard of the index: what lands on the chain is told to it, in order, and it is what histories are read from."""

from collections.abc import Sequence
from typing import TypeAlias

from countermand.kernel.ports import Epoch, ShardClock, Unavailable
from countermand.kernel.shard import Shard
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.chain.model.commands import TransactionLanded
from countermand.orders.chain.model.decide import Cursor, IndexRefused
from countermand.orders.chain.model.events import Event
from countermand.orders.chain.model.order import IndexedOrder
from countermand.orders.chain.ports import ChainIndexStore
from countermand.orders.chain.rows import ChainRows, decode_cursor, decode_order
from countermand.orders.chain.state import ChainIndexState
from countermand.stored_rows import UNREADABLE, unreadable
from countermand.values.identity import Address

ChainIndexEpoch: TypeAlias = WriterEpoch[ChainIndexState, TransactionLanded, Event, IndexRefused, ChainRows]


class ChainIndexShard(Shard[ChainIndexState, TransactionLanded, Event, IndexRefused, ChainRows]):
    """`store` keeps it."""

    def __init__(self, number: int, store: ChainIndexStore, clock: ShardClock) -> None:
        super().__init__(number, store, clock)
        self._store = store

    async def known(self, program: Address) -> tuple[int, Cursor | None]:
        """The epoch that is served, and how far it knows a program; None: nothing of it yet."""
        writer = await self._ready()
        await writer.committed()
        return writer.number, writer.state.cursors.get(program)

    async def record(self, landed: Sequence[TransactionLanded], epoch: int) -> None:
        """In order. Returns once it is committed.

        Raises `Unavailable` if another epoch is served: what was read to be recorded may be of a chain that is no more.
        """
        writer = await self._ready()
        if writer.number != epoch:
            raise Unavailable("the index was loaded anew")
        for command in landed:
            self._turn(writer, command)
        await writer.committed()

    async def _load(self, epoch: Epoch) -> ChainIndexEpoch:
        state = ChainIndexState()
        for address, opened_by, family, body in await self._store.live_orders(self.number):
            state.open[Address(address)] = _order(address, opened_by, family, body)
        for program, body in await self._store.cursors(self.number):
            try:
                state.cursors[Address(program)] = decode_cursor(body)
            except UNREADABLE as problem:
                raise unreadable("onchain_cursors", program, problem) from problem
        return WriterEpoch(self.number, epoch, state, state)

    def _on_committed(self, state: ChainIndexState) -> None:
        """Nothing is owed."""


def _order(address: str, opened_by: str, family: str, body: bytes) -> IndexedOrder:
    try:
        order = decode_order(family, body)
        assert (order.address, order.opened_by) == (address, opened_by), f"its body is that of {order.address}"
        assert order.is_open, f"it is {order.state.value}, and stored as open"
    except UNREADABLE as problem:
        raise unreadable("onchain_orders", f"{address} {opened_by}", problem) from problem
    return order
