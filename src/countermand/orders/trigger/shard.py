"""The shard of trigger orders: its commands, its reads, and what it keeps in memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from countermand.kernel.ports import Epoch, ShardClock
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.shards import ONE_TRIGGER_SHARD, BucketOwners
from countermand.orders.trigger.bodies import decode_craft, decode_group, decode_stored
from countermand.orders.trigger.model.commands import (
    Command,
    MoveWatermarks,
    PlaceOrder,
    TriggerOrders,
    UnsignedDeposit,
)
from countermand.orders.trigger.model.decide import OrderCommand
from countermand.orders.trigger.model.live_orders import OrderEvent
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.model.refusals import TriggerRefused
from countermand.orders.trigger.ports import Store, TriggerRows
from countermand.orders.trigger.rows import watermarks_of
from countermand.orders.trigger.state import TriggerState
from countermand.orders.vaults.shard import Decided, VaultShard
from countermand.services.prices import Prices
from countermand.stored_rows import UNREADABLE, unreadable
from countermand.values.bucket import bucket_of
from countermand.values.identity import Mint, OrderId
from countermand.values.quantities import UsdPrice

TriggerEpoch: TypeAlias = WriterEpoch[TriggerState, Command, OrderEvent, TriggerRefused, TriggerRows]


class TriggerShard(
    VaultShard[TriggerState, Command, OrderEvent, TriggerRefused, TriggerRows, OrderGroup, UnsignedDeposit]
):
    _table = "orders"

    def __init__(
        self,
        number: int,
        store: Store,
        clock: ShardClock,
        prices: Prices,
        on_committed: Callable[[Sequence[OrderGroup], bool], None],
        owners: BucketOwners = ONE_TRIGGER_SHARD,
    ) -> None:
        super().__init__(number, store, clock, prices, on_committed, owners)
        self._store = store

    # --- commands

    async def submit(self, command: OrderCommand) -> Decided[OrderGroup] | TriggerRefused:
        """One turn. Raises `CommitUnknown` when its outcome is unknown, `Unavailable` when it did not happen."""
        assert not isinstance(command, TriggerOrders), "prices trigger orders, see observe_prices"
        if isinstance(command, PlaceOrder):
            self._must_own(f"order {command.order_id}", bucket_of(command.wallet))
        return await self._submit(command.order_id, command)

    async def observe_prices(self, prices: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
        """Once it returns, every order that these newest prices cross has left `open`."""
        writer = await self._ready()
        for mint, price in prices.items():
            await self._trigger(writer, mint, price, at_once=at_once)
        await writer.committed()

    async def _trigger(self, writer: TriggerEpoch, mint: Mint, price: UsdPrice, *, at_once: bool) -> None:
        """The index proposes the orders that the price crosses, slice after slice; `decide` judges each."""
        live, left, more = writer.state.live, list[OrderId](), True
        if live.moves_watermarks(mint, price):
            self._turn(writer, MoveWatermarks(mint, price))
        while more:
            crossed, more = live.take_crossed(mint, price, at_once=at_once)
            decided = self._turn(writer, TriggerOrders(mint, price, at_once, tuple(crossed))) if crossed else ()
            triggered = {} if isinstance(decided, TriggerRefused) else dict(decided)
            left += [order_id for order_id in crossed if order_id not in triggered]
            if more:
                await self._let_others_run(writer)
        live.watch_again(left)

    # --- reads

    def as_committed(self, group: OrderGroup) -> OrderGroup:
        """An order that was read, with its trigger where it is now, if it trails."""
        return group if self._epoch is None else self._epoch.state.as_committed(group)

    # --- the life of a shard

    async def _begin_load(self, epoch: Epoch) -> TriggerEpoch:
        state = TriggerState(self._prices.price_of)
        for row in await self._store.watermarks(self.number):
            try:
                state.adopt_watermarks(row.mint, watermarks_of(row))
            except UNREADABLE as problem:
                raise unreadable("watermarks", row.mint, problem) from problem
        return WriterEpoch(self.number, epoch, state, state)

    async def _catch_up(self, writer: TriggerEpoch) -> None:
        """A price may have been stored, and not have triggered all that it crosses."""
        for mint, price in dict(self._prices.newest).items():
            await self._trigger(writer, mint, price, at_once=False)
        await writer.committed()

    def _decode_deposit(self, body: bytes) -> UnsignedDeposit:
        return decode_craft(body)

    def _decode_order(self, body: bytes) -> OrderGroup:
        return decode_group(body)

    def _decode_stored(self, order_id: OrderId, body: bytes) -> OrderGroup:
        return decode_stored(order_id, body)
