"""The store of the order books."""

from collections.abc import Sequence
from typing import Protocol

from countermand.kernel.ports import ShardStore
from countermand.orders.book.model.ledger.amount import Account, Currency
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import Kind, Nonce, OrderId, OrderStatus, Side, TradeId
from countermand.orders.book.rows import BookBalanceRow, BookRows
from countermand.values.instant import Instant
from countermand.values.structs import Struct


class OrdersQuery(Struct, frozen=True):
    """Orders of one account, by their ids. None: any. Created at `since` or later, and before `until`."""

    account: Account
    market: MarketSymbol | None = None
    base: Currency | None = None
    quote: Currency | None = None
    kind: Kind | None = None
    side: Side | None = None
    state: OrderStatus | None = None
    since: Instant | None = None
    until: Instant | None = None
    ascending: bool = False
    limit: int = 50
    offset: int = 0


class TradesQuery(Struct, frozen=True):
    """Trades of one account, or of all accounts, by their ids. None: any. `newest`: those that were made up to it."""

    account: Account | None = None
    market: MarketSymbol | None = None
    since: Instant | None = None
    until: Instant | None = None
    newest: TradeId | None = None
    ascending: bool = False
    limit: int = 100
    offset: int = 0


class StoredTrade(Struct, frozen=True):
    at: Instant
    body: bytes


class StoredBookOrder(Struct, frozen=True):
    """An order with its trades, the newest last."""

    order: bytes
    trades: Sequence[StoredTrade]


class Turnover(Struct, frozen=True):
    """What was traded in a market within some time, in ticks and lots. `turnover` is the sum of price times volume."""

    market: MarketSymbol
    first: int
    last: int
    high: int
    low: int
    lots: int
    turnover: int


class Period(Struct, frozen=True):
    """What was traded in a market in one period of time, which begins at `began`; the numbers as in `Turnover`."""

    began: Instant
    first: int
    last: int
    high: int
    low: int
    lots: int
    turnover: int


class BookStore(ShardStore[BookRows], Protocol):
    """Every method may raise `Unavailable`."""

    async def epoch(self, shard: int) -> int:
        """The number of the newest one."""

    async def counters(self, shard: int) -> bytes | None: ...

    async def balances(self, shard: int) -> Sequence[BookBalanceRow]: ...

    async def live_orders(self, shard: int) -> Sequence[tuple[OrderId, bytes]]:
        """The bodies, with the ids that their rows go by."""

    async def order(self, order_id: OrderId) -> bytes | None: ...

    async def order_of_nonce(self, account: Account, nonce: Nonce) -> bytes | None: ...

    async def draft(self, account: Account, nonce: Nonce) -> bytes | None: ...

    async def order_with_trades(self, account: Account, which: OrderId | str) -> StoredBookOrder | None:
        """By its id, or by its uuid."""

    async def orders(self, query: OrdersQuery) -> Sequence[bytes]: ...

    async def trades(self, query: TradesQuery) -> Sequence[StoredTrade]: ...

    async def periods(self, market: MarketSymbol, length_ms: int, since: Instant, until: Instant) -> Sequence[Period]:
        """The periods in which something was traded, the oldest first. `since` is the beginning of one."""

    async def seconds(self, market: MarketSymbol, since: Instant) -> Sequence[Period]:
        """All seconds in which something was traded, as `periods` has them. It may take a while."""

    async def delete_drafts(self, expired_before: Instant) -> None:
        """Forgets what was not signed in time."""
