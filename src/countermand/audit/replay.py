"""A journal of orders in vaults, replayed: decides and folds again, and compares what comes out with what is stored."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import ClassVar, Final, Generic, TypeVar

from countermand.audit.events import EventsReplay
from countermand.audit.findings import NOT_IN_JOURNAL, NOT_STORED, STORED_OTHERWISE, Audit
from countermand.audit.held import HeldAccount
from countermand.audit.reading import is_bucket_of
from countermand.kernel.journal import encode
from countermand.kernel.ports import EventRecord, JournalRow
from countermand.orders.vaults.journal import JournalBodies, VaultEntry
from countermand.orders.vaults.model.events import DepositLanded, FillLanded, SweepDone, WithdrawalLanded
from countermand.orders.vaults.model.order import Phase, VaultOrder
from countermand.orders.vaults.ports import VaultOrderRow
from countermand.orders.vaults.state import VaultDeposit
from countermand.values.identity import Address, Mint, OrderId, RequestId
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import BaseUnits, UsdPrice
from countermand.values.transitions import IllegalTransition

Order = TypeVar("Order", bound=VaultOrder)
Command = TypeVar("Command")
Event = TypeVar("Event")
Row = TypeVar("Row", bound=VaultOrderRow)

_CLOSED: Final = (Phase.FILLED, Phase.CANCELLED, Phase.DEPOSIT_FAILED)


class VaultReplay(ABC, Generic[Order, Command, Event, Row]):
    """All orders of a shard as the journal says that they are."""

    table: ClassVar[str]
    tables: ClassVar[Sequence[str]]
    """All that cannot be checked without it."""

    def __init__(
        self, audit: Audit, shard: int, orders: Mapping[OrderId, Order], bodies: JournalBodies[Command, Event]
    ) -> None:
        """`orders`: those that `_apply` keeps."""
        self.orders = orders
        self._bodies = bodies
        self.transactions: dict[str, OrderId] = {}
        """Those that the journal says landed, with their orders."""
        self.crafts: dict[RequestId, bytes] = {}
        """Those that became orders, as a digest of what is stored of each."""
        self.judged: dict[Mint, UsdPrice] = {}
        """By mint: the last price that an order was judged by."""
        self._audit = audit
        self.shard = shard
        self.events = EventsReplay(audit, shard)

    # --- what a family adds

    @abstractmethod
    def _decide(self, command: Command, moment: Moment) -> object:
        """The events, or a refusal."""

    @abstractmethod
    def _apply(
        self, order_id: OrderId, event: Event, command: Command, at: Instant
    ) -> tuple[Order | None, EventRecord]:
        """The order after the event, if it is about one, and what is told of it."""

    @abstractmethod
    def _note(self, command: Command, price: UsdPrice | None) -> None:
        """What of the command is compared later, before its events are applied."""

    @abstractmethod
    def _row(self, order: Order) -> Row: ...

    @abstractmethod
    def _deposited(self, order: Order) -> BaseUnits: ...

    @abstractmethod
    def _left(self, order: Order) -> Iterator[tuple[Address, Mint, BaseUnits]]:
        """Each account of the order, and what of its own is left in there."""

    def _sold(self, order: Order) -> Mint:
        """What its last fill sold."""
        return order.terms.input_mint

    def _bought(self, order: Order, event: FillLanded) -> None:
        """What a fill gave, if the order keeps it."""

    def _output(self, order: Order) -> Mint | None:
        """That of its second account."""

    # --- replaying

    def replay(self, row: JournalRow) -> None:
        try:
            self._replay(self._bodies.read(row))
        except IllegalTransition as problem:
            raise ValueError(str(problem)) from problem

    def _replay(self, entry: VaultEntry[Command, Event]) -> None:
        if entry.rules == self._bodies.rules:
            decided = self._decide(entry.command, entry.moment)
            if decided != entry.events:
                what = f"deciding again gives {decided}, not {entry.events}"
                self._audit.differs("journal", f"{self.shard}/{entry.seq}", what)
        self._note(entry.command, entry.moment.price)
        records: list[EventRecord] = []
        for order_id, event in entry.events:
            order, record = self._apply(order_id, event, entry.command, entry.moment.at)
            records.append(record)
            if order is not None:
                self._count(order, event)
        self.events.expect(entry.seq, records)

    def _placed(self, deposit: VaultDeposit) -> None:
        self.crafts[deposit.request_id] = sha256(encode(deposit)).digest()

    def _count(self, order: Order, event: Event) -> None:
        own, output = self._audit.column(order.terms.input_mint), self._output(order)
        match event:
            case DepositLanded():
                own.deposited += self._deposited(order).units
                self.transactions[event.signature] = order.id
            case FillLanded():
                sold = self._audit.column(self._sold(order))
                sold.filled += event.used.units
                sold.withdrawn += event.returned.units
                sold.gifts_returned += event.dust.units
                self._bought(order, event)
                self.transactions[event.signature] = order.id
            case WithdrawalLanded():
                own.withdrawn += event.withdrawn.units
                own.gifts_returned += event.dust.units
                if output is not None:
                    kept = self._audit.column(output)
                    kept.withdrawn += event.output_withdrawn.units
                    kept.gifts_returned += event.output_dust.units
                self.transactions[event.signature] = order.id
            case SweepDone(signature=signature) if signature is not None:
                own.gifts_returned += event.dust.units
                if output is not None and event.output_dust:
                    self._audit.column(output).gifts_returned += event.output_dust.units
                self.transactions[signature] = order.id
            case _:
                pass

    # --- comparing

    async def compare_orders(self, rows: AsyncIterable[Row]) -> None:
        missing = dict.fromkeys(self.orders)
        async for row in rows:
            missing.pop(row.id, None)
            order = self.orders.get(row.id)
            if order is None:
                self._audit.differs(self.table, row.id, NOT_IN_JOURNAL)
            elif not is_bucket_of(row.bucket, order.terms.wallet):
                self._audit.differs(self.table, row.id, f"bucket {row.bucket} is not that of its wallet")
            elif self._row(order) != row:
                self._audit.differs(self.table, row.id, STORED_OTHERWISE)
        for order_id in missing:
            self._audit.differs(self.table, order_id, NOT_STORED)
        self._audit.orders += len(self.orders)

    def count_remaining(self) -> None:
        for order in self.orders.values():
            for _, mint, left in self._left(order):
                if left:
                    self._audit.column(mint).remaining += left.units
        for name, column in self._audit.columns.items():
            if not column.balances():
                what = f"of {name}, what was deposited is not what was filled, withdrawn and remains"
                self._audit.differs("journal", self.shard, what)

    def held(self) -> Sequence[HeldAccount]:
        return [
            HeldAccount(
                order.id,
                order.terms.wallet,
                mint,
                address,
                left.units,
                is_closed=order.state.phase in _CLOSED and not order.progress.sweep_due,
                never_funded=order.state.phase is Phase.DEPOSIT_FAILED,
                attempt=order.progress.attempt,
            )
            for order in self.orders.values()
            for address, mint, left in self._left(order)
        ]
