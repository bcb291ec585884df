"""The orders in vaults of a shard in memory, and what of them the next commit writes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Generic, Protocol, TypeVar

from countermand.kernel.journal import encode
from countermand.orders.vaults.fresh_deposits import BuiltDeposit, FreshDeposits
from countermand.orders.vaults.model.order import VaultOrder
from countermand.orders.vaults.ports import CraftRow
from countermand.values.bucket import bucket_of
from countermand.values.identity import OrderId, Wallet


class VaultDeposit(BuiltDeposit, Protocol):
    @property
    def wallet(self) -> Wallet: ...


Order = TypeVar("Order", bound=VaultOrder)
Deposit = TypeVar("Deposit", bound=VaultDeposit)


class VaultState(ABC, Generic[Order, Deposit]):
    """The part of `kernel.writer_epoch.ShardState` that does not depend on what the orders wait for."""

    def __init__(self, orders: Mapping[OrderId, Order]) -> None:
        """`orders`: those in memory."""
        self.orders = orders
        self.fresh: FreshDeposits[Deposit] = FreshDeposits()
        self._changed: dict[OrderId, Order] = {}
        self._crafts: list[CraftRow] = []
        self._writing: dict[OrderId, Order] = {}
        self._dormant: dict[OrderId, Order] = {}

    # --- what a family adds

    @abstractmethod
    def _is_dormant(self, order: Order) -> bool:
        """It need not be in memory."""

    @abstractmethod
    def _take_in(self, order: Order) -> None: ...

    @abstractmethod
    def _forget(self, order_id: OrderId) -> None: ...

    # --- deposits

    def add_fresh(self, deposit: Deposit) -> None:
        self._crafts.append(craft_row(deposit))
        self.fresh.add(deposit)

    def _use(self, deposit: Deposit) -> None:
        """It placed an order. It may have been forgotten since it was read: it had died, or the venue was reset."""
        self._crafts.append(craft_row(deposit))
        self.fresh.forget(deposit.request_id)

    # --- committing

    def has_rows(self) -> bool:
        return bool(self._crafts)

    def _take(self) -> tuple[Sequence[Order], Sequence[CraftRow]]:
        """The orders that changed, and the deposits: they are then in the next commit's hands."""
        orders, crafts = self._changed, self._crafts
        self._writing, self._changed, self._crafts = orders, {}, []
        return tuple(orders.values()), crafts

    def take_committed(self) -> Sequence[Order]:
        """What was taken is committed. Returns the orders as they were committed."""
        written, self._writing = self._writing, {}
        for order in written.values():
            self._dormant.pop(order.id, None)
            if self._is_dormant(order):
                self._dormant[order.id] = order
        return tuple(written.values())

    # --- what is in memory

    def size(self) -> int:
        return len(self.orders)

    def adopt(self, order: Order) -> None:
        """Takes an order in from storage."""
        self._take_in(order)
        if self._is_dormant(order):
            self._dormant[order.id] = order

    def evict(self, keep: int, spare: Callable[[OrderId], bool]) -> None:
        """Forgets the orders that only their owners can move, but for the newest `keep`."""
        excess = len(self._dormant) - keep
        if excess <= 0:
            return
        for order_id, order in list(islice(self._dormant.items(), excess)):
            if spare(order_id):
                continue
            del self._dormant[order_id]
            if self.orders.get(order_id) is order:
                self._forget(order_id)


def craft_row(deposit: VaultDeposit) -> CraftRow:
    height = deposit.craft.last_valid_height
    return CraftRow(deposit.request_id, bucket_of(deposit.wallet), deposit.order_id, height, encode(deposit))
