"""What the shards of all orders in vaults have in common: their reads, their deposits, and what they keep in memory."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

from countermand.kernel.grouped_reads import GroupedReads
from countermand.kernel.ports import Epoch, ShardClock
from countermand.kernel.shard import Shard
from countermand.kernel.watchers import Watchers
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.shards import BucketOwners, OwnedElsewhere
from countermand.orders.vaults.model.order import VaultOrder
from countermand.orders.vaults.model.refusals import VaultRefused
from countermand.orders.vaults.ports import OrderBody, OrderStore
from countermand.orders.vaults.state import VaultDeposit, VaultState
from countermand.services.prices import Prices
from countermand.stored_rows import UNREADABLE, unreadable
from countermand.values.bucket import Bucket, bucket_of
from countermand.values.identity import OrderId, RequestId

DORMANT_ORDERS_KEPT: Final = 1_000

Order = TypeVar("Order", bound=VaultOrder)
Deposit = TypeVar("Deposit", bound=VaultDeposit)
State = TypeVar("State", bound=VaultState[Any, Any])
Command = TypeVar("Command")
Event = TypeVar("Event")
Refused = TypeVar("Refused", bound=VaultRefused[Enum, Enum])
Rows = TypeVar("Rows")


class Decided(Struct, Generic[Order], frozen=True):
    """A command that was not refused: the order as it is now. `changed` false: it had been so before."""

    order: Order
    changed: bool


class VaultShard(
    Shard[State, Command, Event, Refused, Rows], Generic[State, Command, Event, Refused, Rows, Order, Deposit]
):
    """`prices` judge the orders. `on_committed` is told of every order that a commit changed, and after a load of
    every order in memory.

    It keeps the orders of the buckets that it owns. What is in another's raises `OwnedElsewhere`.
    """

    def __init__(
        self,
        number: int,
        store: OrderStore[Rows],
        clock: ShardClock,
        prices: Prices,
        on_committed: Callable[[Sequence[Order], bool], None],
        owners: BucketOwners,
    ) -> None:
        super().__init__(number, store, clock)
        self._owners = owners
        self.dormant_kept = DORMANT_ORDERS_KEPT
        self._rows = store
        self._prices = prices
        self._told = on_committed
        self._orders = GroupedReads(store.orders)
        self._crafts = GroupedReads(store.crafts)
        self._watchers = Watchers()
        self._as_stored: Sequence[Order] = ()

    # --- what a family adds

    _table: str
    """Where its orders are stored."""

    @abstractmethod
    async def _begin_load(self, epoch: Epoch) -> WriterEpoch[State, Command, Event, Refused, Rows]:
        """With all that is stored but the orders."""

    @abstractmethod
    def _decode_deposit(self, body: bytes) -> Deposit: ...

    @abstractmethod
    def _decode_order(self, body: bytes) -> Order: ...

    @abstractmethod
    def _decode_stored(self, order_id: OrderId, body: bytes) -> Order:
        """Of a row that is loaded. Raises one of `stored_rows.UNREADABLE`."""

    # --- commands

    async def _submit(self, order_id: OrderId, command: Command) -> Decided[Order] | Refused:
        """One turn. Raises `CommitUnknown` when its outcome is unknown, `Unavailable` when it did not happen."""
        writer = await self._with(order_id)
        decided = self._turn(writer, command)
        order: Order | None = writer.state.orders.get(order_id)
        await self._settled(writer, decided)
        if not isinstance(decided, tuple):
            return decided
        assert order is not None, "a decision is about an order"
        return Decided(order, bool(decided))

    async def add_craft(self, deposit: Deposit) -> None:
        self._must_own(f"deposit {deposit.request_id}", bucket_of(deposit.wallet))
        writer = await self._ready()
        writer.state.add_fresh(deposit)
        await writer.committed()

    async def craft(self, request_id: RequestId) -> Deposit | None:
        """None: none was made, or it died, and was forgotten."""
        writer = await self._ready()
        fresh: Deposit | None = writer.state.fresh.get(request_id)
        if fresh is not None:
            return fresh
        await writer.committed()
        body = await self._crafts.ask(request_id)
        return None if body is None else self._decode_deposit(body)

    def forget_dead_crafts(self, below_height: int) -> None:
        """Those that can no longer land, in memory: the store's own are deleted beside it."""
        if self._epoch is not None:
            self._epoch.state.fresh.forget_dead(below_height)

    # --- reads

    async def peek(self, order_id: OrderId) -> Order | None:
        """The order as memory has it now, committed or not: to prepare a command, never for an answer."""
        writer = await self._with(order_id)
        order: Order | None = writer.state.orders.get(order_id)
        return order

    async def committed(self, order_id: OrderId) -> Order | None:
        """The order as it is, once that is committed."""
        while True:
            writer = await self._with(order_id)
            order: Order | None = writer.state.orders.get(order_id)
            await writer.committed()
            if writer.state.orders.get(order_id) is order:
                return order

    async def changed(self, order_id: OrderId) -> None:
        """Returns after the next commit that changes the order, or the next load: a lost commit may have changed it."""
        await self._watchers.changed(order_id)

    # --- the life of a shard

    async def _load(self, epoch: Epoch) -> WriterEpoch[State, Command, Event, Refused, Rows]:
        """Keeps the orders as they are stored, too, for those who are told of them."""
        await self._prices.load()
        writer = await self._begin_load(epoch)
        state = writer.state
        for order_id, body in await self._rows.live_orders(self.number, self._owners.range_of(self.number)):
            try:
                state.adopt(self._decode_stored(order_id, body))
            except UNREADABLE as problem:
                raise unreadable(self._table, order_id, problem) from problem
        self._as_stored = tuple(state.orders.values())
        return writer

    def _on_loaded(self, state: State) -> None:  # noqa: ARG002
        loaded, self._as_stored = self._as_stored, ()
        self._told(loaded, True)
        self._watchers.wake_all()

    def _on_committed(self, state: State) -> None:
        orders: Sequence[Order] = state.take_committed()
        self._told(orders, False)
        self._watchers.wake(order.id for order in orders)
        state.evict(self.dormant_kept, self._is_wanted)

    # --- fetching

    async def _with(self, order_id: OrderId) -> WriterEpoch[State, Command, Event, Refused, Rows]:
        """The epoch, with the order in memory if there is one. What follows without an `await` sees it there."""
        while True:
            writer = await self._ready()
            if order_id in writer.state.orders or writer.state.fresh.is_new(order_id):
                return writer
            row = await self._orders.ask(order_id)
            if writer is self._epoch:
                if row is not None and order_id not in writer.state.orders:
                    self._adopt(writer.state, order_id, row)
                return writer

    def _adopt(self, state: State, order_id: OrderId, row: OrderBody) -> None:
        self._must_own(f"order {order_id}", row.bucket)
        state.adopt(self._decode_order(row.body))

    def _must_own(self, what: str, bucket: Bucket) -> None:
        """Two shards that kept one order would each write it. `bucket`: that of the row or of the wallet, no hint."""
        owner = self._owners.owner_of(bucket)
        if owner != self.number:
            raise OwnedElsewhere(what, bucket, owner)

    def _is_wanted(self, order_id: OrderId) -> bool:
        """It stays in memory: a read under way may find it older than it is, and who watches it reads it next."""
        return self._orders.is_asked(order_id) or self._watchers.is_watched(order_id)
