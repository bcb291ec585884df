"""The journal of the order books, replayed: decides and folds again, and compares the outcome with what is stored."""

from collections.abc import AsyncIterable

from countermand.audit.events import EventsReplay
from countermand.audit.findings import NOT_IN_JOURNAL, NOT_STORED, STORED_OTHERWISE, Audit, Currency
from countermand.kernel.journal import encode
from countermand.kernel.ports import EventRecord, JournalRow
from countermand.orders.book import journal as book_journal
from countermand.orders.book.model.decide import decide
from countermand.orders.book.model.events import Traded
from countermand.orders.book.model.exchange import Exchange
from countermand.orders.book.model.ledger.amount import FEES
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.model.order import OrderId
from countermand.orders.book.records import records_of
from countermand.orders.book.rows import (
    BookBalanceRow,
    BookOrderRow,
    BookTradeRow,
    StoredCounters,
    decode_counters,
    order_row,
    trade_row,
)
from countermand.values.transitions import IllegalTransition


class BookReplay:
    """All orders, trades and balances of a venue as the journal says that they are."""

    def __init__(self, audit: Audit, shard: int) -> None:
        self.exchange = Exchange(MARKETS)
        self._audit = audit
        self._shard = shard
        self.events = EventsReplay(audit, shard)
        self._trades: dict[int, BookTradeRow] = {}

    def replay(self, row: JournalRow) -> None:
        entry = book_journal.read(row)
        if entry.rules == book_journal.RULES_VERSION:
            decided = decide(self.exchange, entry.command, entry.at)
            if decided != entry.events:
                what = f"deciding again gives {decided}, not {entry.events}"
                self._audit.differs("journal", f"{self._shard}/{entry.seq}", what)
        records: list[EventRecord] = []
        for event in entry.events:
            try:
                self.exchange.apply(event, entry.at)
            except IllegalTransition as problem:
                raise ValueError(str(problem)) from problem
            records.extend(records_of(self.exchange, event, entry.command, entry.at))
            if isinstance(event, Traded):
                self._trades[event.trade_id] = trade_row(event, entry.at)
        self.events.expect(entry.seq, records)

    async def compare_orders(self, rows: AsyncIterable[BookOrderRow]) -> None:
        exchange, missing = self.exchange, dict.fromkeys(self.exchange.orders)
        async for row in rows:
            missing.pop(OrderId(row.id), None)
            order = exchange.orders.get(OrderId(row.id))
            if order is None:
                self._audit.differs("book_orders", row.id, NOT_IN_JOURNAL)
            elif order_row(order, exchange.markets[order.terms.market].market) != row:
                self._audit.differs("book_orders", row.id, STORED_OTHERWISE)
        for order_id in missing:
            self._audit.differs("book_orders", order_id, NOT_STORED)
        self._audit.orders += len(exchange.orders)

    async def compare_trades(self, rows: AsyncIterable[BookTradeRow]) -> None:
        async for row in rows:
            if self._trades.pop(row.id, None) != row:
                self._audit.differs("book_trades", row.id, STORED_OTHERWISE)
        for trade_id in self._trades:
            self._audit.differs("book_trades", trade_id, NOT_STORED)

    async def compare_balances(self, rows: AsyncIterable[BookBalanceRow]) -> None:
        expected = {
            (account, currency): BookBalanceRow(account, currency, balance.available.quanta, balance.locked.quanta)
            for account, currency, balance in self.exchange.ledger.balances()
        }
        async for row in rows:
            if expected.pop((row.account, row.currency), None) != row:
                self._audit.differs(
                    "book_balances", f"{row.account} {row.currency}", "it is another balance than the journal says"
                )
        for account, currency in expected:
            self._audit.differs("book_balances", f"{account} {currency}", NOT_STORED)

    def compare_counters(self, body: bytes | None, nonce_max: int) -> None:
        """`nonce_max`: the greatest of all orders and drafts."""
        if body is None:
            if self.exchange.ledger.deposited() or nonce_max:
                self._audit.differs("book_counters", self._shard, "the counters of the order books are not stored")
            return
        counters = _counters_of(body)
        if counters is None:
            self._audit.differs("book_counters", self._shard, "its body cannot be read")
        elif counters.counters != self.exchange.counters():
            what = "the counters of the order books are not where the journal says"
            self._audit.differs("book_counters", self._shard, what)
        elif counters.nonces < nonce_max:
            what = f"the last nonce was {counters.nonces}, but {nonce_max} is in use"
            self._audit.differs("book_counters", self._shard, what)

    def count(self) -> None:
        ledger = self.exchange.ledger
        for sentence in ledger.imbalances():
            self._audit.differs("journal", self._shard, sentence)
        users = [each for each in ledger.balances() if each[0] != FEES]
        for currency, deposited in ledger.deposited().items():
            mine = [balance for _, of, balance in users if of == currency]
            self._audit.currencies[currency] = there = Currency(
                deposited.quanta,
                sum(balance.available.quanta for balance in mine),
                sum(balance.locked.quanta for balance in mine),
                ledger.balance(FEES, currency).total.quanta,
            )
            if not there.balances():
                what = f"of {currency}, what was deposited is not what there is"
                self._audit.differs("journal", self._shard, what)


def _counters_of(body: bytes) -> StoredCounters | None:
    """None: these bytes are not what an engine writes."""
    try:
        counters = decode_counters(body)
    except ValueError:
        return None
    return counters if encode(counters) == body else None
