"""The recurring orders of a shard in memory, and what of them the next commit writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from countermand.kernel.fresh_deposits import FreshDeposits
from countermand.kernel.writer_epoch import Entry
from countermand.orders.dca import journal as dca_journal
from countermand.orders.dca.model.commands import Command, PlaceOrder, UnsignedDeposit
from countermand.orders.dca.model.lifecycle import is_dormant
from countermand.orders.dca.model.live_orders import LiveOrders, OrderEvent
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.model.refusals import Refused
from countermand.orders.dca.ports import CraftRow, DcaRows
from countermand.orders.dca.records import record_of
from countermand.orders.dca.rows import craft_row, order_row
from countermand.values.identity import Mint, OrderId
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import UsdPrice


@dataclass(slots=True)
class _Pending:
    orders: dict[OrderId, DcaOrder] = field(default_factory=dict)
    crafts: list[CraftRow] = field(default_factory=list)


class DcaState:
    """`kernel.writer_epoch.ShardState`. `price_of` tells the newest price of a mint."""

    def __init__(self, price_of: Callable[[Mint], UsdPrice | None]) -> None:
        self.live = LiveOrders()
        self.fresh: FreshDeposits[UnsignedDeposit] = FreshDeposits()
        self._price_of = price_of
        self._pending = _Pending()
        self._writing: dict[OrderId, DcaOrder] = {}
        self._dormant: dict[OrderId, DcaOrder] = {}

    # --- deciding

    def due_before(self, command: Command, at: Instant) -> tuple[Instant, Command] | None:
        return self.live.due_before(command, at)

    def begin_due(self, at: Instant, most: int) -> bool:
        return self.live.begin_due(at, most)

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        return self.live.command_due(at)

    def decide(self, command: Command, at: Instant) -> tuple[OrderEvent, ...] | Refused:
        return self.live.decide(command, Moment(at, self._judged_by(command)))

    def apply(self, command: Command, events: tuple[OrderEvent, ...], at: Instant) -> Entry:
        judged_by, records = self._judged_by(command), []
        if isinstance(command, PlaceOrder):
            # It may have been forgotten since it was read: it had died, or the venue was reset.
            self._pending.crafts.append(craft_row(command.deposit))
            self.fresh.forget(command.deposit.request_id)
        for order_id, event in events:
            before = self.live.orders.get(order_id)
            order = self.live.apply(order_id, event, at)
            self._pending.orders[order_id] = order
            records.append(record_of(before, order, event, command, at))
        kind, body = dca_journal.COMMANDS.name_of(command), dca_journal.body_of(command, judged_by, events)
        return Entry(kind, body, records)

    def _judged_by(self, command: Command) -> UsdPrice | None:
        mint = self.live.judged_by(command)
        return None if mint is None else self._price_of(mint)

    def add_fresh(self, deposit: UnsignedDeposit) -> None:
        self._pending.crafts.append(craft_row(deposit))
        self.fresh.add(deposit)

    # --- committing

    def has_rows(self) -> bool:
        return bool(self._pending.crafts)

    def take_rows(self) -> DcaRows:
        pending, self._pending = self._pending, _Pending()
        self._writing = pending.orders
        return DcaRows([order_row(order) for order in pending.orders.values()], pending.crafts)

    def take_committed(self) -> Sequence[DcaOrder]:
        """What was taken is committed. Returns the orders as they were committed."""
        written, self._writing = self._writing, {}
        for order in written.values():
            self._dormant.pop(order.id, None)
            if is_dormant(order):
                self._dormant[order.id] = order
        return tuple(written.values())

    # --- what is in memory

    def size(self) -> int:
        return len(self.live.orders)

    def adopt(self, order: DcaOrder) -> None:
        self.live.adopt(order)
        if is_dormant(order):
            self._dormant[order.id] = order

    def evict(self, keep: int, spare: Callable[[OrderId], bool]) -> None:
        """Forgets the orders that have ended, but for the newest `keep`."""
        excess = len(self._dormant) - keep
        if excess <= 0:
            return
        for order_id, order in list(islice(self._dormant.items(), excess)):
            if spare(order_id):
                continue
            del self._dormant[order_id]
            if self.live.orders.get(order_id) is order:
                self.live.evict(order_id)
