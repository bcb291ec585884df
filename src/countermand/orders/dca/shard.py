"""The shard of recurring orders: its commands, its reads, and what it keeps in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from countermand.kernel.grouped_reads import GroupedReads
from countermand.kernel.ports import Epoch, ShardClock
from countermand.kernel.shard import Shard
from countermand.kernel.watchers import Watchers
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.dca.bodies import decode_craft, decode_order, decode_stored
from countermand.orders.dca.model.commands import Command, PlaceOrder, UnsignedDeposit
from countermand.orders.dca.model.live_orders import OrderEvent
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.model.refusals import Refused
from countermand.orders.dca.ports import DcaRows, OrderBody, Store
from countermand.orders.dca.state import DcaState
from countermand.orders.shards import ONE_DCA_SHARD, BucketOwners, OwnedElsewhere
from countermand.services.prices import Prices
from countermand.stored_rows import UNREADABLE, unreadable
from countermand.values.bucket import Bucket, bucket_of
from countermand.values.identity import OrderId, RequestId

DORMANT_ORDERS_KEPT: Final = 1_000

DcaEpoch: TypeAlias = WriterEpoch[DcaState, Command, OrderEvent, Refused, DcaRows]


@dataclass(frozen=True, slots=True)
class Answer:
    """A command that was not refused: the order as it is now. `changed` false: it had been so before."""

    order: DcaOrder
    changed: bool


class DcaShard(Shard[DcaState, Command, OrderEvent, Refused, DcaRows]):
    """`prices` judge the rounds. `on_committed` is told of every order that a commit changed, and after a load of
    every order in memory.

    It keeps the orders of the buckets that it owns. What is in another's raises `OwnedElsewhere`.
    """

    def __init__(
        self,
        number: int,
        store: Store,
        clock: ShardClock,
        prices: Prices,
        on_committed: Callable[[Sequence[DcaOrder], bool], None],
        owners: BucketOwners = ONE_DCA_SHARD,
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
        self._as_stored: Sequence[DcaOrder] = ()

    # --- commands

    async def submit(self, command: Command) -> Answer | Refused:
        """One turn. Raises `CommitUnknown` when its outcome is unknown, `Unavailable` when it did not happen."""
        if isinstance(command, PlaceOrder):
            self._must_own(f"order {command.order_id}", bucket_of(command.wallet))
        writer = await self._with(command.order_id)
        decided = self._turn(writer, command)
        order = writer.state.live.orders.get(command.order_id)
        await self._settled(writer, decided)
        if isinstance(decided, Refused):
            return decided
        assert order is not None, "a decision is about an order"
        return Answer(order, bool(decided))

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

    async def peek(self, order_id: OrderId) -> DcaOrder | None:
        """The order as memory has it now, committed or not: to prepare a command, never for an answer."""
        writer = await self._with(order_id)
        return writer.state.live.orders.get(order_id)

    async def committed(self, order_id: OrderId) -> DcaOrder | None:
        """The order as it is, once that is committed."""
        while True:
            writer = await self._with(order_id)
            order = writer.state.live.orders.get(order_id)
            await writer.committed()
            if writer.state.live.orders.get(order_id) is order:
                return order

    async def changed(self, order_id: OrderId) -> None:
        """Returns after the next commit that changes the order, or the next load: a lost commit may have changed it."""
        await self._watchers.changed(order_id)

    # --- the life of a shard

    async def _load(self, epoch: Epoch) -> DcaEpoch:
        """Keeps the orders as they are stored, too, for those who are told of them."""
        await self._prices.load()
        state = DcaState(self._prices.price_of)
        for order_id, body in await self._store.live_orders(self.number, self._owners.range_of(self.number)):
            try:
                state.adopt(decode_stored(order_id, body))
            except UNREADABLE as problem:
                raise unreadable("dca_orders", order_id, problem) from problem
        self._as_stored = tuple(state.live.orders.values())
        return WriterEpoch(self.number, epoch, state, state)

    def _on_loaded(self, state: DcaState) -> None:  # noqa: ARG002
        loaded, self._as_stored = self._as_stored, ()
        self._told(loaded, True)
        self._watchers.wake_all()

    def _on_committed(self, state: DcaState) -> None:
        orders = state.take_committed()
        self._told(orders, False)
        self._watchers.wake(order.id for order in orders)
        state.evict(self.dormant_kept, self._is_wanted)

    # --- fetching

    async def _with(self, order_id: OrderId) -> DcaEpoch:
        """The epoch, with the order in memory if there is one. What follows without an `await` sees it there."""
        while True:
            writer = await self._ready()
            if order_id in writer.state.live.orders or writer.state.fresh.is_new(order_id):
                return writer
            row = await self._orders.ask(order_id)
            if writer is self._epoch:
                if row is not None and order_id not in writer.state.live.orders:
                    self._adopt(writer, order_id, row)
                return writer

    def _adopt(self, writer: DcaEpoch, order_id: OrderId, row: OrderBody) -> None:
        self._must_own(f"order {order_id}", row.bucket)
        writer.state.adopt(decode_order(row.body))

    def _must_own(self, what: str, bucket: Bucket) -> None:
        """Two shards that kept one order would each write it. `bucket`: that of the row or of the wallet, no hint."""
        owner = self._owners.owner_of(bucket)
        if owner != self.number:
            raise OwnedElsewhere(what, bucket, owner)

    def _is_wanted(self, order_id: OrderId) -> bool:
        """It may not leave memory: what is being read of it would be older than what is committed of it."""
        return self._orders.is_asked(order_id) or self._watchers.is_watched(order_id)
