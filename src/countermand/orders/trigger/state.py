"""The trigger orders of a shard in memory, and what of them the next commit writes."""

from collections.abc import Callable, Sequence

from countermand.kernel.writer_epoch import Entry
from countermand.orders.trigger.journal import BODIES, COMMANDS
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
from countermand.orders.trigger.model.refusals import TriggerRefused
from countermand.orders.trigger.model.trailing import Watermarks
from countermand.orders.trigger.ports import TriggerRows
from countermand.orders.trigger.records import record_of, record_of_move
from countermand.orders.trigger.rows import order_row, watermark_row
from countermand.orders.vaults.state import VaultState
from countermand.values.identity import Mint, OrderId
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import UsdPrice


class TriggerState(VaultState[OrderGroup, UnsignedDeposit]):
    """`kernel.writer_epoch.ShardState`. `price_of` tells the newest price of a mint."""

    def __init__(self, price_of: Callable[[Mint], UsdPrice | None]) -> None:
        self.live = LiveOrders()
        super().__init__(self.live.groups)
        self._price_of = price_of
        self._marks_moved: dict[tuple[Mint, Direction], Watermarks] = {}
        self._marks_written: dict[tuple[Mint, Direction], Watermarks] = {}
        self._marks_shown: dict[tuple[Mint, Direction], Watermarks] = {}
        """As they are committed."""

    # --- deciding

    def due_before(self, command: Command, at: Instant) -> tuple[Instant, Command] | None:
        return self.live.due_before(command, at)

    def begin_due(self, at: Instant, most: int) -> bool:
        return self.live.begin_due(at, most)

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        return self.live.command_due(at)

    def decide(self, command: Command, at: Instant) -> tuple[OrderEvent, ...] | TriggerRefused:
        return self.live.decide(command, Moment(at, self._judged_by(command)))

    def apply(self, command: Command, events: tuple[OrderEvent, ...], at: Instant) -> Entry:
        judged_by, records = self._judged_by(command), []
        if isinstance(command, PlaceOrder):
            self._use(command.deposit)
        for order_id, event in events:
            if isinstance(event, WatermarkMoved):
                self._marks_moved[event.mint, event.direction] = self.live.apply_move(event)
                records.append(record_of_move(event, command, at))
                continue
            group = self.live.apply(order_id, event, at)
            self._changed[order_id] = group
            records.append(record_of(group, event, command, at))
        return Entry(COMMANDS.name_of(command), BODIES.body_of(command, judged_by, events), records)

    def _judged_by(self, command: Command) -> UsdPrice | None:
        if isinstance(command, TriggerOrders | MoveWatermarks):
            return command.price
        mint = self.live.trigger_mint(command)
        return None if mint is None else self._price_of(mint)

    # --- committing

    def take_rows(self) -> TriggerRows:
        moved, self._marks_moved = self._marks_moved, {}
        self._marks_written = {
            key: Watermarks(marks.direction, marks.mark, marks.moves) for key, marks in moved.items()
        }
        groups, crafts = self._take()
        return TriggerRows(
            [order_row(group) for group in groups],
            crafts,
            [watermark_row(mint, marks) for (mint, _), marks in moved.items()],
        )

    def take_committed(self) -> Sequence[OrderGroup]:
        self._marks_shown.update(self._marks_written)
        return super().take_committed()

    # --- what is in memory

    def adopt_watermarks(self, mint: Mint, watermarks: Watermarks) -> None:
        self.live.adopt_watermarks(mint, watermarks)
        shown = Watermarks(watermarks.direction, watermarks.mark, watermarks.moves)
        self._marks_shown[mint, watermarks.direction] = shown

    def as_committed(self, group: OrderGroup) -> OrderGroup:
        """An order that was read, with its trigger where committed prices have moved it, if it trails."""
        return followed(group, self._shown)

    def _shown(self, mint: Mint, direction: Direction) -> Watermarks:
        return self._marks_shown.get((mint, direction)) or Watermarks(direction)

    def _is_dormant(self, order: OrderGroup) -> bool:
        return is_dormant(order)

    def _take_in(self, order: OrderGroup) -> None:
        self.live.adopt(order)

    def _forget(self, order_id: OrderId) -> None:
        self.live.evict(order_id)
