"""The state of the index: the open orders, how far each program is known, and the rows that the next commit writes."""

from collections import Counter
from typing import Final

from msgspec import Struct, field

from countermand.kernel.writer_epoch import Entry
from countermand.orders.chain import journal
from countermand.orders.chain.model.commands import TransactionLanded
from countermand.orders.chain.model.decide import BEGINNING, Cursor, IndexRefused, decide
from countermand.orders.chain.model.events import Event, LimitOpened, RecurringOpened
from countermand.orders.chain.model.lifecycle import evolve, trade_of
from countermand.orders.chain.model.order import IndexedOrder
from countermand.orders.chain.records import record_of
from countermand.orders.chain.rows import ChainOrderRow, ChainRows, ChainTradeRow, cursor_row, order_row, trade_row
from countermand.values.identity import Address, Signature
from countermand.values.instant import Instant
from countermand.values.structs import replace

_EVENTS_MAX: Final = 1_000
"""A transaction does not do so much to orders: it has no more than 64 instructions, inner ones among them."""


class _Pending(Struct):
    orders: dict[tuple[Address, Signature, int], ChainOrderRow] = field(default_factory=dict)
    trades: list[ChainTradeRow] = field(default_factory=list)
    cursors: dict[Address, Cursor] = field(default_factory=dict)


class ChainIndexState:
    """`kernel.writer_epoch.ShardState`."""

    def __init__(self) -> None:
        self.open: dict[Address, IndexedOrder] = {}
        self.cursors: dict[Address, Cursor] = {}
        self._pending = _Pending()

    # --- time demands nothing

    def due_before(self, command: TransactionLanded, at: Instant) -> None:
        """Never."""

    def begin_due(self, at: Instant, most: int) -> bool:  # noqa: ARG002
        return True

    def command_due(self, at: Instant) -> None:
        """Never."""

    # --- deciding

    def decide(self, command: TransactionLanded, at: Instant) -> tuple[Event, ...] | IndexRefused:  # noqa: ARG002
        return decide(self.cursors, self.open.get, command)

    def apply(self, command: TransactionLanded, events: tuple[Event, ...], at: Instant) -> Entry:  # noqa: ARG002
        pending, records, opened = self._pending, [], Counter[Address]()
        cursor = self.cursors.get(command.program, BEGINNING)
        for nth, event in enumerate(events, cursor.transactions_in(command.slot) * _EVENTS_MAX):
            order = evolve(self.open.get(event.order), event, command)
            if isinstance(event, LimitOpened | RecurringOpened):
                order = replace(order, nth=opened[order.address])
                opened[order.address] += 1
            if order.is_open:
                self.open[order.address] = order
            else:
                del self.open[order.address]
            pending.orders[order.address, order.opened_by, order.nth] = order_row(order, command.slot, nth)
            trade = trade_of(order, event, command)
            if trade is not None:
                pending.trades.append(trade_row(order, trade))
            records.append(record_of(order, event, command))
        cursor = cursor.after(command)
        self.cursors[command.program] = pending.cursors[command.program] = cursor
        return Entry(journal.LANDED, journal.body_of(command, events), records)

    # --- committing

    def has_rows(self) -> bool:
        return False

    def take_rows(self) -> ChainRows:
        pending, self._pending = self._pending, _Pending()
        return ChainRows(
            list(pending.orders.values()),
            pending.trades,
            [cursor_row(program, cursor) for program, cursor in pending.cursors.items()],
        )

    def size(self) -> int:
        return len(self.open)
