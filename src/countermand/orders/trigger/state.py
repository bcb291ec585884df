"""The trigger orders of a shard in memory, and what of them the next commit writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from countermand.kernel.writer_epoch import Entry
from countermand.orders.trigger import journal as trigger_journal
from countermand.orders.trigger.model.commands import Command, DepositCraft, PlaceOrder, TriggerOrders
from countermand.orders.trigger.model.lifecycle import is_dormant
from countermand.orders.trigger.model.live_orders import Desk, OrderEvent
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.model.refusals import Refused
from countermand.orders.trigger.ports import BuildRow, CraftRow, TriggerRows
from countermand.orders.trigger.records import record_of
from countermand.orders.trigger.rows import craft_row, order_row, vault_row
from countermand.values.identity import Mint, OrderId, RequestId, Wallet
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import UsdPrice

FRESH_KEPT: Final = 4_096
"""A client signs a deposit and comes back within seconds. What was pushed out is found in the store."""


@dataclass(slots=True)
class _Pending:
    orders: dict[OrderId, OrderGroup] = field(default_factory=dict)
    crafts: list[CraftRow] = field(default_factory=list)
    vaults: dict[Wallet, Instant] = field(default_factory=dict)
    builds: dict[bytes, BuildRow] = field(default_factory=dict)


class TriggerState:
    """`kernel.writer_epoch.ShardState`. `price_of` tells the newest price of a mint."""

    def __init__(self, price_of: Callable[[Mint], UsdPrice | None]) -> None:
        self.desk = Desk()
        self._price_of = price_of
        self._pending = _Pending()
        self._writing: dict[OrderId, OrderGroup] = {}
        self._dormant: dict[OrderId, OrderGroup] = {}
        self._fresh: dict[RequestId, DepositCraft] = {}
        self._fresh_orders: dict[OrderId, RequestId] = {}

    # --- deciding

    def due_before(self, command: Command, at: Instant) -> tuple[Instant, Command] | None:
        return self.desk.due_before(command, at)

    def begin_due(self, at: Instant, most: int) -> bool:
        return self.desk.begin_due(at, most)

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        return self.desk.command_due(at)

    def decide(self, command: Command, at: Instant) -> tuple[OrderEvent, ...] | Refused:
        return self.desk.decide(command, Moment(at, self._judged_by(command)))

    def apply(self, command: Command, events: tuple[OrderEvent, ...], at: Instant) -> Entry:
        judged_by, records = self._judged_by(command), []
        if isinstance(command, PlaceOrder):
            # It may have been forgotten since it was read: it had died, or the venue was reset.
            self.add_craft(craft_row(command.deposit))
            self._forget_fresh(command.deposit.request_id)
        for order_id, event in events:
            group = self.desk.apply(order_id, event, at)
            self._pending.orders[order_id] = group
            records.append(record_of(group, event, command, at))
        kind, body = trigger_journal.COMMANDS.name_of(command), trigger_journal.body_of(command, judged_by, events)
        return Entry(kind, body, records)

    def _judged_by(self, command: Command) -> UsdPrice | None:
        if isinstance(command, TriggerOrders):
            return command.price
        mint = self.desk.trigger_mint(command)
        return None if mint is None else self._price_of(mint)

    def add_craft(self, row: CraftRow) -> None:
        self._pending.crafts.append(row)

    def add_build(self, row: BuildRow) -> None:
        self._pending.builds.setdefault(row.digest, row)

    def add_vault(self, wallet: Wallet, at: Instant) -> None:
        self._pending.vaults.setdefault(wallet, at)

    # --- deposits that were built in this epoch, and became no order yet

    def add_fresh(self, deposit: DepositCraft) -> None:
        self.add_craft(craft_row(deposit))
        self._fresh[deposit.request_id] = deposit
        self._fresh_orders[deposit.order_id] = deposit.request_id
        while len(self._fresh) > FRESH_KEPT:
            self._forget_fresh(next(iter(self._fresh)))

    def fresh(self, request_id: RequestId) -> DepositCraft | None:
        return self._fresh.get(request_id)

    def is_new(self, order_id: OrderId) -> bool:
        """No order of this id can be stored: its deposit was built in this epoch, and placed none."""
        return order_id in self._fresh_orders

    def forget_dead(self, below_height: int) -> None:
        """Heights rise, so the oldest die first."""
        while self._fresh and next(iter(self._fresh.values())).craft.last_valid_height < below_height:
            self._forget_fresh(next(iter(self._fresh)))

    def _forget_fresh(self, request_id: RequestId) -> None:
        deposit = self._fresh.pop(request_id, None)
        if deposit is not None:
            del self._fresh_orders[deposit.order_id]

    # --- committing

    def has_rows(self) -> bool:
        pending = self._pending
        return bool(pending.crafts or pending.vaults or pending.builds)

    def take_rows(self) -> TriggerRows:
        pending, self._pending = self._pending, _Pending()
        self._writing = pending.orders
        return TriggerRows(
            orders=[order_row(group) for group in pending.orders.values()],
            crafts=pending.crafts,
            vaults=[vault_row(wallet, at) for wallet, at in pending.vaults.items()],
            builds=list(pending.builds.values()),
        )

    def take_committed(self) -> Sequence[OrderGroup]:
        """What was taken is committed. Returns the orders as they were committed."""
        written, self._writing = self._writing, {}
        for group in written.values():
            self._dormant.pop(group.id, None)
            if is_dormant(group):
                self._dormant[group.id] = group
        return tuple(written.values())

    # --- what is in memory

    def size(self) -> int:
        return len(self.desk.groups)

    def adopt(self, group: OrderGroup) -> None:
        self.desk.adopt(group)
        if is_dormant(group):
            self._dormant[group.id] = group

    def evict(self, keep: int, spare: Callable[[OrderId], bool]) -> None:
        """Forgets the orders that only their owners can move, but for the newest `keep`."""
        excess = len(self._dormant) - keep
        if excess <= 0:
            return
        for order_id, group in list(islice(self._dormant.items(), excess)):
            if spare(order_id):
                continue
            del self._dormant[order_id]
            if self.desk.groups.get(order_id) is group:
                self.desk.evict(order_id)
