"""All that the journal's events add up to: orders, queues, money. Each event is judged by what came before it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from countermand_simulator.book.checkers import fold
from countermand_simulator.book.checkers.claim import Claim
from countermand_simulator.book.checkers.fold import LIVE, Json, left_of, ticks
from countermand_simulator.book.checkers.rules import MarketRules
from countermand_simulator.book.checkers.timeline import Timeline
from countermand_simulator.violation import broken, must

FEES: Final = "fees"
OTHER: Final = {"buy": "sell", "sell": "buy"}
SIDES: Final = ("sell", "buy")

Queue: TypeAlias = tuple[tuple[int, int, int], ...]
"""Ids with price and what remains, those that are matched first before the others."""
Reached: TypeAlias = tuple[str, int, int, int]
"""A market, when there were trades, and their lowest and highest price."""
Purse: TypeAlias = dict[str, tuple[int, int]]
"""What an account has available and locked, by currency."""


class Floor:
    def __init__(self, markets: Sequence[MarketRules]) -> None:
        self.markets = {market.symbol: market for market in markets}
        self.seq = 0
        self.orders: dict[int, Timeline[Json | None]] = {}
        self.live: dict[int, None] = {}
        """Orders that have not ended, the oldest first."""
        self.holds: dict[int, int] = {}
        self.of_nonce: dict[tuple[str, int], int] = {}
        self.ended_by: dict[int, tuple[int, str]] = {}
        """Cancelled orders: after which entry, and by which command."""
        self.triggered: list[int] = []
        self.reached: Reached | None = None
        """Trades reached more stops than one turn triggers."""
        self.entering: int | None = None
        """Who is on its way through the book, and has more before it than one turn serves."""
        self.trades: list[tuple[int, int, Json]] = []
        """With sequence number and instant."""
        self.trades_of: dict[int, list[Json]] = {}
        self.ranks = 0
        self.purses: dict[str, Timeline[Purse]] = {}
        self.credited: Counter[str] = Counter()
        self.last: dict[str, Timeline[int | None]] = {symbol: Timeline(None) for symbol in self.markets}
        self.books: dict[tuple[str, str], Timeline[Queue]] = {
            (symbol, side): Timeline(()) for symbol in self.markets for side in SIDES
        }
        self._queues: dict[tuple[str, str], list[int]] = {place: [] for place in self.books}
        """Those that rest, in the order in which they came to rest."""
        self._moved: dict[tuple[str, str], None] = {}
        self.touched_orders: dict[int, None] = {}
        self.touched_purses: dict[tuple[str, str], None] = {}

    # --- what is there

    def order(self, order_id: int) -> Json:
        known = self.orders.get(order_id)
        if known is None or known.now is None:
            broken(Claim.REPLAY_EQUALS_ROWS, f"order {order_id} was never placed")
        return known.now

    def market_of(self, order: Json) -> MarketRules:
        return self.markets[order["terms"]["market"]]

    def purse(self, account: str) -> Timeline[Purse]:
        return self.purses.setdefault(account, Timeline({}))

    def balance(self, account: str, currency: str) -> tuple[int, int]:
        return self.purse(account).now.get(currency, (0, 0))

    def front(self, market: str, side: str) -> tuple[int, int, int] | None:
        """Who on a side is matched first: id, price, what remains."""
        best: tuple[int, int] | None = None
        for order_id in self._queues[market, side]:
            price = self.order(order_id)["terms"]["price"]["ticks"]
            key = -price if side == "buy" else price
            if best is None or key < best[0]:
                best = key, order_id
        return None if best is None else (best[1], abs(best[0]), left_of(self.order(best[1])))

    def queue(self, market: str, side: str) -> Queue:
        """A whole side, sorted; those of one price stay in the order in which they came to rest."""
        rests = [self.order(order_id) for order_id in self._queues[market, side]]
        shown = [(order["id"], order["terms"]["price"]["ticks"], left_of(order)) for order in rests]
        return tuple(sorted(shown, key=lambda each: -each[1] if side == "buy" else each[1]))

    def waiting_stops(self, market: str | None = None) -> Iterator[Json]:
        """Stop orders that nothing triggered yet, the oldest first."""
        for order_id in self.live:
            order = self.order(order_id)
            terms = order["terms"]
            if terms["kind"] == "stop_limit" and order["triggered_at"] is None and market in (None, terms["market"]):
                yield order

    def reached_stops(self, reached: Reached) -> Sequence[int]:
        """The stop orders that are to be triggered: buys from the lowest price up, then sells from the highest down."""
        market, _, lowest, highest = reached
        buys, sells = list[tuple[int, int]](), list[tuple[int, int]]()
        for order in self.waiting_stops(market):
            terms = order["terms"]
            stop = terms["stop"]["ticks"]
            if terms["side"] == "buy" and stop <= highest:
                buys.append((stop, order["id"]))
            elif terms["side"] == "sell" and stop >= lowest:
                sells.append((stop, order["id"]))
        return [order_id for _, order_id in (*sorted(buys), *sorted(sells, reverse=True))]

    def first_due(self) -> tuple[int, int] | None:
        """When the next order has its greatest age, and which."""
        return min(map(self._due, self.live), default=None)

    def _due(self, order_id: int) -> tuple[int, int]:
        order = self.order(order_id)
        return order["created_at"] + self.market_of(order).max_age_ms, order_id

    # --- what happens

    def entry_begins(self, seq: int) -> None:
        self.seq = seq
        self._moved.clear()

    def entry_ends(self) -> None:
        for place in self._moved:
            self.books[place].became(self.seq, self.queue(*place))

    def happened(self, kind: str, event: Json, at: int, command: str) -> None:
        match kind:
            case "credited":
                self.credited[event["currency"]] += event["amount"]["quanta"]
                self._move(event["account"], event["currency"], available=event["amount"]["quanta"])
            case "order_placed":
                self._placed(event, at)
            case "traded":
                self._traded(event, at)
            case "stop_triggered":
                must(
                    self.order(event["order_id"])["triggered_at"] is None,
                    Claim.STOPS_TRIGGER_ONCE,
                    f"order {event['order_id']} is triggered again",
                )
                self._evolved(kind, event, event["order_id"], at)
                self.triggered.append(event["order_id"])
                self.triggered.sort(key=lambda order_id: (self.order(order_id)["triggered_at"], order_id))
            case "order_opened":
                self._opened(event, at)
            case "order_rested":
                self._rested(event, at)
            case "order_reduced":
                self._reduced(event, at)
            case "order_cancelled":
                self._cancelled(event, at, command)
            case _:
                broken(Claim.JOURNAL_INTACT, f"{kind} is no event")

    def _placed(self, event: Json, at: int) -> None:
        order_id, terms, locked = event["order_id"], event["terms"], event["locked"]["quanta"]
        must(order_id == len(self.orders) + 1, Claim.NUMBERS_HAVE_NO_GAPS, f"order {order_id} after {len(self.orders)}")
        key = terms["account"], event["nonce"]
        must(key not in self.of_nonce, Claim.NONCE_IS_ONE_ORDER, f"{key} is order {self.of_nonce.get(key)} already")
        order = fold.placed(event, at)
        self.of_nonce[key] = order_id
        self.orders[order_id] = Timeline(None)
        self._became(order)
        self.live[order_id] = None
        self.holds[order_id] = locked
        self._move(terms["account"], self.market_of(order).spent(terms["side"]), available=-locked, locked=locked)

    def _opened(self, event: Json, at: int) -> None:
        order = self.order(event["order_id"])
        if order["state"] in LIVE:
            must(order["state"] == "pending", Claim.STOPS_TRIGGER_ONCE, f"order {order['id']} is opened again")
        self._evolved("order_opened", event, order["id"], at)
        if order["id"] in self.triggered:
            self.triggered.remove(order["id"])

    def _rested(self, event: Json, at: int) -> None:
        must(event["rank"] == self.ranks + 1, Claim.NUMBERS_HAVE_NO_GAPS, f"{event} after rank {self.ranks}")
        self.ranks += 1
        order = self._evolved("order_rested", event, event["order_id"], at)
        self._queues[self._place(order)].append(order["id"])
        self._moved[self._place(order)] = None
        self._holds_what_it_needs(order)

    def _reduced(self, event: Json, at: int) -> None:
        order = self._evolved("order_reduced", event, event["order_id"], at)
        self._unlock(order, event["unlocked"]["quanta"])
        self._moved[self._place(order)] = None
        self._holds_what_it_needs(order)

    def _cancelled(self, event: Json, at: int, command: str) -> None:
        order = self._evolved("order_cancelled", event, event["order_id"], at)
        held = self.holds[order["id"]]
        unlocked = event["unlocked"]["quanta"]
        must(
            unlocked == held,
            Claim.AMOUNTS_ARE_EXACT,
            f"cancelled order {order['id']} unlocks {unlocked}, and holds {held}",
        )
        self._unlock(order, unlocked)
        self.ended_by[order["id"]] = self.seq, command
        self._leaves(order)

    def _traded(self, event: Json, at: int) -> None:
        must(
            event["trade_id"] == len(self.trades) + 1,
            Claim.NUMBERS_HAVE_NO_GAPS,
            f"trade {event['trade_id']} after {len(self.trades)}",
        )
        self.trades.append((self.seq, at, event))
        self.last[event["market"]].became(self.seq, event["price"]["ticks"])
        for side in SIDES:
            leg = event[side]
            self.trades_of.setdefault(leg["order_id"], []).append(event)
            order = self._evolved("traded", event, leg["order_id"], at)
            market, account = self.market_of(order), leg["account"]
            self._pay(order, leg["paid"]["quanta"])
            self._unlock(order, leg["unlocked"]["quanta"])
            net = leg["received"]["quanta"] - leg["fee"]["quanta"]
            self._move(account, market.got(side), available=net)
            self._move(FEES, market.got(side), available=leg["fee"]["quanta"])
            if order["state"] == "done":
                left = self.holds[order["id"]]
                must(left == 0, Claim.AMOUNTS_ARE_EXACT, f"order {order['id']} is done and keeps {left} locked")
                self._leaves(order)
            elif order["rank"] is not None:
                self._holds_what_it_needs(order)
            self._moved[self._place(order)] = None

    # --- orders and their money

    def _evolved(self, kind: str, event: Json, order_id: int, at: int) -> Json:
        order = fold.after(self.order(order_id), kind, event, at)
        must(left_of(order) >= 0, Claim.TRADES_ARE_FAIR, f"order {order_id} has {left_of(order)} left")
        self._became(order)
        return order

    def _became(self, order: Json) -> None:
        self.orders[order["id"]].became(self.seq, order)
        self.touched_orders[order["id"]] = None

    def _place(self, order: Json) -> tuple[str, str]:
        return order["terms"]["market"], order["terms"]["side"]

    def _leaves(self, order: Json) -> None:
        order_id = order["id"]
        del self.live[order_id]
        del self.holds[order_id]
        queue = self._queues[self._place(order)]
        if order_id in queue:
            queue.remove(order_id)
            self._moved[self._place(order)] = None
        if order_id in self.triggered:
            self.triggered.remove(order_id)

    def _holds_what_it_needs(self, order: Json) -> None:
        """An order with a limit. A market order holds what it may need."""
        terms, held = order["terms"], self.holds[order["id"]]
        price = ticks(terms["price"])
        if terms["kind"] == "market" or price is None or order["rank"] is None:
            return
        needed = self.market_of(order).needed(terms["side"], price, left_of(order))
        must(held == needed, Claim.AMOUNTS_ARE_EXACT, f"order {order['id']} holds {held} and needs {needed}")

    def _pay(self, order: Json, paid: int) -> None:
        terms = order["terms"]
        self._use(order, paid)
        self._move(terms["account"], self.market_of(order).spent(terms["side"]), locked=-paid)

    def _unlock(self, order: Json, unlocked: int) -> None:
        terms = order["terms"]
        self._use(order, unlocked)
        currency = self.market_of(order).spent(terms["side"])
        self._move(terms["account"], currency, available=unlocked, locked=-unlocked)

    def _use(self, order: Json, amount: int) -> None:
        held = self.holds[order["id"]]
        must(0 <= amount <= held, Claim.AMOUNTS_ARE_EXACT, f"order {order['id']} holds {held}, and gives {amount}")
        self.holds[order["id"]] = held - amount

    def _move(self, account: str, currency: str, *, available: int = 0, locked: int = 0) -> None:
        if not available and not locked:
            return
        purse = self.purse(account)
        has = purse.now.get(currency, (0, 0))
        now = has[0] + available, has[1] + locked
        must(min(now) >= 0, Claim.AMOUNTS_ARE_EXACT, f"{account} would have {now} {currency}")
        purse.became(self.seq, {**purse.now, currency: now})
        self.touched_purses[account, currency] = None
