"""The checkers of the order books see what a journal must not say."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from countermand.kernel.journal import encode
from countermand.orders.book import journal as book_journal
from countermand.orders.book.model.exchange import ORDERS_PER_TURN
from countermand.orders.book.model.order import Kind
from countermand_simulator.book.checkers import Claim
from countermand_simulator.book.checkers.entries import Entries
from countermand_simulator.book.checkers.floor import Floor
from countermand_simulator.book.options import rules_of
from countermand_simulator.violation import Violation
from tests.orders.book.venue import ALICE, BOB, CAROL, MARKETS, Venue

Json = dict[str, Any]


class Day:
    """The journal of a day, to be doctored: entries of kind, instant, command and events, as JSON has them."""

    def __init__(self) -> None:
        venue = Venue()
        venue.sells(BOB, 5, 100)
        venue.sells(CAROL, 5, 100)
        stop = venue.buys(CAROL, 2, 90, Kind.STOP_LIMIT, stop=100)
        venue.buys(ALICE, 7, 101)
        venue.cancels(CAROL, 2)
        venue.cancels(CAROL, stop)
        venue.buys(ALICE, 4, None, Kind.MARKET)
        self.entries: list[Json] = [
            {
                "kind": book_journal.COMMANDS.name_of(entry.command),
                "at": int(entry.at),
                "command": _plain(entry.command),
                "events": [[book_journal.EVENTS.name_of(event), _plain(event)] for event in entry.events],
            }
            for entry in venue.journal
        ]

    def of(self, kind: str, number: int = 1) -> Json:
        """The entry of the n-th command of a kind."""
        return [entry for entry in self.entries if entry["kind"] == kind][number - 1]

    def event(self, kind: str, number: int = 1) -> Json:
        found = [event for entry in self.entries for name, event in entry["events"] if name == kind]
        event: Json = found[number - 1]
        return event

    def judge(self) -> None:
        floor = Floor([rules_of(market) for market in MARKETS])
        entries = Entries(floor, ORDERS_PER_TURN)
        for seq, entry in enumerate(self.entries, 1):
            floor.entry_begins(seq)
            entries.judge(entry["at"], entry["kind"], entry["command"], [(k, e) for k, e in entry["events"]])
            floor.entry_ends()


def _plain(thing: object) -> Any:
    return json.loads(encode(thing))


def test_a_sound_day_is_sound() -> None:
    day = Day()
    kinds = [entry["kind"] for entry in day.entries]
    assert kinds[9:] == [*["place_order"] * 4, "open_order", "cancel_order", "cancel_order", "place_order"]
    day.judge()


Doctor = Callable[[Day], object]


def swaps_the_makers(day: Day) -> None:
    first, second = day.event("traded", 1), day.event("traded", 2)
    first["sell"]["order_id"], second["sell"]["order_id"] = 2, 1
    first["sell"]["account"], second["sell"]["account"] = CAROL, BOB


def fills_after_the_cancel(day: Day) -> None:
    trade = json.loads(json.dumps(day.event("traded", 2)))
    trade["trade_id"] = 3
    day.of("cancel_order", 2)["events"] = [["traded", trade]]


def repeats(day: Day, kind: str) -> None:
    entry = day.of(kind)
    day.entries.insert(day.entries.index(entry) + 1, entry)


def triggers_again(day: Day) -> None:
    events = day.of("place_order", 4)["events"]
    events.append(next(each for each in events if each[0] == "stop_triggered"))


def rests_instead(day: Day) -> None:
    events = day.of("place_order", 4)["events"]
    events[2:] = [["order_rested", {"order_id": 4, "rank": 3}]]


def uses_a_nonce_again(day: Day) -> None:
    for each in (day.of("place_order", 3)["command"], day.event("order_placed", 3)):
        each["nonce"] = day.event("order_placed", 2)["nonce"]


def has_no_volume(day: Day) -> None:
    for each in (day.event("order_placed"), day.of("place_order")["command"]):
        each["terms"]["lots"]["lots"] = 0


def without(day: Day, kind: str) -> None:
    for entry in day.entries:
        entry["events"] = [each for each in entry["events"] if each[0] != kind]


DOCTORED: dict[str, tuple[Claim, Doctor]] = {
    "the maker that came later is served first": (Claim.PRICE_TIME_PRIORITY, swaps_the_makers),
    "a fill after a cancel": (Claim.NOTHING_AFTER_THE_END, fills_after_the_cancel),
    "a cancel twice": (Claim.NOTHING_AFTER_THE_END, lambda day: repeats(day, "cancel_order")),
    "a cancel that ends nothing": (Claim.CANCEL_IS_MEANT, lambda day: day.of("cancel_order").update(events=[])),
    "a cancel of another's order": (
        Claim.CANCEL_IS_MEANT,
        lambda day: day.of("cancel_order")["command"].update(account=BOB),
    ),
    "a cancel that ends another order": (
        Claim.CANCEL_IS_MEANT,
        lambda day: day.of("cancel_order")["command"].update(order_id=3),
    ),
    "a cancel for another reason": (
        Claim.REASON_IS_TRUE,
        lambda day: day.event("order_cancelled").update(reason="system"),
    ),
    "more is unlocked than was locked": (
        Claim.AMOUNTS_ARE_EXACT,
        lambda day: day.event("order_cancelled").update(unlocked={"quanta": 4 * 10**12}),
    ),
    "the taker's price": (
        Claim.TRADES_ARE_FAIR,
        lambda day: day.event("traded").update(price={"ticks": 101}),
    ),
    "half of what both could": (Claim.TRADES_ARE_FAIR, lambda day: day.event("traded").update(lots={"lots": 4})),
    "no fee": (Claim.AMOUNTS_ARE_EXACT, lambda day: day.event("traded")["buy"].update(fee={"quanta": 0})),
    "the maker pays the taker's rate": (
        Claim.AMOUNTS_ARE_EXACT,
        lambda day: day.event("traded")["sell"].update(rate={"millionths": 400}),
    ),
    "a better price for no maker": (
        Claim.AMOUNTS_ARE_EXACT,
        lambda day: day.event("traded")["buy"].update(unlocked={"quanta": 0}),
    ),
    "too little is locked": (
        Claim.AMOUNTS_ARE_EXACT,
        lambda day: day.event("order_placed").update(locked={"quanta": 1}),
    ),
    "a trade with oneself": (
        Claim.AMOUNTS_ARE_EXACT,
        lambda day: day.event("traded")["sell"].update(account=ALICE),
    ),
    "an order that is never opened": (Claim.STOPS_TRIGGER_ONCE, lambda day: without(day, "order_opened")),
    "a stop that nothing triggers": (Claim.STOPS_TRIGGER_ONCE, lambda day: without(day, "stop_triggered")),
    "a stop that triggers twice": (Claim.STOPS_TRIGGER_ONCE, triggers_again),
    "a stop that never enters": (
        Claim.STOPS_TRIGGER_ONCE,
        lambda day: day.entries.remove(day.of("open_order")),
    ),
    "a number is left out": (Claim.NUMBERS_HAVE_NO_GAPS, lambda day: day.event("traded").update(trade_id=2)),
    "a place in the queue is left out": (
        Claim.NUMBERS_HAVE_NO_GAPS,
        lambda day: day.event("order_rested", 2).update(rank=3),
    ),
    "a nonce is used twice": (Claim.NONCE_IS_ONE_ORDER, uses_a_nonce_again),
    "an order of no volume": (Claim.ACCEPTED_IS_SOUND, has_no_volume),
    "a book that is crossed": (Claim.BOOK_IS_NOT_CROSSED, rests_instead),
    "another credit than was asked for": (
        Claim.CONSERVED,
        lambda day: day.event("credited").update(amount={"quanta": 1}),
    ),
    "an order ends too early": (
        Claim.EXPIRY_IS_PUNCTUAL,
        lambda day: day.of("cancel_order").update(kind="expire_order"),
    ),
    "an order lives too long": (
        Claim.EXPIRY_IS_PUNCTUAL,
        lambda day: [entry.update(at=entry["at"] + 40 * 86_400_000) for entry in day.entries[-2:]],
    ),
}


@pytest.mark.parametrize("name", DOCTORED)
def test_a_journal_that_was_doctored_breaks_its_claim(name: str) -> None:
    claim, doctors = DOCTORED[name]
    day = Day()
    doctors(day)
    with pytest.raises(Violation) as found:
        day.judge()
    assert found.value.claim is claim, found.value
