"""The recurring orders of a shard in memory, and what of them the next commit writes."""

from collections.abc import Callable

from countermand.kernel.writer_epoch import Entry
from countermand.orders.dca.journal import BODIES, COMMANDS
from countermand.orders.dca.model.commands import Command, PlaceOrder, UnsignedDeposit
from countermand.orders.dca.model.lifecycle import is_dormant
from countermand.orders.dca.model.live_orders import LiveOrders, OrderEvent
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.model.refusals import DcaRefused
from countermand.orders.dca.ports import DcaRows
from countermand.orders.dca.records import record_of
from countermand.orders.dca.rows import order_row
from countermand.orders.vaults.state import VaultState
from countermand.values.identity import Mint, OrderId
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import UsdPrice


class DcaState(VaultState[DcaOrder, UnsignedDeposit]):
    """`kernel.writer_epoch.ShardState`. `price_of` tells the newest price of a mint."""

    def __init__(self, price_of: Callable[[Mint], UsdPrice | None]) -> None:
        self.live = LiveOrders()
        super().__init__(self.live.orders)
        self._price_of = price_of

    # --- deciding

    def due_before(self, command: Command, at: Instant) -> tuple[Instant, Command] | None:
        return self.live.due_before(command, at)

    def begin_due(self, at: Instant, most: int) -> bool:
        return self.live.begin_due(at, most)

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        return self.live.command_due(at)

    def decide(self, command: Command, at: Instant) -> tuple[OrderEvent, ...] | DcaRefused:
        return self.live.decide(command, Moment(at, self._judged_by(command)))

    def apply(self, command: Command, events: tuple[OrderEvent, ...], at: Instant) -> Entry:
        judged_by, records = self._judged_by(command), []
        if isinstance(command, PlaceOrder):
            self._use(command.deposit)
        for order_id, event in events:
            before = self.live.orders.get(order_id)
            order = self.live.apply(order_id, event, at)
            self._changed[order_id] = order
            records.append(record_of(before, order, event, command, at))
        return Entry(COMMANDS.name_of(command), BODIES.body_of(command, judged_by, events), records)

    def _judged_by(self, command: Command) -> UsdPrice | None:
        mint = self.live.judged_by(command)
        return None if mint is None else self._price_of(mint)

    # --- committing

    def take_rows(self) -> DcaRows:
        orders, crafts = self._take()
        return DcaRows([order_row(order) for order in orders], crafts)

    # --- what is in memory

    def _is_dormant(self, order: DcaOrder) -> bool:
        return is_dormant(order)

    def _take_in(self, order: DcaOrder) -> None:
        self.live.adopt(order)

    def _forget(self, order_id: OrderId) -> None:
        self.live.evict(order_id)
