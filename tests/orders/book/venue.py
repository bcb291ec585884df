"""A venue for the tests of the book, which looks at everything after every command."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from countermand.orders.book.model.book import Book, resting
from countermand.orders.book.model.commands import (
    CancelBookOrder,
    CancelBookOrders,
    CancelByOperator,
    Command,
    ContinueBookOrder,
    Credit,
    PlaceBookOrder,
)
from countermand.orders.book.model.decide import Decision, decide
from countermand.orders.book.model.events import BookOrderCancelled, BookOrderPlaced, Traded
from countermand.orders.book.model.exchange import ORDERS_PER_TURN, Exchange
from countermand.orders.book.model.fast import FastBook
from countermand.orders.book.model.ledger.amount import AMOUNT_SCALE, FEES, Account, Amount, Currency
from countermand.orders.book.model.ledger.ledger import Ledger
from countermand.orders.book.model.ledger.transfer import HoldId
from countermand.orders.book.model.lifecycle import LIVE, is_resting
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.order import BUY, SELL, BookOrder, BookTerms, Kind, Nonce, OrderId, OrderStatus, Side
from countermand.orders.book.model.quantities import Lots, Rate, Ticks
from countermand.orders.book.model.refusals import BookRefused
from countermand.orders.book.model.settlement import locked_by
from countermand.values.instant import Instant
from countermand.values.structs import replace

ALICE, BOB, CAROL = Account("0xa11ce"), Account("0xb0b"), Account("0xca401")
BTC, USDC, ETH = Currency("btc"), Currency("usdc"), Currency("eth")
BTCUSDC, ETHUSDC = MarketSymbol("btcusdc"), MarketSymbol("ethusdc")
UNIT = 10**AMOUNT_SCALE
START = Instant(1_700_000_000_000)

MARKET = Market(
    symbol=BTCUSDC,
    base=BTC,
    quote=USDC,
    price_decimals=2,
    volume_decimals=4,
    maker_fee=Rate(200),
    taker_fee=Rate(400),
    volume_min=Lots(1),
    volume_max=Lots(1_000_000),
    price_min=Ticks(1),
    price_max=Ticks(10_000_000),
)
MARKETS = (MARKET, replace(MARKET, symbol=ETHUSDC, base=ETH))


def usdc(ticks_times_lots: int) -> Amount:
    """What so many lots cost at so many ticks: 10⁻⁶ USDC each."""
    return Amount(ticks_times_lots * UNIT // 10**6)


def btc(lots: int) -> Amount:
    return Amount(lots * UNIT // 10**4)


class Entry(Struct, frozen=True):
    """What a journal keeps."""

    command: Command
    at: Instant
    events: Decision


class Venue:
    def __init__(
        self,
        new_book: Callable[[], Book] = FastBook,
        *,
        markets: Sequence[Market] = MARKETS,
        rich: bool = True,
        orders_per_turn: int = ORDERS_PER_TURN,
    ) -> None:
        self.new_book, self.markets, self.orders_per_turn = new_book, markets, orders_per_turn
        self.exchange = self.new_exchange()
        self.now = START
        self.journal: list[Entry] = []
        self._nonce = 0
        self._fails: OrderId | None = None
        for account in (ALICE, BOB, CAROL) if rich else ():
            for currency in (BTC, USDC, ETH):
                self.does(Credit(account, currency, Amount(10**6 * UNIT)))

    def new_exchange(self) -> Exchange:
        return Exchange(self.markets, self.new_book, self.orders_per_turn)

    # --- commands

    def does(self, command: Command) -> Decision | BookRefused:
        """A turn: what is due, the command, and what that makes due."""
        self._run_due()
        decision = self._decide(command, self.now)
        self._run_due()
        return decision

    def credits(self, account: Account, currency: Currency, amount: Amount) -> Decision | BookRefused:
        return self.does(Credit(account, currency, amount))

    def places(
        self,
        account: Account,
        side: Side,
        lots: int,
        price: int | None,
        kind: Kind = Kind.LIMIT,
        *,
        stop: int | None = None,
        market: MarketSymbol = BTCUSDC,
        match_fails: bool = False,
    ) -> OrderId:
        decision = self.tries(account, side, lots, price, kind, stop=stop, market=market, match_fails=match_fails)
        assert not isinstance(decision, BookRefused), decision
        assert isinstance(decision[0], BookOrderPlaced)
        return decision[0].order_id

    def tries(
        self, account: Account, side: Side, lots: int, price: int | None, kind: Kind = Kind.LIMIT, **more: Any
    ) -> Decision | BookRefused:
        self._nonce += 1
        stop, market = more.get("stop"), more.get("market", BTCUSDC)
        limit, trigger = None if price is None else Ticks(price), None if stop is None else Ticks(stop)
        terms = BookTerms(account, market, side, kind, Lots(lots), limit, trigger)
        match_fails = more.get("match_fails", False)
        enters_now = kind is not Kind.STOP_LIMIT
        self._fails = OrderId(self.exchange.orders_placed + 1) if match_fails and enters_now else None
        return self.does(PlaceBookOrder(f"uuid {self._nonce}", Nonce(self._nonce), b"", terms, match_fails))

    def buys(self, account: Account, lots: int, price: int | None, kind: Kind = Kind.LIMIT, **more: Any) -> OrderId:
        return self.places(account, BUY, lots, price, kind, **more)

    def sells(self, account: Account, lots: int, price: int | None, kind: Kind = Kind.LIMIT, **more: Any) -> OrderId:
        return self.places(account, SELL, lots, price, kind, **more)

    def cancels(self, account: Account, order_id: int) -> Decision | BookRefused:
        return self.does(CancelBookOrder(account, OrderId(order_id)))

    def cancels_all(self, account: Account, side: Side | None = None, limit: int = 100) -> list[int]:
        decision = self.does(CancelBookOrders(account, BTCUSDC, side, limit))
        assert not isinstance(decision, BookRefused)
        return [event.order_id for event in decision if isinstance(event, BookOrderCancelled)]

    def ends(self, order_id: OrderId) -> Decision | BookRefused:
        return self.does(CancelByOperator(order_id))

    def passes(self, ms: int) -> None:
        self.now = Instant(self.now + ms)
        self._run_due()

    def _run_due(self) -> None:
        while (due := self.exchange.command_due(self.now)) is not None:
            command = due[1]
            if isinstance(command, ContinueBookOrder):
                command = replace(command, match_fails=self._is_to_fail(command.order_id))
            decision = self._decide(command, self.now)
            assert decision, f"{due[1]} was due and did nothing"
            assert not isinstance(decision, BookRefused), f"{due[1]} was due and was refused"

    def _is_to_fail(self, order_id: OrderId) -> bool:
        """Its first match, which has not come."""
        return order_id == self._fails and not self.exchange.orders[order_id].trades

    def _decide(self, command: Command, at: Instant) -> Decision | BookRefused:
        before = picture(self.exchange)
        decision = decide(self.exchange, command, at)
        assert decide(self.exchange, command, at) == decision, "deciding again gives the same"
        assert picture(self.exchange) == before, "deciding changes nothing"
        if not isinstance(decision, BookRefused) and decision:
            for event in decision:
                self.exchange.apply(event, at)
                uncrossed(self.exchange)
            self.journal.append(Entry(command, at, decision))
        sound(self.exchange)
        return decision

    # --- what there is to see

    def order(self, order_id: OrderId) -> BookOrder:
        return self.exchange.orders[order_id]

    def state(self, order_id: OrderId) -> OrderStatus:
        return self.exchange.orders[order_id].state

    def book(self, side: Side, market: MarketSymbol = BTCUSDC) -> list[tuple[int, int, int]]:
        return list(resting(self.exchange.markets[market].book, side))

    def trades(self) -> list[Traded]:
        return [event for entry in self.journal for event in entry.events if isinstance(event, Traded)]

    def available(self, account: Account, currency: Currency) -> Amount:
        return self.exchange.ledger.balance(account, currency).available

    def locked(self, account: Account, currency: Currency) -> Amount:
        return self.exchange.ledger.balance(account, currency).locked

    def fees(self, currency: Currency) -> Amount:
        return self.available(FEES, currency)

    # --- replays

    def replays(self) -> None:
        """The fold of the journal and the stored rows give the same exchange; deciding again gives the same events."""
        folded, again = self.new_exchange(), self.new_exchange()
        for entry in self.journal:
            assert decide(again, entry.command, entry.at) == entry.events
            for event in entry.events:
                folded.apply(event, entry.at)
                again.apply(event, entry.at)
        assert picture(folded) == picture(again) == picture(self.exchange)
        assert picture(self.reloaded()) == picture(self.exchange, live_only=True)

    def reloaded(self) -> Exchange:
        """The exchange as the next start would have it."""
        exchange = self.new_exchange()
        live = [order for order in self.exchange.orders.values() if order.state in LIVE]
        exchange.load(self.exchange.counters(), list(self.exchange.ledger.balances()), reversed(live))
        sound(exchange)
        return exchange


def picture(exchange: Exchange, *, live_only: bool = False) -> dict[str, Any]:
    """All that an exchange is, to compare."""
    return {
        "orders": {n: o for n, o in sorted(exchange.orders.items()) if not live_only or o.state in LIVE},
        "counters": exchange.counters(),
        "balances": sorted(exchange.ledger.balances()),
        "deposited": sorted(exchange.ledger.deposited().items()),
        "holds": sorted(exchange.ledger.holds.items()),
        "books": {
            m: [list(resting(market_state.book, side)) for side in Side] for m, market_state in exchange.markets.items()
        },
        "stops": {m: market_state.stops.waiting() for m, market_state in exchange.markets.items()},
        "live": {m: list(market_state.live) for m, market_state in exchange.markets.items()},
        "due": exchange.next_due(),
    }


def uncrossed(exchange: Exchange) -> None:
    for market_state in exchange.markets.values():
        bid, ask = market_state.book.best(BUY), market_state.book.best(SELL)
        assert bid is None or ask is None or bid < ask, f"{market_state.market.symbol} is crossed: {bid}, {ask}"


def sound(exchange: Exchange) -> None:
    """What must hold between any two commands."""
    uncrossed(exchange)
    assert_balanced(exchange.ledger)
    for order in exchange.orders.values():
        assert order.origin == order.remaining + order.executed
        assert (order.state is OrderStatus.FILLED) == (not order.remaining)
        assert (order.cancel_reason is not None) == (order.state is OrderStatus.CANCELLED)
        hold = exchange.ledger.holds.get(HoldId(order.id))
        if order.state in LIVE:
            assert hold is not None, f"{order} has nothing locked"
            assert hold.left == locked_by(order, exchange.markets[order.terms.market].market)
            assert hold.owner == order.terms.account
        else:
            assert hold is None, f"{order} has ended and keeps {hold}"
    for symbol, market_state in exchange.markets.items():
        mine = [order for order in exchange.orders.values() if order.terms.market == symbol]
        assert list(market_state.live) == [order.id for order in mine if order.state in LIVE]
        for side in Side:
            sign = -1 if side is BUY else 1
            rest = [order for order in mine if is_resting(order) and order.terms.side is side]
            rest.sort(key=lambda order: (sign * price_of(order), order.rank))
            assert list(resting(market_state.book, side)) == [(o.id, price_of(o), o.remaining.lots) for o in rest]
        for order in mine:
            if order.state is OrderStatus.PENDING and order.terms.stop is not None and market_state.last is not None:
                reached = (
                    order.terms.stop <= market_state.last
                    if order.terms.side is BUY
                    else order.terms.stop >= market_state.last
                )
                waits = exchange.reached is not None and exchange.reached.market == symbol
                assert not reached or waits or order.triggered_at is not None, f"{order} was to be triggered"


def price_of(order: BookOrder) -> int:
    assert order.terms.price is not None
    return order.terms.price.ticks


def assert_balanced(ledger: Ledger) -> None:
    assert ledger.imbalances() == []


def shows(events: Decision | BookRefused) -> list[str]:
    """The kinds of the events."""
    assert not isinstance(events, BookRefused), events
    return [type(event).__name__ for event in events]
