"""The journal of trigger orders, replayed: decides and folds again, and compares what comes out with what is stored."""

from collections.abc import AsyncIterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from countermand.audit.events import EventsReplay
from countermand.audit.findings import Audit
from countermand.audit.held import HeldAccount
from countermand.audit.reading import is_bucket_of
from countermand.kernel.journal import encode
from countermand.kernel.ports import EventRecord, JournalRow
from countermand.orders.trigger.journal import BODIES
from countermand.orders.trigger.model.commands import Command, MoveWatermarks, PlaceOrder, TriggerOrders
from countermand.orders.trigger.model.events import (
    DepositLanded,
    Event,
    FillLanded,
    SweepDone,
    WatermarkMoved,
    WithdrawalLanded,
)
from countermand.orders.trigger.model.lifecycle import is_funded
from countermand.orders.trigger.model.live_orders import LiveOrders
from countermand.orders.trigger.model.order import OrderGroup, State, traded
from countermand.orders.trigger.ports import OrderRow, WatermarkRow
from countermand.orders.trigger.records import record_of, record_of_move
from countermand.orders.trigger.rows import order_row, watermark_row
from countermand.orders.vaults.journal import Entry
from countermand.orders.vaults.model.lives import IllegalTransition
from countermand.values.identity import Address, Mint, OrderId, RequestId
from countermand.values.quantities import NOTHING, UsdPrice

_CLOSED: Final = (State.FILLED, State.CANCELLED, State.DEPOSIT_FAILED)


class Replay:
    """All orders of a shard as the journal says that they are."""

    def __init__(self, audit: Audit, shard: int) -> None:
        self.desk = LiveOrders()
        self.transactions: dict[str, OrderId] = {}
        """Those that the journal says landed, with their orders."""
        self.crafts: dict[RequestId, bytes] = {}
        """Those that became orders, as a digest of what is stored of each."""
        self.judged: dict[Mint, UsdPrice] = {}
        """By mint: the last price that an order was judged by."""
        self._audit = audit
        self._shard = shard
        self.events = EventsReplay(audit, shard)

    def replay(self, row: JournalRow) -> None:
        try:
            self._apply(BODIES.read(row))
        except IllegalTransition as problem:
            raise ValueError(str(problem)) from problem

    def _apply(self, entry: Entry[Command, Event]) -> None:
        if entry.rules == BODIES.rules:
            decided = self.desk.decide(entry.command, entry.moment)
            if decided != entry.events:
                what = f"deciding again gives {decided}, not {entry.events}"
                self._audit.differs("journal", f"{self._shard}/{entry.seq}", what)
        self._note(entry)
        records: list[EventRecord] = []
        for order_id, event in entry.events:
            if isinstance(event, WatermarkMoved):
                self.desk.apply_move(event)
                records.append(record_of_move(event, entry.command, entry.moment.at))
                continue
            group = self.desk.apply(order_id, event, entry.moment.at)
            self._count(group, event)
            records.append(record_of(group, event, entry.command, entry.moment.at))
        self.events.expect(entry.seq, records)

    def _note(self, entry: Entry[Command, Event]) -> None:
        command, price = entry.command, entry.moment.price
        if isinstance(command, PlaceOrder):
            self.crafts[command.deposit.request_id] = sha256(encode(command.deposit)).digest()
        if isinstance(command, MoveWatermarks):
            return
        if isinstance(command, TriggerOrders):
            self.judged[command.mint] = command.price
        elif price is not None and (group := self.desk.groups.get(command.order_id)) is not None:
            self.judged[group.terms.trigger_mint] = price

    def _count(self, group: OrderGroup, event: Event) -> None:
        column = self._audit.column(group.terms.input_mint)
        match event:
            case DepositLanded():
                column.deposited += group.terms.deposited.units
                self.transactions[event.signature] = group.id
            case FillLanded():
                sold, bought = traded(group.terms, group.triggered_by())
                column = self._audit.column(sold)
                column.filled += event.used.units
                column.withdrawn += event.returned.units
                column.gifts_returned += event.dust.units
                if group.terms.output_account is not None and bought == group.terms.output_mint:
                    # The order keeps what its parent bought.
                    self._audit.column(bought).deposited += event.received.units
                self.transactions[event.signature] = group.id
            case WithdrawalLanded():
                if group.terms.output_account is not None:
                    kept = self._audit.column(group.terms.output_mint)
                    kept.withdrawn += event.output_withdrawn.units
                    kept.gifts_returned += event.output_dust.units
                column.withdrawn += event.withdrawn.units
                column.gifts_returned += event.dust.units
                self.transactions[event.signature] = group.id
            case SweepDone(signature=signature) if signature is not None:
                if event.output_dust != NOTHING:
                    self._audit.column(group.terms.output_mint).gifts_returned += event.output_dust.units
                column.gifts_returned += event.dust.units
                self.transactions[signature] = group.id
            case _:
                pass

    async def compare_orders(self, rows: AsyncIterable[OrderRow]) -> None:
        missing = dict.fromkeys(self.desk.groups)
        async for row in rows:
            missing.pop(row.id, None)
            group = self.desk.groups.get(row.id)
            if group is None:
                self._audit.differs("orders", row.id, "it is stored, but no journal entry placed it")
            elif not is_bucket_of(row.bucket, group.terms.wallet):
                self._audit.differs("orders", row.id, f"bucket {row.bucket} is not that of its wallet")
            elif order_row(group) != row:
                self._audit.differs("orders", row.id, "it is stored otherwise than the journal says")
        for order_id in missing:
            self._audit.differs("orders", order_id, "it is in the journal, but not stored")
        self._audit.orders += len(self.desk.groups)

    def compare_watermarks(self, rows: Sequence[WatermarkRow]) -> None:
        expected = {f"{row.mint} {row.direction}": row for row in self._watermarks()}
        for row in rows:
            key = f"{row.mint} {row.direction}"
            if key not in expected:
                self._audit.differs("watermarks", key, "it is stored, but no price moved it")
            elif expected.pop(key) != row:
                self._audit.differs("watermarks", key, "it is stored otherwise than the journal says")
        for key in expected:
            self._audit.differs("watermarks", key, "it is in the journal, but not stored")

    def _watermarks(self) -> Iterator[WatermarkRow]:
        for mint, watermarks in self.desk.watermarks():
            if watermarks.moves:
                yield watermark_row(mint, watermarks)

    def count_remaining(self) -> None:
        for group in self.desk.groups.values():
            if is_funded(group) and group.remaining != NOTHING:
                self._audit.column(group.terms.input_mint).remaining += group.remaining.units
            proceeds = group.progress.proceeds
            if proceeds is not None and proceeds.left != NOTHING:
                self._audit.column(group.terms.output_mint).remaining += proceeds.left.units
        for mint, column in self._audit.columns.items():
            if not column.balances():
                what = f"of {mint}, what was deposited is not what was filled, withdrawn and remains"
                self._audit.differs("journal", self._shard, what)

    def held(self) -> Iterator[HeldAccount]:
        for group in self.desk.groups.values():
            terms, proceeds = group.terms, group.progress.proceeds
            left = group.remaining.units if is_funded(group) else 0
            yield _held(group, terms.input_account, terms.input_mint, left)
            if terms.output_account is not None:
                kept = 0 if proceeds is None else proceeds.left.units
                yield _held(group, terms.output_account, terms.output_mint, kept)


def _held(group: OrderGroup, address: Address, mint: Mint, left: int) -> HeldAccount:
    return HeldAccount(
        group.id,
        group.terms.wallet,
        mint,
        address,
        left,
        is_closed=group.state in _CLOSED and not group.progress.sweep_due,
        never_funded=group.state is State.DEPOSIT_FAILED,
        attempt=group.progress.attempt,
    )
