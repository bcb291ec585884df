"""The shard of trigger orders: its commands, its reads, and what it keeps in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from countermand.kernel.grouped_reads import GroupedReads
from countermand.kernel.ports import Epoch, ShardClock
from countermand.kernel.shard import Shard
from countermand.kernel.watchers import Watchers
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.shards import ONE_TRIGGER_SHARD, BucketOwners, OwnedElsewhere
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
from countermand.orders.trigger.model.refusals import Refused
from countermand.orders.trigger.ports import OrderBody, Store, TriggerRows
from countermand.orders.trigger.rows import watermarks_of
from countermand.orders.trigger.state import TriggerState
from countermand.services.prices import Prices
from countermand.stored_rows import UNREADABLE, unreadable
from countermand.values.bucket import Bucket, bucket_of
from countermand.values.identity import Mint, OrderId, RequestId
from countermand.values.quantities import UsdPrice

DORMANT_ORDERS_KEPT: Final = 1_000

TriggerEpoch: TypeAlias = WriterEpoch[TriggerState, Command, OrderEvent, Refused, TriggerRows]


@dataclass(frozen=True, slots=True)
class Answer:
    """A command that was not refused: the order as it is now. `changed` false: it had been so before."""

    group: OrderGroup
    changed: bool


class TriggerShard(Shard[TriggerState, Command, OrderEvent, Refused, TriggerRows]):
    """`prices` judge the orders. `on_committed` is told of every order that a commit changed, and after a load of
    every order in memory.

    It keeps the orders of the buckets that it owns. What is in another's raises `OwnedElsewhere`.
    """

    def __init__(
        self,
        number: int,
        store: Store,
        clock: ShardClock,
        prices: Prices,
        on_committed: Callable[[Sequence[OrderGroup], bool], None],
        owners: BucketOwners = ONE_TRIGGER_SHARD,
    ) -> None:
        super().__init__(number, store, clock)
        self._owners = owners
        self.dormant_kept = DORMANT_ORDERS_KEPT
        self._store = store
        self._prices = prices
        self._told = on_committed
        self._orders = GroupedReads(store.orders)
        self._crafts = GroupedReads(store.crafts)
        self._watchers = Watchers()
        self._as_stored: Sequence[OrderGroup] = ()

    # --- commands

    async def submit(self, command: OrderCommand) -> Answer | Refused:
        """One turn. Raises `CommitUnknown` when its outcome is unknown, `Unavailable` when it did not happen."""
        assert not isinstance(command, TriggerOrders), "prices trigger orders, see observe_prices"
        if isinstance(command, PlaceOrder):
            self._must_own(f"order {command.order_id}", bucket_of(command.wallet))
        writer = await self._with(command.order_id)
        decided = self._turn(writer, command)
        group = writer.state.live.groups.get(command.order_id)
        await self._settled(writer, decided)
        if isinstance(decided, Refused):
            return decided
        assert group is not None, "a decision is about an order"
        return Answer(group, bool(decided))

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
            triggered = {} if isinstance(decided, Refused) else dict(decided)
            left += [order_id for order_id in crossed if order_id not in triggered]
            if more:
                await self._let_others_run(writer)
        live.watch_again(left)

    async def add_craft(self, deposit: UnsignedDeposit) -> None:
        self._must_own(f"deposit {deposit.request_id}", bucket_of(deposit.wallet))
        writer = await self._ready()
        writer.state.add_fresh(deposit)
        await writer.committed()

    async def craft(self, request_id: RequestId) -> UnsignedDeposit | None:
        """None: none was made, or it died, and was forgotten."""
        writer = await self._ready()
        fresh = writer.state.fresh.get(request_id)
        if fresh is not None:
            return fresh
        await writer.committed()
        body = await self._crafts.ask(request_id)
        return None if body is None else decode_craft(body)

    def forget_dead_crafts(self, below_height: int) -> None:
        """Those that can no longer land, in memory: the store's own are deleted beside it."""
        if self._epoch is not None:
            self._epoch.state.fresh.forget_dead(below_height)

    # --- reads

    async def peek(self, order_id: OrderId) -> OrderGroup | None:
        """The order as memory has it now, committed or not: to prepare a command, never for an answer."""
        writer = await self._with(order_id)
        return writer.state.live.groups.get(order_id)

    def as_committed(self, group: OrderGroup) -> OrderGroup:
        """An order that was read, with its trigger where it is now, if it trails."""
        return group if self._epoch is None else self._epoch.state.as_committed(group)

    async def committed(self, order_id: OrderId) -> OrderGroup | None:
        """The order as it is, once that is committed."""
        while True:
            writer = await self._with(order_id)
            group = writer.state.live.groups.get(order_id)
            await writer.committed()
            if writer.state.live.groups.get(order_id) is group:
                return group

    async def changed(self, order_id: OrderId) -> None:
        """Returns after the next commit that changes the order, or the next load: a lost commit may have changed it."""
        await self._watchers.changed(order_id)

    # --- the life of a shard

    async def _load(self, epoch: Epoch) -> TriggerEpoch:
        """Keeps the orders as they are stored, too, for those who are told of them."""
        await self._prices.load()
        state = TriggerState(self._prices.price_of)
        for row in await self._store.watermarks(self.number):
            try:
                state.adopt_watermarks(row.mint, watermarks_of(row))
            except UNREADABLE as problem:
                raise unreadable("watermarks", row.mint, problem) from problem
        for order_id, body in await self._store.live_orders(self.number, self._owners.range_of(self.number)):
            try:
                state.adopt(decode_stored(order_id, body))
            except UNREADABLE as problem:
                raise unreadable("orders", order_id, problem) from problem
        self._as_stored = tuple(state.live.groups.values())
        return WriterEpoch(self.number, epoch, state, state)

    async def _catch_up(self, writer: TriggerEpoch) -> None:
        """A price may have been stored, and not have triggered all that it crosses."""
        for mint, price in dict(self._prices.newest).items():
            await self._trigger(writer, mint, price, at_once=False)
        await writer.committed()

    def _on_loaded(self, state: TriggerState) -> None:  # noqa: ARG002
        loaded, self._as_stored = self._as_stored, ()
        self._told(loaded, True)
        self._watchers.wake_all()

    def _on_committed(self, state: TriggerState) -> None:
        groups = state.take_committed()
        self._told(groups, False)
        self._watchers.wake(group.id for group in groups)
        state.evict(self.dormant_kept, self._is_wanted)

    # --- fetching

    async def _with(self, order_id: OrderId) -> TriggerEpoch:
        """The epoch, with the order in memory if there is one. What follows without an `await` sees it there."""
        while True:
            writer = await self._ready()
            if order_id in writer.state.live.groups or writer.state.fresh.is_new(order_id):
                return writer
            row = await self._orders.ask(order_id)
            if writer is self._epoch:
                if row is not None and order_id not in writer.state.live.groups:
                    self._adopt(writer, order_id, row)
                return writer

    def _adopt(self, writer: TriggerEpoch, order_id: OrderId, row: OrderBody) -> None:
        self._must_own(f"order {order_id}", row.bucket)
        writer.state.adopt(decode_group(row.body))

    def _must_own(self, what: str, bucket: Bucket) -> None:
        """Two shards that kept one order would each write it. `bucket`: that of the row or of the wallet, no hint."""
        owner = self._owners.owner_of(bucket)
        if owner != self.number:
            raise OwnedElsewhere(what, bucket, owner)

    def _is_wanted(self, order_id: OrderId) -> bool:
        """It may not leave memory: what is being read of it would be older than what is committed of it."""
        return self._orders.is_asked(order_id) or self._watchers.is_watched(order_id)
