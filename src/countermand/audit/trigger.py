"""The journal of trigger orders, replayed: see `audit.replay`."""

from collections.abc import Iterator, Sequence

from countermand.audit.findings import NOT_STORED, STORED_OTHERWISE, Audit
from countermand.audit.replay import VaultReplay
from countermand.kernel.ports import EventRecord
from countermand.orders.trigger.journal import BODIES
from countermand.orders.trigger.model.commands import Command, MoveWatermarks, PlaceOrder, TriggerOrders
from countermand.orders.trigger.model.events import Event, FillLanded, WatermarkMoved
from countermand.orders.trigger.model.live_orders import LiveOrders
from countermand.orders.trigger.model.order import OrderGroup, traded
from countermand.orders.trigger.ports import OrderRow, WatermarkRow
from countermand.orders.trigger.records import record_of, record_of_move
from countermand.orders.trigger.rows import order_row, watermark_row
from countermand.orders.vaults.model.order import is_funded
from countermand.values.identity import Address, Mint, OrderId
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice


class TriggerReplay(VaultReplay[OrderGroup, Command, Event, OrderRow]):
    table = "orders"
    tables = ("orders", "watermarks", "events", "crafts", "vaults", "prices and the accounts of orders")

    def __init__(self, audit: Audit, shard: int) -> None:
        self._live = LiveOrders()
        super().__init__(audit, shard, self._live.groups, BODIES)

    def _decide(self, command: Command, moment: Moment) -> object:
        return self._live.decide(command, moment)

    def _note(self, command: Command, price: UsdPrice | None) -> None:
        if isinstance(command, PlaceOrder):
            self._placed(command.deposit)
        if isinstance(command, MoveWatermarks):
            return
        if isinstance(command, TriggerOrders):
            self.judged[command.mint] = command.price
        elif price is not None and (group := self._live.groups.get(command.order_id)) is not None:
            self.judged[group.terms.trigger_mint] = price

    def _apply(
        self, order_id: OrderId, event: Event, command: Command, at: Instant
    ) -> tuple[OrderGroup | None, EventRecord]:
        if isinstance(event, WatermarkMoved):
            self._live.apply_move(event)
            return None, record_of_move(event, command, at)
        group = self._live.apply(order_id, event, at)
        return group, record_of(group, event, command, at)

    def _row(self, order: OrderGroup) -> OrderRow:
        return order_row(order)

    def _deposited(self, order: OrderGroup) -> BaseUnits:
        return order.terms.deposited

    def _sold(self, order: OrderGroup) -> Mint:
        return traded(order.terms, order.triggered_by())[0]

    def _bought(self, order: OrderGroup, event: FillLanded) -> None:
        """An OTOCO keeps what its parent bought."""
        terms = order.terms
        if terms.output_account is not None and traded(terms, order.triggered_by())[1] == terms.output_mint:
            self._audit.column(terms.output_mint).deposited += event.received.units

    def _output(self, order: OrderGroup) -> Mint | None:
        return None if order.terms.output_account is None else order.terms.output_mint

    def _left(self, order: OrderGroup) -> Iterator[tuple[Address, Mint, BaseUnits]]:
        terms, proceeds = order.terms, order.progress.proceeds
        yield terms.input_account, terms.input_mint, order.remaining if is_funded(order) else NOTHING
        if terms.output_account is not None:
            yield terms.output_account, terms.output_mint, NOTHING if proceeds is None else proceeds.left

    def compare_watermarks(self, rows: Sequence[WatermarkRow]) -> None:
        expected = {f"{row.mint} {row.direction}": row for row in self._watermarks()}
        for row in rows:
            key = f"{row.mint} {row.direction}"
            if key not in expected:
                self._audit.differs("watermarks", key, "it is stored, but no price moved it")
            elif expected.pop(key) != row:
                self._audit.differs("watermarks", key, STORED_OTHERWISE)
        for key in expected:
            self._audit.differs("watermarks", key, NOT_STORED)

    def _watermarks(self) -> Iterator[WatermarkRow]:
        for mint, watermarks in self._live.watermarks():
            if watermarks.moves:
                yield watermark_row(mint, watermarks)
