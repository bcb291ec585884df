"""All order books of a shard in memory: the markets, their orders, and the ledger.

The exchange changes by events only (`apply`), so a fold of the same events gives the same exchange.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeVar

from countermand.orders.book.model.book import Book
from countermand.orders.book.model.commands import (
    Command,
    ContinueBookOrder,
    ExpireBookOrder,
    OpenBookOrder,
    TriggerStops,
)
from countermand.orders.book.model.events import (
    BookOrderCancelled,
    BookOrderOpened,
    BookOrderPlaced,
    BookOrderReduced,
    BookOrderRested,
    Credited,
    Event,
    OrderEvent,
    StopTriggered,
    Traded,
)
from countermand.orders.book.model.fast import FastBook
from countermand.orders.book.model.ledger.amount import Account, Currency
from countermand.orders.book.model.ledger.ledger import Balance, Hold, Ledger
from countermand.orders.book.model.ledger.transfer import HoldId
from countermand.orders.book.model.lifecycle import LIVE, evolve, is_entering, is_resting, place, waits_to_be_opened
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.order import BUY, SELL, BookOrder, Kind, Nonce, OrderId, Side
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.book.model.settlement import locked_by, spent_currency, transfers
from countermand.orders.book.model.stops import Stops
from countermand.values.instant import Instant
from countermand.values.structs import UNSET, Struct, UnsetType, field

ORDERS_PER_TURN: Final = 32
"""No turn is long: an order that meets more makers goes on in a turn of its own, before anything else, and so are
triggered the stops that its trades reach, if they are more.
"""

T = TypeVar("T")
Part = Literal["counters", "balances", "orders"]


class Unloadable(Exception):
    """The stored rows make no exchange. `part` says which kind, `key` which row; None: they do not add up together."""

    def __init__(self, part: Part, key: object, reason: str) -> None:
        super().__init__(reason)
        self.part = part
        self.key = key


class MarketState(Struct, gc=True):
    """One market's part of the exchange."""

    market: Market
    book: Book
    stops: Stops = field(default_factory=Stops)
    last: Ticks | None = None
    """The price of the newest trade."""
    live: "OrderedDict[OrderId, None]" = field(default_factory=OrderedDict)
    """The orders that have not ended, the oldest first."""


class Reached(Struct, frozen=True):
    """Between which prices trades were, at `at`, of which not all stops that they reached are triggered yet."""

    market: MarketSymbol
    at: Instant
    lowest: Ticks
    highest: Ticks


class Counters(Struct, frozen=True):
    """How many orders, trades and ranks there were, and the price of the newest trade in each market that had one."""

    orders: int = 0
    trades: int = 0
    ranks: int = 0
    last: tuple[tuple[MarketSymbol, Ticks], ...] = ()
    reached: Reached | UnsetType = UNSET
    """Left out where all stops that were reached are triggered."""


class Changes(Struct, frozen=True):
    """What an event changed: the orders as they are now, and whose balances of what."""

    orders: tuple[BookOrder, ...]
    balances: tuple[tuple[Account, Currency], ...]


class Exchange:
    def __init__(
        self,
        markets: Iterable[Market],
        new_book: Callable[[], Book] = FastBook,
        orders_per_turn: int = ORDERS_PER_TURN,
    ) -> None:
        self.orders_per_turn = orders_per_turn
        self.markets = {market.symbol: MarketState(market, new_book()) for market in markets}
        self.orders: dict[OrderId, BookOrder] = {}
        self.ledger = Ledger()
        self.orders_placed = 0
        self.trades_made = 0
        self.ranks_given = 0
        self._placed: dict[tuple[Account, Nonce], OrderId] = {}
        self._live: dict[tuple[Account, MarketSymbol], OrderedDict[OrderId, None]] = {}
        self._triggered: list[tuple[Instant, OrderId]] = []
        """Stops that wait to be opened, sorted: those of one instant are opened in the order of their placement."""
        self._entering: OrderId | None = None
        self.reached: Reached | None = None
        """There are stops that trades reached, and that are to be triggered before anything else happens."""

    # --- what is there

    def placed(self, account: Account, nonce: Nonce) -> BookOrder | None:
        """What became of a nonce, if its order is in memory."""
        order_id = self._placed.get((account, nonce))
        return None if order_id is None else self.orders[order_id]

    def live(self, account: Account, market: MarketSymbol, side: Side | None = None) -> list[BookOrder]:
        """An account's orders in a market that have not ended, the oldest first."""
        orders = (self.orders[order_id] for order_id in self._live.get((account, market), ()))
        return [order for order in orders if side in (None, order.terms.side)]

    def is_triggered(self, order_id: OrderId) -> bool:
        """A trade has triggered it, and it has not been opened yet."""
        order = self.orders.get(order_id)
        return order is not None and waits_to_be_opened(order)

    def triggered(self) -> list[OrderId]:
        """Those that are, in the order in which they will be opened."""
        return [order_id for _, order_id in self._triggered]

    def is_entering(self, order_id: OrderId) -> bool:
        """It is on its way through the book, and goes on before anything else happens."""
        return order_id == self._entering

    def counters(self) -> Counters:
        last = tuple(
            (market_state.market.symbol, market_state.last)
            for market_state in self.markets.values()
            if market_state.last is not None
        )
        reached = UNSET if self.reached is None else self.reached
        return Counters(self.orders_placed, self.trades_made, self.ranks_given, last, reached)

    # --- what time and trades demand

    def next_due(self) -> Instant | None:
        due = self._first_due()
        return None if due is None else due[0]

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        """The command that comes before any other, if it is due at `at`, and since when it is."""
        due = self._first_due()
        return None if due is None or due[0] > at else due

    def _first_due(self) -> tuple[Instant, Command] | None:
        if self.reached is not None:
            return self.reached.at, TriggerStops(self.reached.market)
        if self._entering is not None:
            return self.orders[self._entering].updated_at, ContinueBookOrder(self._entering)
        if self._triggered:
            triggered_at, order_id = self._triggered[0]
            return triggered_at, OpenBookOrder(order_id)
        dues = [self._expiry(market_state) for market_state in self.markets.values() if market_state.live]
        if not dues:
            return None
        due, order_id = min(dues)
        return due, ExpireBookOrder(order_id)

    def _expiry(self, market_state: MarketState) -> tuple[Instant, OrderId]:
        order_id = next(iter(market_state.live))
        return Instant(self.orders[order_id].created_at + market_state.market.max_order_age_ms), order_id

    # --- the fold

    def apply(self, event: Event, at: Instant) -> Changes:
        """Changes orders, indexes and money as the event says."""
        before = () if isinstance(event, Credited | BookOrderPlaced) else self._concerned(event)
        market = None if isinstance(event, Credited) else self._market(event, before)
        orders = self._evolved(event, before, at)
        for order in orders:
            self.orders[order.id] = order
        match event:
            case BookOrderPlaced():
                self._placed_now(orders[0])
            case StopTriggered(order_id):
                self._forget_stop(orders[0])
                insort(self._triggered, (at, order_id))
            case BookOrderOpened(order_id):
                if waits_to_be_opened(before[0]):
                    self._forget_triggered(before[0])
                self._entering = order_id
            case BookOrderRested():
                self._rested(orders[0])
            case Traded():
                self._traded(event, orders)
                self._reach(event.market, event.price, at)
            case BookOrderReduced(order_id, lots):
                book = self.markets[orders[0].terms.market].book
                if order_id in book:
                    book.reduce(order_id, lots.lots)
            case BookOrderCancelled():
                self._cancelled(before[0])
            case Credited():
                pass
        touched = [key for transfer in transfers(event, market) for key in self.ledger.apply(transfer)]
        for order in orders:
            self._settle(order)
        return Changes(orders, tuple(dict.fromkeys(touched)))

    def _concerned(self, event: OrderEvent) -> tuple[BookOrder, ...]:
        if isinstance(event, Traded):
            return self.orders[event.buy.order_id], self.orders[event.sell.order_id]
        return (self.orders[event.order_id],)

    def _market(self, event: OrderEvent, concerned: tuple[BookOrder, ...]) -> Market:
        terms = event.terms if isinstance(event, BookOrderPlaced) else concerned[0].terms
        return self.markets[terms.market].market

    def _evolved(self, event: Event, before: tuple[BookOrder, ...], at: Instant) -> tuple[BookOrder, ...]:
        if isinstance(event, Credited):
            return ()
        if isinstance(event, BookOrderPlaced):
            assert event.order_id == self.orders_placed + 1, f"order {event.order_id} leaves a gap, or is not new"
            return (place(event, at),)
        return tuple(evolve(order, event, at) for order in before)

    def _placed_now(self, order: BookOrder) -> None:
        self.orders_placed = order.id
        self._index_nonce(order)
        self._index_live(order)

    def _rested(self, order: BookOrder) -> None:
        assert order.rank == self.ranks_given + 1, f"order {order.id} jumps the queue"
        self.ranks_given = order.rank
        self._entering = None
        self._add_to_book(order)

    def _traded(self, trade: Traded, orders: tuple[BookOrder, ...]) -> None:
        assert trade.trade_id == self.trades_made + 1, f"trade {trade.trade_id} leaves a gap, or is not new"
        self.trades_made = trade.trade_id
        market_state = self.markets[trade.market]
        market_state.last = trade.price
        maker = orders[1] if trade.taker is BUY else orders[0]
        market_state.book.reduce(maker.id, trade.lots.lots)

    def _reach(self, market: MarketSymbol, price: Ticks, at: Instant) -> None:
        """A trade was at this price."""
        if not self.markets[market].stops.are_crossed(price.ticks, price.ticks):
            return
        before, lowest, highest = self.reached, price, price
        if before is not None:
            assert before.market == market, f"{market} trades, and stops of {before.market} are to be triggered"
            lowest, highest = min(before.lowest, price), max(before.highest, price)
        self.reached = Reached(market, at, lowest, highest)

    def _cancelled(self, order: BookOrder) -> None:
        """Given as it was before."""
        if waits_to_be_opened(order):
            self._forget_triggered(order)
        elif order.terms.kind is Kind.STOP_LIMIT and order.triggered_at is None:
            self._forget_stop(order)
        elif is_resting(order):
            self.markets[order.terms.market].book.remove(order.id)

    def _settle(self, order: BookOrder) -> None:
        """An order that ended leaves the indexes, and has nothing locked. One that rests has exactly what it needs."""
        if order.state not in LIVE:
            self._unindex_live(order)
            if order.id == self._entering:
                self._entering = None
            assert HoldId(order.id) not in self.ledger.holds, f"order {order.id} has ended and keeps money locked"
        elif is_resting(order):
            hold = self.ledger.holds[HoldId(order.id)]
            needed = locked_by(order, self.markets[order.terms.market].market)
            assert hold.left == needed, f"order {order.id} has {hold.left} locked and needs {needed}"

    # --- storage

    def load(
        self, counters: Counters, balances: Iterable[tuple[Account, Currency, Balance]], orders: Iterable[BookOrder]
    ) -> None:
        """Takes in all stored balances, and all orders that have not ended. Only an empty exchange can load.

        Raises `Unloadable`.
        """
        assert not self.orders, "the exchange is not empty"
        assert not self.orders_placed, "the exchange is not empty"
        _each("counters", (counters,), lambda _: "counters", self._adopt_counters)
        _each("balances", balances, lambda row: f"{row[0]} {row[1]}", lambda row: self.ledger.adopt(*row))
        live = sorted(orders, key=lambda order: order.id)
        _each("orders", live, lambda order: order.id, self._adopt)
        resting = sorted(filter(is_resting, live), key=lambda order: order.rank or 0)
        _each("orders", resting, lambda order: order.id, self._add_to_book)
        _each("orders", live, lambda order: order.id, self._adopt_turn)
        _each("counters", (counters,), lambda _: "counters", self._adopt_reached)
        wrong = self.ledger.imbalances()
        if wrong:
            raise Unloadable("balances", None, f"they do not add up with the orders: {wrong[0]}")

    def recall(self, order: BookOrder) -> None:
        """Takes in an order that has ended, since a request names it."""
        assert order.id not in self.orders, f"order {order.id} is here already"
        assert order.state not in LIVE, f"order {order.id} has not ended, and was not loaded"
        self.orders[order.id] = order
        self._index_nonce(order)

    def evict(self, order_id: OrderId) -> None:
        """Forgets an order that has ended."""
        order = self.orders.pop(order_id)
        assert order.state not in LIVE, f"order {order_id} has not ended"
        del self._placed[order.terms.account, order.nonce]

    def _adopt_counters(self, counters: Counters) -> None:
        assert min(counters.orders, counters.trades, counters.ranks) >= 0, "a counter is negative"
        self.orders_placed, self.trades_made, self.ranks_given = counters.orders, counters.trades, counters.ranks
        for symbol, price in counters.last:
            self.markets[symbol].last = price

    def _adopt(self, order: BookOrder) -> None:
        assert order.state in LIVE, f"order {order.id} has ended"
        assert 0 < order.id <= self.orders_placed, f"order {order.id} is not one of {self.orders_placed}"
        assert (order.rank or 0) <= self.ranks_given, f"rank {order.rank} is not one of {self.ranks_given}"
        market = self.markets[order.terms.market].market
        self.orders[order.id] = order
        self._index_nonce(order)
        self._index_live(order)
        hold = Hold(order.terms.account, spent_currency(order.terms, market), locked_by(order, market))
        self.ledger.adopt_hold(HoldId(order.id), hold)

    def _adopt_turn(self, order: BookOrder) -> None:
        if order.triggered_at is not None and waits_to_be_opened(order):
            insort(self._triggered, (order.triggered_at, order.id))
        elif is_entering(order):
            assert self._entering is None, f"orders {self._entering} and {order.id} both enter the books"
            self._entering = order.id

    def _adopt_reached(self, counters: Counters) -> None:
        if not isinstance(counters.reached, UnsetType):
            self.reached = reached = counters.reached
            assert self._has_reached(reached), f"no stop of {reached.market} is to be triggered"

    # --- indexes

    def _add_to_book(self, order: BookOrder) -> None:
        terms, book = order.terms, self.markets[order.terms.market].book
        assert terms.price is not None, f"order {order.id} rests without a price"
        book.add(order.id, terms.side, terms.price.ticks, order.remaining.lots)
        bid, ask = book.best(BUY), book.best(SELL)
        assert bid is None or ask is None or bid < ask, f"order {order.id} crosses the book of {terms.market}"

    def _index_nonce(self, order: BookOrder) -> None:
        key = order.terms.account, order.nonce
        assert key not in self._placed, f"nonce {order.nonce} of {order.terms.account} was used twice"
        self._placed[key] = order.id

    def _index_live(self, order: BookOrder) -> None:
        terms = order.terms
        market_state = self.markets[terms.market]
        market_state.live[order.id] = None
        self._live.setdefault((terms.account, terms.market), OrderedDict())[order.id] = None
        if terms.kind is Kind.STOP_LIMIT and order.triggered_at is None:
            assert terms.stop is not None, f"order {order.id} has no stop price"
            market_state.stops.add(order.id, terms.side, terms.stop.ticks)

    def _unindex_live(self, order: BookOrder) -> None:
        terms = order.terms
        del self.markets[terms.market].live[order.id]
        mine = self._live[terms.account, terms.market]
        del mine[order.id]
        if not mine:
            del self._live[terms.account, terms.market]

    def _forget_stop(self, order: BookOrder) -> None:
        assert order.terms.stop is not None, f"order {order.id} has no stop price"
        self.markets[order.terms.market].stops.remove(order.id, order.terms.side, order.terms.stop.ticks)
        if self.reached is not None and not self._has_reached(self.reached):
            self.reached = None

    def _has_reached(self, reached: Reached) -> bool:
        return self.markets[reached.market].stops.are_crossed(reached.lowest.ticks, reached.highest.ticks)

    def _forget_triggered(self, order: BookOrder) -> None:
        assert order.triggered_at is not None, f"order {order.id} was not triggered"
        waiting = order.triggered_at, order.id
        place = bisect_left(self._triggered, waiting)
        assert self._triggered[place] == waiting, f"order {order.id} does not wait to be opened"
        del self._triggered[place]


def _each(part: Part, stored: Iterable[T], key: Callable[[T], object], take_in: Callable[[T], None]) -> None:
    """Takes in each, and names the one that cannot be."""
    for item in stored:
        try:
            take_in(item)
        except (AssertionError, LookupError) as problem:
            raise Unloadable(part, key(item), f"{type(problem).__name__}: {problem}") from problem
