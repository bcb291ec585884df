"""All claims about a run, judged while it runs: each new journal entry with its rows, each load, each answer."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from countermand_simulator.book.checkers.answers import Answers, Asked
from countermand_simulator.book.checkers.claim import Claim
from countermand_simulator.book.checkers.entries import Entries
from countermand_simulator.book.checkers.floor import SIDES, Floor, Queue
from countermand_simulator.book.checkers.fold import LIVE, Json, ticks
from countermand_simulator.book.checkers.rules import MarketRules
from countermand_simulator.book.checkers.situations import situations
from countermand_simulator.chained import hash_after
from countermand_simulator.violation import broken, must

__all__ = ["Asked", "Checkers"]

_GENESIS: Final = bytes(32)


class JournalRow(Protocol):
    @property
    def at(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def hash(self) -> bytes: ...


class Database(Protocol):
    """The committed rows of the shard. A row is given as the names and values of its columns."""

    def seq(self) -> int: ...

    def journal_row(self, seq: int) -> JournalRow | None: ...

    def order_row(self, order_id: int) -> Json | None: ...

    def trade_row(self, trade_id: int) -> Json | None: ...

    def balance(self, account: str, currency: str) -> tuple[int, int] | None: ...

    def totals(self) -> Mapping[str, int]:
        """What all have of each currency."""

    def standing(self) -> bytes | None: ...

    def counts(self) -> tuple[int, int]:
        """How many orders and trades are stored."""

    def has_draft(self, nonce: int) -> bool: ...


class Memory(Protocol):
    """What a writer has in memory when all of it is committed."""

    def order(self, order_id: int) -> bytes | None: ...

    def live(self) -> Sequence[int]: ...

    def queue(self, market: str, side: str) -> Queue: ...

    def stops(self, market: str) -> Sequence[int]:
        """Those that nothing triggered yet, by their numbers."""

    def triggered(self) -> Sequence[int]: ...

    def entering(self) -> int | None: ...

    def balances(self) -> Mapping[tuple[str, str], tuple[int, int]]: ...

    def counters(self) -> Json: ...


class Checkers:
    def __init__(
        self, database: Database, markets: Sequence[MarketRules], orders_per_turn: int, saw: Callable[[str], None]
    ) -> None:
        """`saw` is told of each situation that an order gets into."""
        self._database = database
        self._saw = saw
        self.floor = Floor(markets)
        self._entries = Entries(self.floor, orders_per_turn)
        self._answers = Answers(self.floor, database.has_draft, saw)
        self._seq = 0
        self._head = _GENESIS
        self._at = 0
        self._remembered = 0
        """The newest entry that memory was compared at."""
        self._unlike_memory: dict[int, None] = {}
        """Orders that changed since memory was looked at."""

    # --- the journal

    def follow(self) -> None:
        """Judges what was committed since it was asked last."""
        stands = self._database.seq()
        if stands == self._seq:
            return
        floor, first_trade = self.floor, len(self.floor.trades)
        while self._seq < stands:
            row = self._database.journal_row(self._seq + 1)
            if row is None:
                broken(Claim.JOURNAL_INTACT, f"row {self._seq + 1} of {stands} is missing")
            self._link(row)
            body = msgspec.json.decode(row.body)
            events = [(kind, event) for kind, event in body["events"]]
            for what in situations(floor, row.kind, events):
                self._saw(what)
            floor.entry_begins(self._seq)
            self._entries.judge(row.at, row.kind, body["command"], events)
            floor.entry_ends()
            self._answers.entry(self._seq, row.kind, body["command"], events)
        self._compare_rows(first_trade)

    def _link(self, row: JournalRow) -> None:
        seq = self._seq + 1
        if row.hash != hash_after(self._head, seq, row.at, row.kind, row.body):
            broken(Claim.JOURNAL_INTACT, f"row {seq} does not follow from row {seq - 1}")
        must(row.at >= self._at, Claim.JOURNAL_INTACT, f"row {seq} is of {row.at}, before {self._at}")
        self._seq, self._head, self._at = seq, row.hash, row.at

    # --- rows

    def _compare_rows(self, first_trade: int) -> None:
        floor, claim = self.floor, Claim.REPLAY_EQUALS_ROWS
        totals = Counter(self._database.totals())
        if totals != floor.credited:
            broken(Claim.CONSERVED, f"{floor.credited} were credited, and there are {totals}")
        for order_id in floor.touched_orders:
            self._compare_order(order_id)
            self._unlike_memory[order_id] = None
        for _, at, trade in floor.trades[first_trade:]:
            if self._database.trade_row(trade["trade_id"]) != _trade_row(trade, at):
                broken(claim, f"the row of {trade}")
        for key in floor.touched_purses:
            due, stored = floor.balance(*key), self._database.balance(*key)
            if stored != due:
                broken(claim, f"{key} has {due} (available, locked), and {stored} is stored")
        floor.touched_orders.clear()
        floor.touched_purses.clear()
        standing = msgspec.json.decode(self._database.standing() or b"null")
        if standing is None or standing["standing"] != self._counters():
            broken(claim, f"the counters are {standing}")
        counts = self._database.counts()
        must(counts == (len(floor.orders), len(floor.trades)), claim, f"{counts} orders and trades are stored")

    def _compare_order(self, order_id: int) -> None:
        order, row = self.floor.order(order_id), self._database.order_row(order_id)
        if row is None:
            broken(Claim.REPLAY_EQUALS_ROWS, f"order {order_id} is not stored")
        market, terms = self.floor.market_of(order), order["terms"]
        due = {
            "body": order,
            "live": order["state"] in LIVE,
            "base": market.base,
            "quote": market.quote,
            **{name: order[name] for name in ("id", "nonce", "uuid", "state", "created_at")},
            **{name: terms[name] for name in ("account", "market", "kind", "side")},
        }
        stored = {**row, "body": msgspec.json.decode(row["body"])}
        if stored != due:
            broken(Claim.REPLAY_EQUALS_ROWS, f"order {order_id}: {_unlike(due, stored)}")

    def _counters(self) -> Json:
        floor = self.floor
        last = [[symbol, {"ticks": line.now}] for symbol, line in floor.last.items() if line.now is not None]
        counters = {"orders": len(floor.orders), "trades": len(floor.trades), "ranks": floor.ranks, "last": last}
        if floor.reached is not None:
            market, at, lowest, highest = floor.reached
            prices = {"lowest": {"ticks": lowest}, "highest": {"ticks": highest}}
            counters["reached"] = {"market": market, "at": at, **prices}
        return counters

    # --- memory

    def remembers(self, memory: Memory, *, all_of_them: bool) -> None:
        """`all_of_them`: it was just loaded."""
        self.follow()
        if self._remembered == self._seq and not all_of_them:
            return
        self._remembered = self._seq
        floor, claim = self.floor, Claim.REPLAY_EQUALS_MEMORY
        live = list(memory.live())
        if live != list(floor.live):
            broken(claim, f"{live} live in memory, and {list(floor.live)} in truth")
        for place, truth in floor.books.items():
            queue = memory.queue(*place)
            if queue != truth.now:
                broken(claim, f"{place}: the queue is {queue}, and should be {truth.now}")
        for market in floor.markets:
            stops, due = memory.stops(market), sorted(order["id"] for order in floor.waiting_stops(market))
            if stops != due:
                broken(claim, f"{market}: the stops are {stops}, and should be {due}")
        if memory.triggered() != floor.triggered:
            broken(claim, f"{memory.triggered()} are triggered")
        if memory.entering() != floor.entering:
            broken(claim, f"{memory.entering()} is on its way through the book")
        balances = {
            (account, currency): has for account, line in floor.purses.items() for currency, has in line.now.items()
        }
        if memory.balances() != balances:
            broken(claim, f"{memory.balances()}, and should be {balances}")
        if memory.counters() != self._counters():
            broken(claim, f"the counters are {memory.counters()}")
        for order_id in tuple(floor.live) if all_of_them else tuple(self._unlike_memory):
            body, truth_of_it = memory.order(order_id), floor.order(order_id)
            if body is not None or truth_of_it["state"] in LIVE:
                seen = msgspec.json.decode(body or b"null")
                if seen != truth_of_it:
                    broken(claim, f"order {order_id}: {seen}, and should be {truth_of_it}")
        self._unlike_memory.clear()

    # --- requests

    def asked(self, kind: str, who: str, what: Any) -> Asked:
        self.follow()
        return self._answers.asked(kind, who, what)

    def answered(self, asked: Asked, answer: Json) -> None:
        """`answer` is what left the server, whether a client received it or not."""
        self.follow()
        self._answers.answered(asked, answer)

    # --- the end

    def at_rest(self) -> None:
        """No fault is left, and each trader cancelled all orders: nothing rests, and nothing is locked."""
        self.follow()
        floor = self.floor
        must(not floor.live, Claim.EVERYTHING_ENDS, f"{list(floor.live)} live on")
        for account, line in floor.purses.items():
            for currency, (_, locked) in line.now.items():
                must(locked == 0, Claim.EVERYTHING_ENDS, f"{account} has {locked} {currency} locked for nothing")
        for order_id in floor.orders:
            self._compare_order(order_id)
        for market, side in floor.books:
            assert side in SIDES, side
            must(not floor.books[market, side].now, Claim.EVERYTHING_ENDS, f"an order rests in {market}")


def _trade_row(trade: Json, at: int) -> Json:
    return {
        "body": trade,
        "id": trade["trade_id"],
        "market": trade["market"],
        "at": at,
        "ticks": ticks(trade["price"]),
        "lots": trade["lots"]["lots"],
        "buyer": trade["buy"]["account"],
        "seller": trade["sell"]["account"],
        "buy_order": trade["buy"]["order_id"],
        "sell_order": trade["sell"]["order_id"],
    }


def _unlike(one: Json, other: Json) -> str:
    keys = [key for key in dict.fromkeys((*one, *other)) if one.get(key) != other.get(key)]
    return "; ".join(f"{key} is {one.get(key)} by the journal, and {other.get(key)} in the row" for key in keys)
