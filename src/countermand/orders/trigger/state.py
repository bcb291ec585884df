"""The trigger orders of a shard in memory, and what of them the next commit writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from countermand.kernel.fresh_deposits import FreshDeposits
from countermand.kernel.writer_epoch import Entry
from countermand.orders.trigger import journal as trigger_journal
from countermand.orders.trigger.model.commands import (
    Command,
    MoveWatermarks,
    PlaceOrder,
    TriggerOrders,
    UnsignedDeposit,
)
from countermand.orders.trigger.model.condition import Direction
from countermand.orders.trigger.model.events import WatermarkMoved
from countermand.orders.trigger.model.lifecycle import is_dormant
from countermand.orders.trigger.model.live_orders import LiveOrders, OrderEvent, followed
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.model.refusals import Refused
from countermand.orders.trigger.model.trailing import Watermarks
from countermand.orders.trigger.ports import CraftRow, TriggerRows
from countermand.orders.trigger.records import record_of, record_of_move
from countermand.orders.trigger.rows import craft_row, order_row, watermark_row
from countermand.values.identity import Mint, OrderId
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import UsdPrice


@dataclass(slots=True)
class _Pending:
    orders: dict[OrderId, OrderGroup] = field(default_factory=dict)
    crafts: list[CraftRow] = field(default_factory=list)
    watermarks: dict[tuple[Mint, Direction], Watermarks] = field(default_factory=dict)


class TriggerState:
    """`kernel.writer_epoch.ShardState`. `price_of` tells the newest price of a mint."""

    def __init__(self, price_of: Callable[[Mint], UsdPrice | None]) -> None:
        self.live = LiveOrders()
        self._price_of = price_of
        self._pending = _Pending()
        self._writing: dict[OrderId, OrderGroup] = {}
        self._marks_written: dict[tuple[Mint, Direction], Watermarks] = {}
        self._marks_shown: dict[tuple[Mint, Direction], Watermarks] = {}
        """As they are committed."""
        self._dormant: dict[OrderId, OrderGroup] = {}
        self.fresh: FreshDeposits[UnsignedDeposit] = FreshDeposits()

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
            self.add_craft(craft_row(command.deposit))
            self.fresh.forget(command.deposit.request_id)
        for order_id, event in events:
            if isinstance(event, WatermarkMoved):
                self._pending.watermarks[event.mint, event.direction] = self.live.apply_move(event)
                records.append(record_of_move(event, command, at))
                continue
            group = self.live.apply(order_id, event, at)
            self._pending.orders[order_id] = group
            records.append(record_of(group, event, command, at))
        kind, body = trigger_journal.COMMANDS.name_of(command), trigger_journal.body_of(command, judged_by, events)
        return Entry(kind, body, records)

    def _judged_by(self, command: Command) -> UsdPrice | None:
        if isinstance(command, TriggerOrders | MoveWatermarks):
            return command.price
        mint = self.live.trigger_mint(command)
        return None if mint is None else self._price_of(mint)

    def add_craft(self, row: CraftRow) -> None:
        self._pending.crafts.append(row)

    def add_fresh(self, deposit: UnsignedDeposit) -> None:
        self.add_craft(craft_row(deposit))
        self.fresh.add(deposit)

    # --- committing

    def has_rows(self) -> bool:
        return bool(self._pending.crafts)

    def take_rows(self) -> TriggerRows:
        pending, self._pending = self._pending, _Pending()
        self._writing, self._marks_written = (
            pending.orders,
            {key: Watermarks(marks.direction, marks.mark, marks.moves) for key, marks in pending.watermarks.items()},
        )
        return TriggerRows(
            orders=[order_row(group) for group in pending.orders.values()],
            crafts=pending.crafts,
            watermarks=[watermark_row(mint, marks) for (mint, _), marks in pending.watermarks.items()],
        )

    def take_committed(self) -> Sequence[OrderGroup]:
        """What was taken is committed. Returns the orders as they were committed."""
        written, self._writing = self._writing, {}
        self._marks_shown.update(self._marks_written)
        for group in written.values():
            self._dormant.pop(group.id, None)
            if is_dormant(group):
                self._dormant[group.id] = group
        return tuple(written.values())

    # --- what is in memory

    def size(self) -> int:
        return len(self.live.groups)

    def adopt_watermarks(self, mint: Mint, watermarks: Watermarks) -> None:
        self.live.adopt_watermarks(mint, watermarks)
        shown = Watermarks(watermarks.direction, watermarks.mark, watermarks.moves)
        self._marks_shown[mint, watermarks.direction] = shown

    def as_committed(self, group: OrderGroup) -> OrderGroup:
        """An order that was read, with its trigger where committed prices have moved it, if it trails."""
        return followed(group, self._shown)

    def _shown(self, mint: Mint, direction: Direction) -> Watermarks:
        return self._marks_shown.get((mint, direction)) or Watermarks(direction)

    def adopt(self, group: OrderGroup) -> None:
        self.live.adopt(group)
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
            if self.live.groups.get(order_id) is group:
                self.live.evict(order_id)
