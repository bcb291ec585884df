"""What is claimed of any family of orders: each new journal row, each send, each answer, each load is judged."""

import base64
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar, Final, Protocol

import msgspec
from solders.pubkey import Pubkey

from countermand_simulator.chained import hash_after
from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.fold import Json
from countermand_simulator.checkers.fold import shown as stored_as
from countermand_simulator.checkers.ledger import Ledger
from countermand_simulator.violation import broken

_GENESIS: Final = bytes(32)
_SHOWN: Final = 120


class JournalRow(Protocol):
    @property
    def at(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def hash(self) -> bytes: ...


class BucketRow(Protocol):
    @property
    def bucket(self) -> int: ...


class OrderRow(BucketRow, Protocol):
    @property
    def body(self) -> bytes: ...


class Database(Protocol):
    """The committed rows of the shard."""

    def epoch(self) -> int:
        """The number of the newest one."""

    def seq(self) -> int: ...

    def journal_row(self, seq: int) -> JournalRow | None: ...

    def event(self, seq: int, n: int) -> tuple[str, str] | None:
        """Of the event log: the order, and the kind."""

    def order_row(self, order_id: str) -> OrderRow | None: ...

    def live_orders(self) -> Sequence[str]: ...

    def craft_row(self, request_id: str) -> BucketRow | None: ...

    def prices_stored(self, mint: str) -> Sequence[int]:
        """All that ever were, the newest last."""

    def vault_row(self, wallet: str) -> BucketRow | None: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, when it came. `key` names what a repetition of it repeats."""

    kind: str
    wallet: str
    order_id: str | None
    key: str
    seq: int
    """What was committed then: all that was acknowledged before is in it."""


class FamilyCheckers(ABC):
    ended: ClassVar[tuple[str, ...]]
    """The states in which an order's life is over."""

    def __init__(self, database: Database, ledger: Ledger, saw: Callable[[str], None]) -> None:
        """`saw` is told of each situation that an order gets into."""
        self._saw = saw
        self._database = database
        self._ledger = ledger
        self._seq = 0
        self._head = _GENESIS
        self._at = 0
        self.orders: dict[str, Json] = {}
        """As the journal says they are."""
        self._shown: dict[str, list[tuple[int, str]]] = {}
        """What the owner of each order is to be shown, the newest last, with the order's version that it came with."""
        self._told: list[tuple[int, int, str, str]] = []
        """All events: the entry, the number, the order, and the kind."""
        self._past: dict[str, tuple[list[int], list[Json]]] = {}
        """Each order as it was after which sequence number."""
        self.attempts: dict[str, tuple[str, int]] = {}
        """All committed attempts by message: the order, and the last valid height."""
        self._answers: dict[tuple[str, str], Any] = {}
        self._judged_by: dict[str, int] = {}
        """By mint: which of its prices an entry was judged by last."""

    # --- what a family adds

    @abstractmethod
    def _caught_up(self) -> None:
        """All of the journal that there is was judged."""

    @abstractmethod
    def _judge_entry(self, body: Json, at: int) -> None:
        """An entry, before its events."""

    @abstractmethod
    def _situation(self, before: Json | None, kind: str, event: Json, together: tuple[str, ...]) -> str:
        """What it is when this event follows in that order. `together`: all kinds of the same entry."""

    @abstractmethod
    def _begun(self, order_id: str, event: Json, at: int) -> Json:
        """The order as its first event makes it."""

    @abstractmethod
    def _after(self, before: Json, kind: str, event: Json, at: int) -> Json:
        """The order after the event, which is judged."""

    @abstractmethod
    def _lines_of(self, kind: str, event: Json) -> Sequence[str]:
        """What the event adds to what the owner is shown: the kind of each line, and whether it succeeded."""

    @abstractmethod
    def _lines_due(self, lines: Sequence[str]) -> list[str]:
        """Of the lines of a history, the newest first, those that are shown."""

    def _is_of_no_order(self, _kind: str, _event: Json) -> bool:
        """The event is about many orders at once, and was judged."""
        return False

    def _views(self, order: Json, _seq: int) -> Iterator[Json]:
        """All that an order may look like since the sequence number, while no event changes it."""
        yield order

    # --- the journal

    def follow(self) -> None:
        """Judges what was committed since it was asked last."""
        self._ledger.follow()
        stands = self._database.seq()
        if stands == self._seq:
            self._caught_up()
            return
        touched: dict[str, None] = {}
        while self._seq < stands:
            row = self._database.journal_row(self._seq + 1)
            if row is None:
                broken(Claim.JOURNAL_INTACT, f"row {self._seq + 1} of {stands} is missing")
            self._link(row)
            body = msgspec.json.decode(row.body)
            events = body["events"]
            self._judge_entry(body, row.at)
            self._tell([(order_id, kind) for order_id, kind, _ in events])
            for order_id, kind, event in events:
                if self._is_of_no_order(kind, event):
                    continue
                together = tuple(other for order, other, _ in events if order == order_id)
                self._saw(self._situation(self.orders.get(order_id), kind, event, together))
                self._happened(order_id, kind, event, row.at)
                touched[order_id] = None
        self._caught_up()
        for order_id in touched:
            self._compare_row(order_id)

    def _link(self, row: JournalRow) -> None:
        seq = self._seq + 1
        if row.hash != hash_after(self._head, seq, row.at, row.kind, row.body):
            broken(Claim.JOURNAL_INTACT, f"row {seq} does not follow from row {seq - 1}")
        if row.at < self._at:
            broken(Claim.JOURNAL_INTACT, f"row {seq} is of {row.at}, before {self._at}")
        self._seq, self._head, self._at = seq, row.hash, row.at

    def _tell(self, events: Sequence[tuple[str, str]]) -> None:
        for n, (order_id, kind) in enumerate(events):
            if self._database.event(self._seq, n) != (order_id, kind):
                broken(Claim.EVENTS_ARE_TOLD, f"event {n} of entry {self._seq} is not {kind} of order {order_id}")
            self._told.append((self._seq, n, order_id, kind))
        if self._database.event(self._seq, len(events)) is not None:
            broken(Claim.EVENTS_ARE_TOLD, f"entry {self._seq} has more than {len(events)} events")

    def _happened(self, order_id: str, kind: str, event: Json, at: int) -> None:
        before = self.orders.get(order_id)
        if before is None:
            if kind != "order_placed":
                broken(Claim.REPLAY_EQUALS_ROWS, f"{kind} of order {order_id}, which was never placed")
            order = self._begun(order_id, event, at)
            if int(order_id[-2:], 16) != _bucket(order["terms"]["wallet"]):
                self._saw("an order's id says another bucket than its row")
        else:
            order = self._after(before, kind, event, at)
        if "attempt" in event:
            self._attempted(order_id, event["attempt"])
        self.orders[order_id] = order
        lines = self._shown.setdefault(order_id, [])
        lines += [(order["version"], line) for line in self._lines_of(kind, event)]
        numbers, states = self._past.setdefault(order_id, ([], []))
        numbers.append(self._seq)
        states.append(order)
        if order["attempt"] is None:
            self._ledger.owns(order)

    def _attempted(self, order_id: str, attempt: Json) -> None:
        craft = attempt["craft"]
        if craft["message"] in self.attempts:
            broken(Claim.ONE_ATTEMPT, f"order {order_id}: the same message is attempted twice")
        self.attempts[craft["message"]] = (order_id, craft["last_valid_height"])

    def _compare_row(self, order_id: str) -> None:
        row = self._database.order_row(order_id)
        stored = None if row is None else stored_as(msgspec.json.decode(row.body))
        if stored != self.orders[order_id]:
            broken(Claim.REPLAY_EQUALS_ROWS, _difference(order_id, self.orders[order_id], stored))
        self._is_in_its_bucket(f"order {order_id}", row, self.orders[order_id]["terms"]["wallet"])

    def _is_in_its_bucket(self, what: str, row: BucketRow | None, wallet: str) -> None:
        if row is not None and row.bucket != _bucket(wallet):
            broken(Claim.OWNED_BY_ITS_ROW, f"{what} is in bucket {row.bucket}, and {wallet} in {_bucket(wallet)}")

    # --- memory

    def remembers(self, bodies: Mapping[str, bytes], *, all_of_them: bool) -> None:
        """What a writer has in memory, right after its commit; `all_of_them`: right after its load."""
        self.follow()
        if all_of_them:
            missing = [order_id for order_id in self._database.live_orders() if order_id not in bodies]
            if missing:
                broken(Claim.REPLAY_EQUALS_MEMORY, f"the load missed {', '.join(missing)}")
        for order_id, body in bodies.items():
            row = self._database.order_row(order_id)
            if row is None or row.body != body:
                stored = None if row is None else msgspec.json.decode(row.body)
                broken(Claim.REPLAY_EQUALS_MEMORY, _difference(order_id, msgspec.json.decode(body), stored))

    # --- the chain

    def sent(self, message: bytes) -> None:
        """A process hands a transaction with our signatures to the chain."""
        self.follow()
        text = base64.b64encode(message).decode()
        known = self.attempts.get(text)
        if known is None:
            broken(Claim.SENT_IS_COMMITTED, f"{brief(message)} was never committed")
        self._ledger.sent(known[0], text, known[1])

    # --- answers

    def asked(self, kind: str, wallet: str, order_id: str | None, key: str) -> Asked:
        self.follow()
        return Asked(kind, wallet, order_id, key, self._seq)

    def answered(self, asked: Asked, answer: Json) -> None:
        """`answer` is what left the server, whether a client received it or not."""
        self.follow()
        kind = answer["kind"]
        if kind == "placed":
            self._must_be_committed(answer, self._deposit_landed(answer))
            self._must_equal(asked, "placed", (answer["order"], answer["signature"]))
        elif kind == "cancelling":
            withdrawal = self._now(answer).get("withdrawal") or {}
            self._must_be_committed(answer, withdrawal.get("request_id") == answer["request"])
            self._must_be_committed(answer, self._newest_message(asked, answer))
            self._must_equal(asked, "cancelling", answer["request"])
        elif kind == "withdrawn":
            withdrawal = self._now(answer).get("withdrawal") or {}
            landed = self._now(answer)["state"] == "cancelled" and withdrawal["signature"] == answer["signature"]
            self._must_be_committed(answer, landed)
            self._must_equal(asked, "withdrawn", answer["signature"])
        elif kind == "refused":
            self._refused(asked, answer)
        elif kind == "crafted":
            craft = self._database.craft_row(answer["request"])
            self._must_be_committed(answer, craft is not None)
            self._is_in_its_bucket(f"deposit {answer['request']}", craft, asked.wallet)
        elif kind == "elsewhere":  # All wallets of this world are in buckets of the one shard that runs.
            broken(
                Claim.OWNED_BY_ITS_ROW, f"{asked.kind} of order {asked.order_id} was sent to shard {answer['owner']}"
            )
        elif kind == "order":
            self._read(asked, asked.order_id or "", answer["body"], answer["shown"])
        elif kind == "events":
            self._read_events(answer)
        elif kind == "page":
            self._read_page(asked, answer["orders"])

    def _now(self, answer: Json) -> Json:
        return self.orders.get(answer["order"], {})

    def _deposit_landed(self, answer: Json) -> bool:
        order = self._now(answer)
        return order.get("state") not in (None, "depositing", "deposit_failed")

    def _newest_message(self, asked: Asked, answer: Json) -> bool:
        """What is offered to be signed was the newest at some time while the request was under way."""
        if answer["message"] is None:
            return True
        for order in self._since(answer["order"], asked.seq):
            craft = (order["attempt"] or {}).get("craft") or (order["withdrawal"] or {}).get("craft")
            if craft is not None and craft["message"] == answer["message"]:
                return True
        return False

    def _refused(self, asked: Asked, answer: Json) -> None:
        if answer["refusal"] == "ORDER_UNKNOWN" and asked.order_id is not None:
            known = bool(self._since(asked.order_id, asked.seq)) and self._known_at(asked.order_id, asked.seq)
            if known:
                broken(Claim.READS_ARE_CURRENT, f"order {asked.order_id} is called unknown")
        if answer["refusal"] == "DEPOSIT_FAILED_BEFORE" and asked.order_id is not None:
            state = self.orders.get(asked.order_id, {}).get("state")
            self._must_be_committed({**answer, "order": asked.order_id}, state == "deposit_failed")
        if answer["state"] is not None and asked.order_id is not None:
            seen = [order["state"] for order in self._since(asked.order_id, asked.seq)]
            self._must_be_committed({**answer, "order": asked.order_id}, answer["state"] in seen)

    def _must_be_committed(self, answer: Json, holds: bool) -> None:
        if not holds:
            order = self.orders.get(answer.get("order", ""), {})
            state = {key: order.get(key) for key in ("state", "version", "withdrawal")}
            told = {key: brief(value) for key, value in answer.items() if key not in ("message", "transaction")}
            broken(Claim.ANSWER_IS_COMMITTED, f"{told}, but what is committed is {brief(state)}")

    def _must_equal(self, asked: Asked, kind: str, told: Any) -> None:
        before = self._answers.setdefault((kind, asked.key), told)
        if before != told:
            broken(Claim.ANSWERS_ARE_EQUAL, f"{asked} was answered with {before}, and now with {told}")

    # --- reads

    def _known_at(self, order_id: str, seq: int) -> bool:
        numbers, _ = self._past.get(order_id, ([], []))
        return bool(numbers) and numbers[0] <= seq

    def _since(self, order_id: str, seq: int) -> Sequence[Json]:
        """The order as it was at the sequence number and at all that follow."""
        numbers, states = self._past.get(order_id, ([], []))
        return states[max(0, bisect_right(numbers, seq) - 1) :]

    def _read(self, asked: Asked, order_id: str, body: Json | None, shown: Sequence[str]) -> None:
        if body is None:
            if self._known_at(order_id, asked.seq):
                broken(Claim.READS_ARE_CURRENT, f"order {order_id} was not found")
            return
        seen = stored_as(body)
        known = self._since(order_id, asked.seq)
        if not any(seen == each for order in known for each in self._views(order, asked.seq)):
            broken(Claim.READS_ARE_CURRENT, _difference(order_id, self.orders.get(order_id), seen))
        due = self._lines_due(
            [line for version, line in self._shown.get(order_id, []) if version <= body["version"]][::-1]
        )
        if list(shown) != due:
            broken(Claim.READS_ARE_CURRENT, f"the history of order {order_id} is {shown}, not {due}")

    def _read_page(self, asked: Asked, orders: Sequence[tuple[Json, Sequence[str]]]) -> None:
        for body, happenings in orders:
            self._read(asked, body["id"], body, happenings)
        shown = [body["id"] for body, _ in orders]
        for order_id, order in self.orders.items():
            mine = order["terms"]["wallet"] == asked.wallet and self._known_at(order_id, asked.seq)
            if mine and order_id not in shown:
                broken(Claim.READS_ARE_CURRENT, f"order {order_id} is not in its owner's history")

    def _read_events(self, answer: Json) -> None:
        first, last = answer["from"], answer["to"]
        if last[0] > self._seq:
            broken(Claim.EVENTS_ARE_TOLD, f"it is read up to {last}, but {self._seq} is committed")
        due = [told for told in self._told if first < told[:2] <= last]
        if answer["events"] != due:
            broken(Claim.EVENTS_ARE_TOLD, f"from {first} to {last}: {brief(answer['events'])}, not {brief(due)}")

    # --- prices

    def _is_judged_by(self, mint: str, price: int) -> None:
        """The prices of a mint are first in, first out: once a newer one has judged orders, no older one does."""
        stored = self._database.prices_stored(mint)
        last = self._judged_by.get(mint, 0)
        for number in range(last, len(stored)):
            if stored[number] == price:
                self._judged_by[mint] = number
                return
        broken(Claim.TRIGGER_IS_TRUE, f"orders are judged by {price} for {mint}, after {stored[last]}, which is newer")

    # --- the end

    def has_ended(self, order_id: str) -> bool:
        """It was placed, its life is over, and nothing more is owed to it."""
        order = self.orders.get(order_id)
        return (
            order is not None and order["state"] in self.ended and order["attempt"] is None and not order["sweep_due"]
        )

    def at_rest(self) -> None:
        """No fault is left, and time was given: every order has ended, and everything has its owner."""
        self.follow()
        for order_id, order in self.orders.items():
            if order["state"] not in self.ended:
                broken(Claim.EVERYTHING_ENDS, f"order {order_id} is {order['state']}")
            if order["attempt"] is not None or order["sweep_due"]:
                broken(Claim.EVERYTHING_ENDS, f"order {order_id} is {order['state']}, but something is under way")
            if any(order["terms"].get(name) in self._ledger.amounts for name in ("input_account", "output_account")):
                broken(Claim.EVERYTHING_ENDS, f"order {order_id} is {order['state']}, but its account is open")
            self._ledger.owns(order)
            self._compare_row(order_id)


def _difference(order_id: str, one: Json | None, other: Json | None) -> str:
    if one is None or other is None:
        return f"order {order_id}: {brief(one)} is not {brief(other)}"
    keys = [key for key in dict.fromkeys((*one, *other)) if one.get(key) != other.get(key)]
    unlike = (f"{key} is {brief(one.get(key))}, not {brief(other.get(key))}" for key in keys)
    return f"order {order_id}: " + "; ".join(unlike)


def _bucket(wallet: str) -> int:
    return sha256(bytes(Pubkey.from_string(wallet))).digest()[0]


def brief(thing: object) -> str:
    text = str(thing)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
