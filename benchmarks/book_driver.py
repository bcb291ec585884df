"""One order book, driven through the operations of a file: what `benchmarks.book` starts, each time in a new process.

It also runs under the interpreter in which the peers are installed, so it imports each book only when it is asked for.
"""

import json
import marshal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final

Operation = tuple[int, int, int, int]
"""Order id, 1 to buy or 0 to sell or −1 to cancel, price, quantity."""
CANCEL: Final = -1
SECONDS: Final = 20
"""A driver that takes longer is stopped."""
_STEP: Final = 1_000


@dataclass
class Driven:
    """A book, and how it is told what to do in its own words."""

    buy: Any
    sell: Any
    place: Callable[[int, Any, int, int], object]
    """Takes order id, side, price, quantity."""
    cancel: Callable[[int], object]
    resting: Callable[[], float]
    """The quantity of all that rests."""


def _ours(module: str, name: str, *, planned: bool = False) -> Driven:
    book = getattr(import_module(f"countermand.orders.book.model.{module}"), name)()
    order = import_module("countermand.orders.book.model.order")
    plan_and_do = import_module("countermand.orders.book.model.book").plan_and_do

    def resting() -> float:
        return float(sum(lots for side in order.Side for _, lots in book.levels(side)))

    def place(order_id: int, side: Any, price: int, quantity: int) -> None:
        plan_and_do(book, order_id, side, price, quantity)

    return Driven(order.BUY, order.SELL, place if planned else book.submit, book.remove, resting)


def _turns() -> Driven:
    """The whole turn of the venue: a command is decided, and its events are applied, with holds, fees and balances.

    All that buy are one account and all that sell another, each with more than it can spend.
    """
    commands, order = (import_module(f"countermand.orders.book.model.{name}") for name in ("commands", "order"))
    amount, quantities = (
        import_module("countermand.orders.book.model.ledger.amount"),
        "countermand.orders.book.model.quantities",
    )
    lots_of, ticks_of = import_module(quantities).Lots, import_module(quantities).Ticks
    decide = import_module("countermand.orders.book.model.decide").decide
    market, *_ = import_module("countermand.orders.book.model.markets").MARKETS
    exchange = import_module("countermand.orders.book.model.exchange").Exchange([market])
    buyer, seller = amount.Account("0xb"), amount.Account("0xs")
    ids: dict[int, Any] = {}

    def turn(command: Any) -> Any:
        decided = decide(exchange, command, 0)
        for event in decided if isinstance(decided, tuple) else ():
            exchange.apply(event, 0)
        return decided

    def place(order_id: int, account: Any, price: int, quantity: int) -> None:
        side = order.BUY if account is buyer else order.SELL
        terms = order.BookTerms(account, market.symbol, side, order.Kind.LIMIT, lots_of(quantity), ticks_of(price))
        ids[order_id] = turn(commands.PlaceBookOrder("", order.Nonce(order_id), b"", terms))[0].order_id, account

    def cancel(order_id: int) -> None:
        placed, account = ids[order_id]
        turn(commands.CancelBookOrder(account, placed))

    def resting() -> float:
        return float(sum(lots for side in order.Side for _, lots in exchange.markets[market.symbol].book.levels(side)))

    for account, currency in ((buyer, market.quote), (seller, market.base)):
        turn(commands.Credit(account, currency, amount.Amount(amount.AMOUNT_MAX)))
    return Driven(buyer, seller, place, cancel, resting)


def _pyorderbook() -> Driven:
    peer = import_module("pyorderbook")
    book, orders = peer.Book(), {}

    def place(order_id: int, side: Any, price: int, quantity: int) -> None:
        order = orders[order_id] = side("X", price, quantity)
        book.match(order)

    def cancel(order_id: int) -> None:
        book.cancel(orders[order_id])

    return Driven(peer.bid, peer.ask, place, cancel, lambda: sum(order.quantity for order in book.order_map.values()))


def _lightmatchingengine() -> Driven:
    peer = import_module("lightmatchingengine.lightmatchingengine")
    book, orders = peer.LightMatchingEngine(), {}

    def place(order_id: int, side: Any, price: int, quantity: int) -> None:
        orders[order_id], _ = book.add_order("X", price, quantity, side)

    def cancel(order_id: int) -> None:
        book.cancel_order(orders[order_id].order_id, "X")

    return Driven(
        peer.Side.BUY, peer.Side.SELL, place, cancel, lambda: sum(order.leaves_qty for order in orders.values())
    )


def _order_matching() -> Driven:
    import_module("loguru").logger.remove()
    book = import_module("order_matching.matching_engine").MatchingEngine(seed=1)
    side, orders = import_module("order_matching.enums").Side, import_module("order_matching.orders").Orders
    limit_order = import_module("order_matching.order").LimitOrder
    start = datetime.fromisoformat("2024-01-01")

    def place(order_id: int, side: Any, price: int, quantity: int) -> None:
        now = start + timedelta(microseconds=order_id)
        order = limit_order(
            side=side,
            price=float(price),
            size=float(quantity),
            timestamp=now,
            order_id=str(order_id),
            trader_id="x",
        )
        book.place(orders([order]))
        book.match(timestamp=now)

    def cancel(order_id: int) -> None:
        book.cancel_order(str(order_id))

    def resting() -> float:
        sides = (book.unprocessed_orders.bids, book.unprocessed_orders.offers)
        return float(sum(order.size for levels in sides for level in levels.values() for order in level))

    return Driven(side.BUY, side.SELL, place, cancel, resting)


BOOKS: Final[dict[str, Callable[[], Driven]]] = {
    "ours": lambda: _ours("fast", "FastBook", planned=True),
    "ours, with money": _turns,
    "ours, in one step": lambda: _ours("fast", "FastBook"),
    "ours, naive": lambda: _ours("naive", "NaiveBook"),
    "pyorderbook": _pyorderbook,
    "order-matching": _order_matching,
    "lightmatchingengine": _lightmatchingengine,
}


@dataclass
class Run:
    done: int
    """How many of the timed operations: all, or until its time was over."""
    resting: float
    cpu_s: float
    clock_s: float


def run(name: str, before: int, operations: list[Operation], seconds: int = SECONDS) -> Run:
    """The first `before` operations only fill the book: they are not timed, but they count for its time."""
    book = BOOKS[name]()
    native = [(n, None if what == CANCEL else book.buy if what else book.sell, p, q) for n, what, p, q in operations]
    ends = time.process_time() + seconds
    filled = _through(book, native[:before], ends)
    began, began_cpu = time.perf_counter(), time.process_time()
    done = _through(book, native[before:], ends) if filled == before else 0
    return Run(done, book.resting(), time.process_time() - began_cpu, time.perf_counter() - began)


def _through(book: Driven, operations: list[tuple[int, Any, int, int]], ends: float) -> int:
    place, cancel, done = book.place, book.cancel, 0
    while done < len(operations) and time.process_time() < ends:
        for order_id, side, price, quantity in operations[done : done + _STEP]:
            if side is None:
                cancel(order_id)
            else:
                place(order_id, side, price, quantity)
        done = min(done + _STEP, len(operations))
    return done


if __name__ == "__main__":
    _, chosen, filling, path = sys.argv
    print(json.dumps(asdict(run(chosen, int(filling), marshal.loads(Path(path).read_bytes())))))
