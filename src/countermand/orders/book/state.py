"""The state of the shard: the exchange, the drafts, and the rows that the next commit writes."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, Protocol

from msgspec import Struct, field

from countermand.kernel.journal import encode
from countermand.kernel.ports import EventRecord
from countermand.kernel.writer_epoch import Entry
from countermand.orders.book import journal as book_journal
from countermand.orders.book.day import Day
from countermand.orders.book.model.commands import Command, ContinueBookOrder, OpenBookOrder, PlaceBookOrder
from countermand.orders.book.model.decide import Decision, decide
from countermand.orders.book.model.events import BookOrderCancelled, Traded
from countermand.orders.book.model.exchange import ORDERS_PER_TURN, Exchange
from countermand.orders.book.model.ledger.amount import Account, Currency
from countermand.orders.book.model.lifecycle import LIVE
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.order import BookOrder, CancelReason, Nonce, OrderId
from countermand.orders.book.model.refusals import BookRefused
from countermand.orders.book.records import records_of
from countermand.orders.book.rows import (
    BookBalanceRow,
    BookDraftRow,
    BookRows,
    BookTradeRow,
    Draft,
    StoredCounters,
    draft_row,
    order_row,
    trade_row,
)
from countermand.values.instant import Instant
from countermand.values.structs import replace


class MatchFaults(Protocol):
    """Matches that fail on purpose."""

    def failing(self) -> bool:
        """The next match fails."""

    def failed(self) -> None:
        """One did."""


class _MatchesSucceed:
    def failing(self) -> bool:
        return False

    def failed(self) -> None:
        raise AssertionError("a match failed, though none was to")


MATCHES_SUCCEED: Final[MatchFaults] = _MatchesSucceed()


class _Pending(Struct):
    orders: dict[OrderId, BookOrder] = field(default_factory=dict)
    trades: list[BookTradeRow] = field(default_factory=list)
    balances: dict[tuple[Account, Currency], None] = field(default_factory=dict)
    drafts: list[BookDraftRow] = field(default_factory=list)
    recorded: bool = False
    """There are events, so the counters are written."""


class BookState:
    """`kernel.writer_epoch.ShardState`."""

    def __init__(self, markets: Iterable[Market], faults: MatchFaults, orders_per_turn: int = ORDERS_PER_TURN) -> None:
        self.exchange = Exchange(markets, orders_per_turn=orders_per_turn)
        self.days = {symbol: Day(symbol) for symbol in self.exchange.markets}
        self._faults = faults
        self.nonces = 0
        """The last that was given out."""
        self._drafts: OrderedDict[tuple[Account, Nonce], Draft] = OrderedDict()
        self._pending = _Pending()
        self._writing: dict[OrderId, BookOrder] = {}
        self._ended: OrderedDict[OrderId, None] = OrderedDict()

    # --- deciding

    def due_before(self, command: Command, at: Instant) -> None:
        """All that is due comes before any command, since a trade of one order moves what others may do: so it is
        more than a turn, and the shard sees to it.
        """

    def begin_due(self, at: Instant, most: int) -> bool:  # noqa: ARG002
        return True

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        due = self.exchange.command_due(at)
        if due is not None and isinstance(due[1], OpenBookOrder | ContinueBookOrder):
            return due[0], replace(due[1], match_fails=self._faults.failing())
        return due

    def decide(self, command: Command, at: Instant) -> Decision | BookRefused:
        return decide(self.exchange, command, at)

    def apply(self, command: Command, events: Decision, at: Instant) -> Entry:
        pending, records = self._pending, list[EventRecord]()
        for event in events:
            changes = self.exchange.apply(event, at)
            records.extend(records_of(self.exchange, event, command, at))
            for order in changes.orders:
                pending.orders[order.id] = order
            pending.balances.update(dict.fromkeys(changes.balances))
            if isinstance(event, Traded):
                pending.trades.append(trade_row(event, at))
                self.days[event.market].add(at, event.price.ticks, event.lots.lots)
            elif isinstance(event, BookOrderCancelled) and event.reason is CancelReason.FAILED:
                self._faults.failed()
        pending.recorded = True
        if isinstance(command, PlaceBookOrder):
            self._drafts.pop((command.terms.account, command.nonce), None)
        return Entry(book_journal.COMMANDS.name_of(command), book_journal.body_of(command, events), records)

    # --- drafts

    def add_draft(self, draft: Draft) -> None:
        self._drafts[draft.terms.account, draft.nonce] = draft
        self._pending.drafts.append(draft_row(draft))

    def unused(self, account: Account, nonce: Nonce) -> Draft | None:
        """A draft of this epoch that became no order yet."""
        return self._drafts.get((account, nonce))

    # --- committing

    def has_rows(self) -> bool:
        return bool(self._pending.drafts)

    def take_rows(self) -> BookRows:
        pending, self._pending = self._pending, _Pending()
        self._writing = pending.orders
        exchange = self.exchange
        return BookRows(
            orders=[order_row(order, exchange.markets[order.terms.market].market) for order in pending.orders.values()],
            trades=pending.trades,
            balances=[self._balance_row(*key) for key in pending.balances],
            drafts=pending.drafts,
            counters=encode(StoredCounters(exchange.counters(), self.nonces))
            if pending.recorded or pending.drafts
            else None,
        )

    def _balance_row(self, account: Account, currency: Currency) -> BookBalanceRow:
        balance = self.exchange.ledger.balance(account, currency)
        return BookBalanceRow(account, currency, balance.available.quanta, balance.locked.quanta)

    def on_committed(self) -> None:
        """The rows that were taken are committed."""
        written, self._writing = self._writing, {}
        for order in written.values():
            if order.state not in LIVE:
                self._ended[order.id] = None

    # --- what is in memory

    def size(self) -> int:
        return len(self.exchange.orders)

    def recall(self, order: BookOrder) -> None:
        """Takes in an order that has ended, since a request names it."""
        self.exchange.recall(order)
        self._ended[order.id] = None

    def evict(self, ended_kept: int, drafts_kept: int, spare: Callable[[BookOrder], bool]) -> None:
        """Forgets the oldest orders that have ended, and the oldest drafts: both are found again in the store."""
        excess = len(self._ended) - ended_kept
        for order_id in list(islice(self._ended, max(0, excess))):
            if not spare(self.exchange.orders[order_id]):
                del self._ended[order_id]
                self.exchange.evict(order_id)
        while len(self._drafts) > drafts_kept:
            self._drafts.popitem(last=False)
