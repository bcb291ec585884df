"""The journal of the order books, replayed: decides and folds again, and compares the outcome with what is stored."""

from collections.abc import AsyncIterable

from countermand.audit.findings import Audit, Currency
from countermand.domain.book.decide import decide
from countermand.domain.book.desk import Desk
from countermand.domain.book.events import Traded
from countermand.domain.book.lifecycle import IllegalTransition
from countermand.domain.book.markets import MARKETS
from countermand.domain.book.order import OrderId
from countermand.domain.ledger.amount import FEES
from countermand.engine import book_journal
from countermand.engine.book_rows import BalanceRow, BookOrderRow, TradeRow, decode_counters, order_row, trade_row
from countermand.engine.ports import JournalRow


class BookReplay:
    """All orders, trades and balances of a venue as the journal says that they are."""

    def __init__(self, audit: Audit) -> None:
        self.desk = Desk(MARKETS)
        self._audit = audit
        self._trades: dict[int, TradeRow] = {}

    def replay(self, row: JournalRow) -> None:
        entry = book_journal.read(row)
        if entry.rules == book_journal.RULES_VERSION:
            decided = decide(self.desk, entry.command, entry.at)
            if decided != entry.happened:
                self._audit.differs(f"journal entry {entry.seq}: deciding again gives {decided}, not {entry.happened}")
        for event in entry.happened:
            try:
                self.desk.apply(event, entry.at)
            except IllegalTransition as problem:
                raise ValueError(str(problem)) from problem
            if isinstance(event, Traded):
                self._trades[event.trade_id] = trade_row(event, entry.at)

    async def compare_orders(self, rows: AsyncIterable[BookOrderRow]) -> None:
        desk, missing = self.desk, dict.fromkeys(self.desk.orders)
        async for row in rows:
            missing.pop(OrderId(row.id), None)
            order = desk.orders.get(OrderId(row.id))
            if order is None:
                self._audit.differs(f"order {row.id} is stored, but no journal entry placed it")
            elif order_row(order, desk.pits[order.terms.market].market) != row:
                self._audit.differs(f"order {row.id} is stored otherwise than the journal says")
        for order_id in missing:
            self._audit.differs(f"order {order_id} is in the journal, but not stored")
        self._audit.orders += len(desk.orders)

    async def compare_trades(self, rows: AsyncIterable[TradeRow]) -> None:
        async for row in rows:
            if self._trades.pop(row.id, None) != row:
                self._audit.differs(f"trade {row.id} is stored otherwise than the journal says")
        for trade_id in self._trades:
            self._audit.differs(f"trade {trade_id} is in the journal, but not stored")

    async def compare_balances(self, rows: AsyncIterable[BalanceRow]) -> None:
        expected = {
            (account, currency): BalanceRow(account, currency, balance.available.quanta, balance.locked.quanta)
            for account, currency, balance in self.desk.ledger.balances()
        }
        async for row in rows:
            if expected.pop((row.account, row.currency), None) != row:
                self._audit.differs(f"{row.account} has another balance of {row.currency} than the journal says")
        for account, currency in expected:
            self._audit.differs(f"the balance of {account} in {currency} is not stored")

    def compare_standing(self, body: bytes | None) -> None:
        if body is None:
            if self.desk.ledger.deposited():
                self._audit.differs("the counters of the order books are not stored")
        elif decode_counters(body).standing != self.desk.standing():
            self._audit.differs("the counters of the order books are not where the journal says")

    def count(self) -> None:
        ledger = self.desk.ledger
        for sentence in ledger.imbalances():
            self._audit.differs(sentence)
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
                self._audit.differs(f"{currency}: what was deposited is not what there is")
