"""The database and a writer's memory as the checkers look at them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from countermand.kernel.journal import encode
from countermand.kernel.ports import JournalRow
from countermand.orders.book.model.book import resting
from countermand.orders.book.model.exchange import Exchange
from countermand.orders.book.model.ledger.amount import Account, Currency
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import Nonce, OrderId, Side, TradeId
from countermand.orders.book.rows import BookOrderRow, BookTradeRow
from countermand.orders.shards import BOOK_SHARD
from countermand_simulator.book.store import MemoryBookDatabase, MemoryBookShard


@dataclass(slots=True)
class Rows:
    """`checkers.claims.Database`."""

    database: MemoryBookDatabase

    @property
    def _shard(self) -> MemoryBookShard:
        return self.database.shard(BOOK_SHARD)

    def seq(self) -> int:
        return self._shard.stands.seq

    def journal_row(self, seq: int) -> JournalRow | None:
        return self._shard.journal.get(seq)

    def order_row(self, order_id: int) -> dict[str, Any] | None:
        row = self._shard.book_orders.get(OrderId(order_id))
        return None if row is None else {name: getattr(row, name) for name in BookOrderRow.__struct_fields__}

    def trade_row(self, trade_id: int) -> dict[str, Any] | None:
        row = self._shard.trades.get(TradeId(trade_id))
        if row is None:
            return None
        shown = {name: getattr(row, name) for name in BookTradeRow.__struct_fields__}
        return {**shown, "body": msgspec.json.decode(row.body)}

    def balance(self, account: str, currency: str) -> tuple[int, int] | None:
        row = self._shard.balances.get((Account(account), Currency(currency)))
        return None if row is None else (row.available, row.locked)

    def totals(self) -> Mapping[str, int]:
        sums = Counter[str]()
        for (_, currency), row in self._shard.balances.items():
            sums[currency] += row.available + row.locked
        return sums

    def standing(self) -> bytes | None:
        return self._shard.standing

    def counts(self) -> tuple[int, int]:
        return len(self._shard.book_orders), len(self._shard.trades)

    def has_draft(self, nonce: int) -> bool:
        return Nonce(nonce) in self._shard.drafts


@dataclass(slots=True)
class ExchangeSeen:
    """`checkers.claims.Memory`."""

    exchange: Exchange

    def order(self, order_id: int) -> bytes | None:
        order = self.exchange.orders.get(OrderId(order_id))
        return None if order is None else encode(order)

    def live(self) -> Sequence[int]:
        return sorted(order_id for market_state in self.exchange.markets.values() for order_id in market_state.live)

    def queue(self, market: str, side: str) -> tuple[tuple[int, int, int], ...]:
        return tuple(resting(self.exchange.markets[MarketSymbol(market)].book, Side(side)))

    def stops(self, market: str) -> Sequence[int]:
        return list(self.exchange.markets[MarketSymbol(market)].stops.waiting())

    def triggered(self) -> Sequence[int]:
        return self.exchange.triggered()

    def entering(self) -> int | None:
        return next((order_id for order_id in self.live() if self.exchange.is_entering(OrderId(order_id))), None)

    def balances(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        return {
            (account, currency): (balance.available.quanta, balance.locked.quanta)
            for account, currency, balance in self.exchange.ledger.balances()
        }

    def counters(self) -> dict[str, Any]:
        counters: dict[str, Any] = msgspec.json.decode(encode(self.exchange.counters()))
        return counters
