"""What is claimed of trigger orders, besides what is claimed of any family."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from countermand_simulator.checkers import fold
from countermand_simulator.checkers.buffer import Buffer
from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.family import Asked, Database, FamilyCheckers
from countermand_simulator.checkers.fold import Json
from countermand_simulator.checkers.ledger import Ledger
from countermand_simulator.checkers.situations import situation
from countermand_simulator.checkers.trails import Trails
from countermand_simulator.violation import broken

_FAILED_FILL: Final = "fill False"
_FAILED_FILLS_SHOWN: Final = 5
_SHOWN_OF: Final = {
    "deposit_landed": ("deposit True",),
    "deposit_failed": ("deposit False",),
    "fill_landed": ("fill True",),
    "fill_failed": (_FAILED_FILL,),
    "order_expired": ("expired True",),
    "withdrawal_landed": ("cancelled True", "withdrawal True"),
}
"""What an owner is shown of an event: its kind, and whether it succeeded."""


def _shown_of(kind: str, event: Json) -> Sequence[str]:
    lines = _SHOWN_OF.get(kind, ())
    if kind == "fill_landed" and event["returned"]["units"]:
        return (*lines, "withdrawal True")
    if kind == "withdrawal_landed" and event["withdrawn"]["units"] and event["output_withdrawn"]["units"]:
        return (*lines, "withdrawal True")  # One for each mint that moved.
    return lines


class Checkers(FamilyCheckers):
    ended = ("filled", "cancelled", "deposit_failed")

    def __init__(
        self, database: Database, ledger: Ledger, decimals: Mapping[str, int], saw: Callable[[str], None]
    ) -> None:
        """`decimals` are those of each mint."""
        super().__init__(database, ledger, saw)
        self._buffer = Buffer(decimals)
        self._trails = Trails()

    def priced(self, mint: str, price: int) -> None:
        """From now on swaps are made at this price."""
        self._buffer.priced(mint, price)

    # --- the journal

    def _caught_up(self) -> None:
        self._buffer.read()

    def _judge_entry(self, body: Json, _at: int) -> None:
        command = body["command"]
        order = self.orders.get(command.get("order_id", ""), {"terms": command})
        mint: str | None = command.get("mint") or order["terms"].get("trigger_mint")
        if mint is not None and body["price"] is not None:
            self._is_judged_by(mint, body["price"]["picodollars"])

    def _is_of_no_order(self, kind: str, event: Json) -> bool:
        if kind != "watermark_moved":
            return False
        self._saw("a watermark moves")
        self._trails.moved(self._seq, event, self.orders)
        return True

    def _situation(self, before: Json | None, kind: str, event: Json, together: tuple[str, ...]) -> str:
        return situation(before, kind, event, together)

    def _begun(self, order_id: str, event: Json, at: int) -> Json:
        return self._trails.placed(fold.placed(order_id, event, at))

    def _after(self, before: Json, kind: str, event: Json, at: int) -> Json:
        before = self._trails.now(before)
        order = fold.after(before, kind, event, at)
        self._ledger.judge(before, kind, event)
        self._buffer.judge(before, kind, event)
        return order

    def _views(self, order: Json, seq: int) -> Iterator[Json]:
        return self._trails.since(order, seq)

    def _lines_of(self, kind: str, event: Json) -> Sequence[str]:
        return _shown_of(kind, event)

    def _lines_due(self, lines: Sequence[str]) -> list[str]:
        return _due(lines)

    # --- answers

    def answered(self, asked: Asked, answer: Json) -> None:
        super().answered(asked, answer)
        kind = answer["kind"]
        if kind == "amended":
            self._must_be_committed(answer, self._now(answer).get("version", 0) >= answer["version"])
        elif kind in ("registered", "known"):
            vault = self._database.vault_row(asked.wallet)
            self._must_be_committed(answer, vault is not None)
            self._is_in_its_bucket("a vault", vault, asked.wallet)
        elif kind == "priced":
            self._left_open(asked, answer)

    def _left_open(self, asked: Asked, answer: Json) -> None:
        """A price is acknowledged: nothing that it crosses and that was open when it came is open still."""
        for order_id, order in self.orders.items():
            rests = order["state"] == "open" and order["terms"]["trigger_mint"] == answer["mint"]
            if not rests or self._past[order_id][0][-1] > asked.seq:
                continue
            if order["retry_at"] is not None and not answer["at_once"]:
                continue
            if asked.seq >= self._past[order_id][0][-1]:
                self._trails.must_follow(order, answer["price"])
            # A price that came after this one may have moved its trigger past it.
            then = self._trails.as_of(order, asked.seq)
            for leg in (then["legs"][number] for number in fold.armed(then)):
                wanted, price = leg["condition"]["price"]["picodollars"], answer["price"]
                crossed = price >= wanted if leg["condition"]["direction"] == "above" else price <= wanted
                if crossed and answer["at"] < order["expires_at"]:
                    broken(Claim.TRIGGER_IS_TRUE, f"{price} crosses order {order_id}, which is still open")


def _due(lines: Sequence[str]) -> list[str]:
    """Of the lines of a history, the newest first, those that are shown: of failed fills only the newest few."""
    shown, failed = [], 0
    for line in lines:
        failed += line == _FAILED_FILL
        if line != _FAILED_FILL or failed <= _FAILED_FILLS_SHOWN:
            shown.append(line)
    return shown
