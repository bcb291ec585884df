"""What is claimed of recurring orders, besides what is claimed of any family."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from countermand_simulator.checkers import round_fold
from countermand_simulator.checkers.buffer import Buffer
from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.family import Database, FamilyCheckers
from countermand_simulator.checkers.fold import Json, left, units_of
from countermand_simulator.checkers.ledger import Ledger
from countermand_simulator.checkers.round_situations import situation
from countermand_simulator.violation import broken

_GRACE_MS: Final = 3_000
"""A writer looks at what is due every tenth of a second."""
_POSTPONED: Final = "fill False"
_POSTPONED_SHOWN: Final = 20
_LINES: Final = {
    "deposit_landed": ("deposit True",),
    "deposit_failed": ("deposit False",),
    "fill_landed": ("fill True",),
    "round_postponed": (_POSTPONED,),
    "withdrawal_landed": ("cancelled True", "withdrawal True"),
}
"""What an owner is shown of an event."""


class RoundCheckers(FamilyCheckers):
    ended = ("completed", "cancelled", "deposit_failed")

    def __init__(
        self, database: Database, ledger: Ledger, decimals: Mapping[str, int], saw: Callable[[str], None]
    ) -> None:
        """`decimals` are those of each mint."""
        super().__init__(database, ledger, saw)
        self._buffer = Buffer(decimals)
        self._price: int | None = None
        """That by which the present entry was judged."""
        self._fills: dict[str, list[str]] = {}
        """By order: the messages of its fills."""
        self._waiting: dict[str, int] = {}
        """When the present round of each order can be tried, of those that have one."""
        self._epoch = 0
        self._busy_since: int | None = None
        """When the present writer wrote first; None: it has written nothing."""
        self._jumped_at = 0

    def priced(self, mint: str, price: int) -> None:
        """From now on swaps are made at this price."""
        self._buffer.priced(mint, price)

    def jumped(self, at: int) -> None:
        """It is so late at once: the clock was moved, or a writer was frozen and wakes up."""
        self._jumped_at = at

    def waits_until(self, order_id: str) -> int | None:
        """When the present round of an order can be tried; None if it has none."""
        return self._waiting.get(order_id)

    # --- the journal

    def _caught_up(self) -> None:
        self._buffer.read()
        if self._database.epoch() != self._epoch:
            self._epoch, self._busy_since = self._database.epoch(), None

    def _judge_entry(self, body: Json, at: int) -> None:
        self._price = None if body["price"] is None else body["price"]["picodollars"]
        order = self.orders.get(body["command"].get("order_id", ""))
        if self._price is not None and order is not None:
            self._is_judged_by(order["terms"]["plan"]["band"]["mint"], self._price)
        if self._busy_since is None:
            self._busy_since = at
        self._none_is_forgotten(at, max(self._busy_since, self._jumped_at))

    def _none_is_forgotten(self, at: int, since: int) -> None:
        """Who writes has tried all that has been due for a while."""
        for order_id, due in self._waiting.items():
            if max(due, since) + _GRACE_MS < at:
                broken(Claim.ROUND_IS_TRIED, f"order {order_id}: a round was due at {due}, and is not tried at {at}")

    def all_are_tried(self, since: int, at: int) -> None:
        """There is no fault since then, and one writer."""
        self.follow()
        self._none_is_forgotten(at, since)

    def _situation(self, before: Json | None, kind: str, event: Json, together: tuple[str, ...]) -> str:
        return situation(before, kind, event, together)

    def _begun(self, order_id: str, event: Json, at: int) -> Json:
        return round_fold.placed(order_id, event, at)

    def _after(self, before: Json, kind: str, event: Json, at: int) -> Json:
        order = round_fold.after(before, kind, event, at, self._price)
        if kind == "fill_started":
            self._fills.setdefault(order["id"], []).append(event["attempt"]["craft"]["message"])
        if order["attempt"] is None:
            self._are_all_told(order)
        self._ledger.judge(before, kind, event)
        self._buffer.judge_round(before, kind, event)
        due = round_fold.due_at(order)
        if due is None:
            self._waiting.pop(order["id"], None)
        else:
            self._waiting[order["id"]] = max(due, at)
        return order

    def _are_all_told(self, order: Json) -> None:
        """No swap landed that the journal does not count as a round."""
        landed = sum(self._ledger.has_landed(message) for message in self._fills.get(order["id"], ()))
        if landed != order["rounds_filled"]:
            broken(Claim.ROUND_ONCE, f"order {order['id']}: {order['rounds_filled']} rounds, and {landed} swaps landed")

    def _lines_of(self, kind: str, _event: Json) -> Sequence[str]:
        return _LINES.get(kind, ())

    def _lines_due(self, lines: Sequence[str]) -> list[str]:
        """Of the failed tries only the newest are shown."""
        shown, postponed = [], 0
        for line in lines:
            postponed += line == _POSTPONED
            if line != _POSTPONED or postponed <= _POSTPONED_SHOWN:
                shown.append(line)
        return shown

    # --- the end

    def at_rest(self) -> None:
        super().at_rest()
        for order in self.orders.values():
            self._are_all_told(order)
        self._adds_up()

    def _adds_up(self) -> None:
        """Per mint: deposited = filled + withdrawn + remaining, by what the chain shows of the orders' accounts."""
        counts = {name: Counter[str]() for name in ("deposited", "posted", "voided")}
        remaining = Counter[str]()
        for order in self.orders.values():
            if order["state"] == "deposit_failed":
                continue
            mint = order["terms"]["input_mint"]
            counts["deposited"][mint] += units_of(order["terms"]["deposited"])
            counts["posted"][mint] += units_of(order["posted"])
            counts["voided"][mint] += units_of(order["voided"])
            remaining[mint] += self._ledger.amounts.get(order["terms"]["input_account"], 0)
            if left(order):
                broken(Claim.CONSERVED, f"order {order['id']} is {order['state']}, and {left(order)} are left of it")
        for mint, deposited in counts["deposited"].items():
            filled, withdrawn = counts["posted"][mint], counts["voided"][mint]
            if deposited != filled + withdrawn + remaining[mint]:
                broken(Claim.CONSERVED, f"{mint}: {deposited} is not {filled} + {withdrawn} + {remaining[mint]}")
