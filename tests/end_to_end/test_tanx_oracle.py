"""tanX against an oracle: what a venue must do, written anew in a page from the documentation, and asked at every step.

The oracle shares no code with the venue. It walks over plain lists, and reckons with decimals that are never rounded.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.member import Member
from tests.end_to_end.venue import Venue, running_venue

STEPS = 500
SEED = 20_260_731
RATE = Decimal("0.0004")
DAY_S = 24 * 3_600
BASE, QUOTE = slice(0, 3), slice(3, None)
USER = "Order cancelled by user"
SLIPPAGE = "Slippage greater than 30%. Order cancelled to prevent loss of funds"
SYSTEM = "Order cancellation was initiated by system"
MARKETS = ("btcusdc", "ethusdc", "ethusdt")
ZERO = Decimal(0)


@dataclass(eq=False)
class Ordered:
    id: int
    user: int
    market: str
    side: str
    kind: str
    volume: Decimal
    price: Decimal | None
    stop: Decimal | None
    day: int
    reference: Decimal | None
    locked: Decimal = ZERO
    left: Decimal = ZERO
    paid: Decimal = ZERO
    """The sum of price times volume."""
    state: str = "pending"
    reason: str | None = None
    trades: list[int] = field(default_factory=list)

    @property
    def spends(self) -> str:
        return self.market[QUOTE] if self.side == "buy" else self.market[BASE]

    def shown(self) -> tuple[Any, ...]:
        done = self.volume - self.left
        mean = (self.paid / done).quantize(Decimal("0.01"), ROUND_DOWN) if done else ZERO
        price = None if self.kind == "market" else self.price
        return self.state, self.reason, price, self.stop, mean, self.volume, self.left, done, len(self.trades)


@dataclass(frozen=True)
class Sold:
    id: int
    market: str
    taker: str
    price: Decimal
    volume: Decimal
    buy: Ordered
    sell: Ordered
    day: int


class Oracle:
    """Users are numbers. `funds`: what each can use, and what is locked, of each currency."""

    def __init__(self) -> None:
        self.day = 0
        self.orders: list[Ordered] = []
        self.sold: list[Sold] = []
        self.funds: dict[tuple[int, str], list[Decimal]] = {}
        self.resting: list[Ordered] = []
        """In the order in which they came to rest."""
        self.touched: list[Ordered] = []

    def credit(self, user: int, currency: str, amount: Decimal) -> None:
        self.funds.setdefault((user, currency), [ZERO, ZERO])[0] += amount

    def place(self, user: int, terms: Mapping[str, Any]) -> int | None:
        """The number of the order, or None: it cannot be paid."""
        market, side, kind = terms["market"], terms["side"], terms["ord_type"]
        price, stop = (None if name not in terms else Decimal(terms[name]) for name in ("price", "stop_price"))
        front, last = self._opposite(market, side), self._last(market)
        reference = front[0].price if front else last
        number = len(self.orders) + 1
        volume = Decimal(terms["volume"])
        order = Ordered(number, user, market, side, kind, volume, price, stop, self.day, reference, left=volume)
        funds = self.funds.setdefault((user, order.spends), [ZERO, ZERO])
        if kind == "market" and side == "buy":
            order.locked = funds[0]  # It cannot pay with more. Whatever it does not need comes back at once.
            if not order.locked:
                return None
        else:
            order.locked = volume if price is None or side == "sell" else volume * price
            if order.locked > funds[0]:
                return None
        funds[0] -= order.locked
        funds[1] += order.locked
        self.orders.append(order)
        self.touched.append(order)
        if stop is None:
            self._open(order)
        elif last is not None and _reaches(order, last):
            order.state = "triggered"
        self._open_triggered()
        return number

    def cancel(self, user: int, number: int) -> int:
        """The status of the answer."""
        if number > len(self.orders) or self.orders[number - 1].user != user:
            return 404
        return self._cancel(self.orders[number - 1], USER)

    def cancel_as_operator(self, number: int) -> None:
        self._cancel(self.orders[number - 1], SYSTEM)

    def cancel_many(self, user: int, market: str, side: str | None, limit: int) -> None:
        mine = [o for o in self.live() if o.user == user and o.market == market and side in (None, o.side)]
        for order in mine[:limit]:
            self._cancel(order, USER)

    def days_pass(self, days: int) -> None:
        self.day += days
        for order in self.live():
            if order.day + 30 <= self.day:
                self._cancel(order, SYSTEM)

    def live(self) -> list[Ordered]:
        return [order for order in self.orders if order.state in ("wait", "pending")]

    def book(self, market: str, side: str) -> list[Ordered]:
        """Who is matched first comes first."""
        return self._opposite(market, "sell" if side == "buy" else "buy")

    def _opposite(self, market: str, side: str) -> list[Ordered]:
        there = [order for order in self.resting if order.market == market and order.side != side]
        return sorted(there, key=lambda order: (order.price or ZERO) * (1 if side == "buy" else -1))

    def _last(self, market: str) -> Decimal | None:
        return next((sold.price for sold in reversed(self.sold) if sold.market == market), None)

    def _open(self, order: Ordered) -> None:
        order.state = "wait"
        before = len(self.sold)
        for maker in self._opposite(order.market, order.side):
            if order.state != "wait" or not self._meets(order, maker):
                break
        if order.state == "wait":
            if order.kind == "market":
                self._cancel(order, SYSTEM)
            else:
                self.resting.append(order)
        prices = [sold.price for sold in self.sold[before:]]
        for stop in self.orders:
            waits = stop.state == "pending" and stop.market == order.market
            if waits and any(_reaches(stop, price) for price in prices):
                stop.state = "triggered"

    def _meets(self, order: Ordered, maker: Ordered) -> bool:
        """Whether it may go on to the next one."""
        price, lots = maker.price or ZERO, min(order.left, maker.left)
        buys = order.side == "buy"
        if order.price is not None and (price > order.price if buys else price < order.price):
            return False
        if order.kind == "limit_maker":
            return self._stops(order, SYSTEM)
        if order.kind in ("market", "stop_limit") and _is_far(price, order.reference, buys=buys):
            return self._stops(order, SLIPPAGE)
        if maker.user == order.user or (buys and price * lots > order.locked):
            return self._stops(order, SYSTEM)
        self._trade(order, maker, price, lots)
        return True

    def _stops(self, order: Ordered, reason: str) -> bool:
        self._cancel(order, reason)
        return False

    def _trade(self, order: Ordered, maker: Ordered, price: Decimal, lots: Decimal) -> None:
        buy, sell = (order, maker) if order.side == "buy" else (maker, order)
        total, number = price * lots, len(self.sold) + 1
        self.sold.append(Sold(number, order.market, order.side, price, lots, buy, sell, self.day))
        for each, gives, gets in ((buy, total, lots), (sell, lots, total)):
            currency = each.market[BASE] if each is buy else each.market[QUOTE]
            self.funds[each.user, each.spends][1] -= gives
            self.credit(each.user, currency, gets * (1 - RATE))
            each.locked -= gives
            each.left -= lots
            each.paid += total
            each.trades.append(number)
            self.touched.append(each)
            if not each.left:
                self._end(each, "done")
        if buy.left and buy.price is not None and buy.kind != "market":
            self._unlock(buy, buy.locked - buy.left * buy.price)

    def _open_triggered(self) -> None:
        """Those of one trade in the order of their numbers, and those that these trigger after all of them."""
        queue: list[Ordered] = []
        while True:
            queue += [order for order in self.orders if order.state == "triggered" and order not in queue]
            if not queue:
                return
            first = queue.pop(0)
            self.touched.append(first)
            self._open(first)

    def _cancel(self, order: Ordered, reason: str) -> int:
        if order.state not in ("wait", "pending"):
            return 400
        order.reason = reason
        self._end(order, "cancel")
        return 200

    def _end(self, order: Ordered, state: str) -> None:
        order.state = state
        self.touched.append(order)
        self._unlock(order, order.locked)
        if order in self.resting:
            self.resting.remove(order)

    def _unlock(self, order: Ordered, amount: Decimal) -> None:
        order.locked -= amount
        funds = self.funds[order.user, order.spends]
        funds[0] += amount
        funds[1] -= amount


def _is_far(price: Decimal, reference: Decimal | None, *, buys: bool) -> bool:
    if reference is None:
        return False
    return price > reference * Decimal("1.3") if buys else price < reference * Decimal("0.7")


def _reaches(stop: Ordered, price: Decimal) -> bool:
    assert stop.stop is not None
    return price >= stop.stop if stop.side == "buy" else price <= stop.stop


# --- both are asked the same


class Contest:
    """Some users at a venue whose clock stands still, and the oracle that knows better."""

    def __init__(self, venue: Venue, users: list[Any], seed: int) -> None:
        self.venue, self.users, self.chance, self.oracle = venue, users, random.Random(seed), Oracle()

    def begins(self) -> None:
        self.venue.freezes()
        for number, user in enumerate(self.users):
            for currency, amount in (("btc", "8"), ("eth", "8"), ("usdc", "500"), ("usdt", "500")):
                user.has(**{currency: amount})
                self.oracle.credit(number, currency, Decimal(amount))

    def goes_on(self, steps: int) -> None:
        for _ in range(steps):
            self._step()
            self.compares()
        self.compares_all()

    def _step(self) -> None:
        number = self.chance.randrange(len(self.users))
        market = self.chance.choice(MARKETS)
        match self.chance.choices(("place", "cancel", "many", "operator", "days"), (75, 21, 2, 1, 1))[0]:
            case "place":
                self._places(number, market)
            case "cancel":
                self._cancels(number)
            case "many":
                side, limit = self.chance.choice((None, "buy", "sell")), self.chance.randint(1, 6)
                asked = {"market": market, "limit": limit} | ({} if side is None else {"side": side})
                self.users[number].post("/sapi/v1/user/bulkcancel/", asked)
                self.oracle.cancel_many(number, market, side, limit)
            case "operator":
                if live := self.oracle.live():
                    order_id = self.chance.choice(live).id
                    self.venue.ask("POST", "/sandbox/tanx/cancel", {"order_id": order_id}).ok()
                    self.oracle.cancel_as_operator(order_id)
            case "days":
                days = self.chance.choice((1, 5, 12))
                self.venue.advances(days * DAY_S)
                for user in self.users:
                    user.logs_in()
                self.oracle.days_pass(days)

    def _places(self, number: int, market: str) -> None:
        terms = self._terms(market)
        user, expected = self.users[number], self.oracle.place(number, terms)
        answer = user.ask("POST", "/sapi/v1/orders/create/", user.signs(user.post("/sapi/v1/orders/nonce/", terms)))
        if expected is None:
            assert (answer.status, answer.body["message"]) == (400, "Insufficient balance"), terms
        else:
            shown = answer.ok()["payload"]
            assert (shown["id"], shown["state"], shown["executed_volume"]) == (expected, "pending", "0.0"), terms

    def _terms(self, market: str) -> dict[str, Any]:
        """Few prices near 100 dollars, so that many rest at one; some as far away as slippage goes, and further."""
        chance = self.chance
        kind = chance.choices(("limit", "market", "stop_limit", "limit_maker"), (48, 22, 22, 8))[0]
        away = chance.choices((range(990, 1_011), range(1_280, 1_500), range(600, 720)), (80, 10, 10))[0]
        price = f"{Decimal(chance.choice(away)) / 10}"
        terms: dict[str, Any] = {"market": market, "ord_type": kind, "side": chance.choice(("buy", "sell"))}
        terms["volume"] = f"{Decimal(chance.randint(1, 40_000 if kind == 'market' else 15_000)) / 10_000}"
        if kind != "market" or chance.random() < 0.3:
            terms["price"] = price
        if kind == "stop_limit":
            terms["stop_price"] = f"{Decimal(chance.randint(980, 1_020)) / 10}"
        return terms

    def _cancels(self, number: int) -> None:
        """Mostly of an order that lives, sometimes of one that has ended, is another's, or never was."""
        mine = [order.id for order in self.oracle.live() if order.user == number]
        order_id = self.chance.randint(1, len(self.oracle.orders) + 2)
        if mine and self.chance.random() < 0.8:
            order_id = self.chance.choice(mine)
        before = self.oracle.orders[order_id - 1].shown() if order_id <= len(self.oracle.orders) else None
        answer = self.users[number].cancels(order_id)
        assert answer.status == self.oracle.cancel(number, order_id), order_id
        if answer.status != 404:
            assert _shown(answer.body["payload"]) == before

    # --- what both say

    def compares(self) -> None:
        """What the last step changed."""
        touched, self.oracle.touched = self.oracle.touched, []
        for order in dict.fromkeys(touched):
            shown = self.users[order.user].sees(order.id)
            assert _shown(shown) == order.shown(), order
            assert [trade["id"] for trade in shown["trades"]] == order.trades, order
        for number in dict.fromkeys(order.user for order in touched):
            self.compares_balances(number)

    def compares_balances(self, number: int) -> None:
        for row in self.users[number].get("/sapi/v1/user/balance/"):
            has = [Decimal(row["balance"]), Decimal(row["locked"])]
            assert has == self.oracle.funds.get((number, row["currency"]), [ZERO, ZERO]), (number, row)

    def compares_all(self) -> None:
        for number, user in enumerate(self.users):
            self.compares_balances(number)
            mine = [order for order in self.oracle.orders if order.user == number]
            listed = _paged(user, "/sapi/v1/orders?order_by=asc")
            assert [(row["id"], _shown(row)) for row in listed] == [(order.id, order.shown()) for order in mine]
            trades = _paged(user, "/sapi/v1/trades?order_by=asc")
            assert [_trade_shown(row) for row in trades] == self._trades_of(number)
        for market in MARKETS:
            self._compares_market(market)
        audit = self.venue.audit()
        assert audit["ok"] is True

    def _trades_of(self, number: int) -> list[tuple[Any, ...]]:
        shown = []
        for sold in self.oracle.sold:
            order = next((each for each in (sold.buy, sold.sell) if each.user == number), None)
            if order is not None:
                total = sold.price * sold.volume
                fee = RATE * (sold.volume if order.side == "buy" else total)
                currency = sold.market[BASE] if order.side == "buy" else sold.market[QUOTE]
                sums = sold.price, sold.volume, total, fee
                shown.append((sold.id, sold.market, *sums, currency, sold.taker, order.side, order.id))
        return shown

    def _compares_market(self, market: str) -> None:
        ask = self.venue.ask
        book = ask("GET", f"/sapi/v1/market/orderbook/?market={market}&asks_limit=200&bids_limit=200").ok()["payload"]
        for name, side in (("asks", "sell"), ("bids", "buy")):
            assert [row["id"] for row in book[name]] == [order.id for order in self.oracle.book(market, side)]
        sold = [each for each in self.oracle.sold if each.market == market]
        rows = ask("GET", f"/sapi/v1/market/trades/?market={market}&limit=1000&order_by=asc").ok()["payload"]
        assert [row["id"] for row in rows] == [each.id for each in sold][:1000]
        ticker = ask("GET", f"/sapi/v1/market/tickers/?market={market}").ok()["payload"][market]["ticker"]
        assert Decimal(ticker["last"]) == (sold[-1].price if sold else ZERO)
        recent = [each for each in sold if each.day >= self.oracle.day - 1]
        prices, volume = [each.price for each in recent] or [ZERO], sum((each.volume for each in recent), ZERO)
        turnover = sum((each.price * each.volume for each in recent), ZERO)
        mean = (turnover / volume).quantize(Decimal("0.01"), ROUND_DOWN) if volume else ZERO
        shown = [Decimal(ticker[name]) for name in ("open", "high", "low", "amount", "volume", "avg_price")]
        assert shown == [prices[0], max(prices), min(prices), volume, turnover, mean]


def _shown(row: Mapping[str, Any]) -> tuple[Any, ...]:
    price, stop = (None if row[name] is None else Decimal(row[name]) for name in ("price", "stop_price"))
    numbers = (Decimal(row[name]) for name in ("avg_price", "origin_volume", "remaining_volume", "executed_volume"))
    return row["state"], row["cancel_reason"], price, stop, *numbers, row["trades_count"]


def _trade_shown(row: Mapping[str, Any]) -> tuple[Any, ...]:
    sums = (Decimal(row[name]) for name in ("price", "amount", "total", "fee_amount"))
    assert Decimal(row["fee"]) == RATE
    return row["id"], row["market"], *sums, row["fee_currency"], row["taker_type"], row["side"], row["order_id"]


def _paged(user: Any, path: str) -> list[Any]:
    rows: list[Any] = []
    for page in range(1, 1_000):
        found = user.get(f"{path}&limit=100&page={page}")
        rows += found
        if len(found) < 100:
            break
    return rows


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    with localcontext(prec=60):
        yield


def test_the_venue_does_what_the_oracle_says(tmp_path: Path) -> None:
    """Every kind of order, of three users in three markets, with cancels of all sorts, and time that passes."""
    with running_venue(tmp_path) as venue:
        contest = Contest(venue, [Member(venue).joins() for _ in range(3)], SEED)
        contest.begins()
        contest.goes_on(STEPS)
        reasons = {order.reason for order in contest.oracle.orders}
    assert reasons == {None, USER, SLIPPAGE, SYSTEM}
    assert len(contest.oracle.sold) > STEPS / 10
