"""The journal of recurring orders, replayed: see `audit.replay`."""

from collections.abc import Iterator

from countermand.audit.findings import Audit
from countermand.audit.replay import VaultReplay
from countermand.kernel.ports import EventRecord
from countermand.orders.dca.journal import BODIES
from countermand.orders.dca.model.commands import Command, PlaceOrder
from countermand.orders.dca.model.events import Event
from countermand.orders.dca.model.live_orders import LiveOrders
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.ports import OrderRow
from countermand.orders.dca.records import record_of
from countermand.orders.dca.rows import order_row
from countermand.orders.vaults.model.order import is_funded
from countermand.values.identity import Address, Mint, OrderId
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice


class DcaReplay(VaultReplay[DcaOrder, Command, Event, OrderRow]):
    table = "dca_orders"
    tables = ("dca_orders", "events", "dca_crafts", "vaults", "prices and the accounts of orders")

    def __init__(self, audit: Audit, shard: int) -> None:
        self._live = LiveOrders()
        super().__init__(audit, shard, self._live.orders, BODIES)

    def _decide(self, command: Command, moment: Moment) -> object:
        return self._live.decide(command, moment)

    def _note(self, command: Command, price: UsdPrice | None) -> None:
        if isinstance(command, PlaceOrder):
            self._placed(command.deposit)
        mint = self._live.judged_by(command)
        if mint is not None and price is not None:
            self.judged[mint] = price

    def _apply(self, order_id: OrderId, event: Event, command: Command, at: Instant) -> tuple[DcaOrder, EventRecord]:
        before = self._live.orders.get(order_id)
        order = self._live.apply(order_id, event, at)
        return order, record_of(before, order, event, command, at)

    def _row(self, order: DcaOrder) -> OrderRow:
        return order_row(order)

    def _deposited(self, order: DcaOrder) -> BaseUnits:
        return order.terms.deposited

    def _left(self, order: DcaOrder) -> Iterator[tuple[Address, Mint, BaseUnits]]:
        yield order.terms.input_account, order.terms.input_mint, order.remaining if is_funded(order) else NOTHING
