"""Loads the stored order books into memory. A row that makes no sense raises `StoredRowUnreadable` with its name."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from countermand.orders.book.day import SECOND_MS
from countermand.orders.book.model.exchange import Part, Unloadable
from countermand.orders.book.model.ledger.amount import Account, Amount, Currency
from countermand.orders.book.model.ledger.ledger import Balance
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import BookOrder, OrderId
from countermand.orders.book.ports import Period
from countermand.orders.book.rows import BookBalanceRow, StoredCounters, decode_counters, decode_order
from countermand.orders.book.state import BookState
from countermand.stored_rows import UNREADABLE, StoredRowUnreadable, check, unreadable
from countermand.values.instant import Instant

_TABLES: Final[Mapping[Part, str]] = MappingProxyType(
    {"counters": "book_counters", "balances": "book_balances", "orders": "book_orders"}
)


def load_exchange(
    shard: int,
    memory: BookState,
    counters: bytes | None,
    balances: Sequence[BookBalanceRow],
    orders: Sequence[tuple[OrderId, bytes]],
    *,
    is_new: bool,
) -> None:
    """`is_new`: the journal is empty. `counters` None: there was no command yet, and nothing else may be stored."""
    if counters is None:
        empty = is_new and not balances and not orders
        check("book_counters", shard, that=empty, otherwise="it is missing, and other tables have rows")
        return
    stored = _counters(shard, counters)
    memory.nonces = stored.nonces
    try:
        memory.exchange.load(stored.counters, _balances(balances), _orders(orders))
    except Unloadable as problem:
        key = shard if problem.part == "counters" else problem.key
        also = "" if key is not None else " (see book_orders)"
        raise StoredRowUnreadable(_TABLES[problem.part], key, f"{problem}{also}") from problem


def _counters(shard: int, body: bytes) -> StoredCounters:
    try:
        counters = decode_counters(body)
        assert counters.nonces >= 0, "the number of nonces is negative"
    except UNREADABLE as problem:
        raise unreadable("book_counters", shard, problem) from problem
    return counters


def _balances(rows: Sequence[BookBalanceRow]) -> Iterator[tuple[Account, Currency, Balance]]:
    for row in rows:
        try:
            balance = Balance(Amount(row.available), Amount(row.locked))
        except UNREADABLE as problem:
            raise unreadable("book_balances", f"{row.account} {row.currency}", problem) from problem
        yield row.account, row.currency, balance


def _orders(rows: Sequence[tuple[OrderId, bytes]]) -> Iterator[BookOrder]:
    for order_id, body in rows:
        try:
            order = decode_order(body)
            assert order.id == order_id, f"its body is that of order {order.id}"
        except UNREADABLE as problem:
            raise unreadable("book_orders", order_id, problem) from problem
        yield order


def load_days(memory: BookState, seconds: Mapping[MarketSymbol, Sequence[Period]], last_at: Instant) -> None:
    """What was traded in the last 24 hours. `last_at` is the instant of the newest entry of the journal."""
    for symbol, periods in seconds.items():
        for traded in periods:
            where = f"of {symbol} in second {traded.began // SECOND_MS}"
            check(
                "book_trades",
                where,
                that=traded.began <= last_at,
                otherwise="it is later than the journal",
            )
            memory.days[symbol].add_period(traded)
