"""The journal of recurring orders, replayed: decides and folds again, and compares the outcome with what is stored."""

from collections.abc import AsyncIterable, Iterator
from hashlib import sha256
from typing import Final

from countermand.audit.events import EventsReplay
from countermand.audit.findings import Audit
from countermand.audit.held import HeldAccount
from countermand.audit.reading import is_bucket_of
from countermand.kernel.journal import encode
from countermand.kernel.ports import EventRecord, JournalRow
from countermand.orders.dca.journal import BODIES
from countermand.orders.dca.model.commands import Command, PlaceOrder
from countermand.orders.dca.model.events import DepositLanded, Event, FillLanded, SweepDone, WithdrawalLanded
from countermand.orders.dca.model.lifecycle import is_funded
from countermand.orders.dca.model.live_orders import LiveOrders
from countermand.orders.dca.model.order import DcaOrder, State
from countermand.orders.dca.ports import OrderRow
from countermand.orders.dca.records import record_of
from countermand.orders.dca.rows import order_row
from countermand.orders.vaults.journal import Entry
from countermand.orders.vaults.model.lives import IllegalTransition
from countermand.values.identity import Mint, OrderId, RequestId
from countermand.values.quantities import UsdPrice

_CLOSED: Final = (State.COMPLETED, State.CANCELLED, State.DEPOSIT_FAILED)


class DcaReplay:
    """All orders of a shard as the journal says that they are."""

    def __init__(self, audit: Audit, shard: int) -> None:
        self.live = LiveOrders()
        self.transactions: dict[str, OrderId] = {}
        """Those that the journal says landed, with their orders."""
        self.crafts: dict[RequestId, bytes] = {}
        """Those that became orders, as a digest of what is stored of each."""
        self.judged: dict[Mint, UsdPrice] = {}
        """By mint: the last price that a round was judged by."""
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
            decided = self.live.decide(entry.command, entry.moment)
            if decided != entry.events:
                what = f"deciding again gives {decided}, not {entry.events}"
                self._audit.differs("journal", f"{self._shard}/{entry.seq}", what)
        self._note(entry)
        records: list[EventRecord] = []
        for order_id, event in entry.events:
            before = self.live.orders.get(order_id)
            order = self.live.apply(order_id, event, entry.moment.at)
            self._count(order, event)
            records.append(record_of(before, order, event, entry.command, entry.moment.at))
        self.events.expect(entry.seq, records)

    def _note(self, entry: Entry[Command, Event]) -> None:
        command, price = entry.command, entry.moment.price
        if isinstance(command, PlaceOrder):
            self.crafts[command.deposit.request_id] = sha256(encode(command.deposit)).digest()
        mint = self.live.judged_by(command)
        if mint is not None and price is not None:
            self.judged[mint] = price

    def _count(self, order: DcaOrder, event: Event) -> None:
        column = self._audit.column(order.terms.input_mint)
        match event:
            case DepositLanded():
                column.deposited += order.terms.deposited.units
                self.transactions[event.signature] = order.id
            case FillLanded():
                column.filled += event.used.units
                column.withdrawn += event.returned.units
                column.gifts_returned += event.dust.units
                self.transactions[event.signature] = order.id
            case WithdrawalLanded():
                column.withdrawn += event.withdrawn.units
                column.gifts_returned += event.dust.units
                self.transactions[event.signature] = order.id
            case SweepDone(signature=signature) if signature is not None:
                column.gifts_returned += event.dust.units
                self.transactions[signature] = order.id
            case _:
                pass

    async def compare_orders(self, rows: AsyncIterable[OrderRow]) -> None:
        missing = dict.fromkeys(self.live.orders)
        async for row in rows:
            missing.pop(row.id, None)
            order = self.live.orders.get(row.id)
            if order is None:
                self._audit.differs("dca_orders", row.id, "it is stored, but no journal entry placed it")
            elif not is_bucket_of(row.bucket, order.terms.wallet):
                self._audit.differs("dca_orders", row.id, f"bucket {row.bucket} is not that of its wallet")
            elif order_row(order) != row:
                self._audit.differs("dca_orders", row.id, "it is stored otherwise than the journal says")
        for order_id in missing:
            self._audit.differs("dca_orders", order_id, "it is in the journal, but not stored")
        self._audit.orders += len(self.live.orders)

    def count_remaining(self) -> None:
        for order in self.live.orders.values():
            if is_funded(order):
                self._audit.column(order.terms.input_mint).remaining += order.remaining.units
        for mint, column in self._audit.columns.items():
            if not column.balances():
                what = f"of {mint}, what was deposited is not what was filled, withdrawn and remains"
                self._audit.differs("journal", self._shard, what)

    def held(self) -> Iterator[HeldAccount]:
        for order in self.live.orders.values():
            terms, progress = order.terms, order.progress
            yield HeldAccount(
                order.id,
                terms.wallet,
                terms.input_mint,
                terms.input_account,
                left=order.remaining.units if is_funded(order) else 0,
                is_closed=order.state in _CLOSED and not progress.sweep_due,
                never_funded=order.state is State.DEPOSIT_FAILED,
                attempt=progress.attempt,
            )
