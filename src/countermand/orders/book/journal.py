"""The bodies of the journal of the order books. JSON: `{"rules", "command", "events": [[kind, event], …]}`."""

from typing import Final, get_args

import msgspec

from countermand.kernel.journal import Kinds, encode
from countermand.kernel.ports import JournalRow
from countermand.orders.book.model import commands, events
from countermand.orders.book.model.commands import Command
from countermand.orders.book.model.decide import Decision
from countermand.orders.book.model.events import Event
from countermand.values.instant import Instant

RULES_VERSION: Final = 3
"""Grows when `decide` chooses otherwise for the same command: deciding again is compared only within one version."""

COMMANDS: Final = Kinds[Command](
    {
        "place_order": commands.PlaceBookOrder,
        "cancel_order": commands.CancelBookOrder,
        "cancel_orders": commands.CancelBookOrders,
        "cancel_by_operator": commands.CancelByOperator,
        "expire_order": commands.ExpireBookOrder,
        "trigger_stops": commands.TriggerStops,
        "open_order": commands.OpenBookOrder,
        "continue_order": commands.ContinueBookOrder,
        "credit": commands.Credit,
    }
)
EVENTS: Final = Kinds[Event](
    {
        "credited": events.Credited,
        "order_placed": events.BookOrderPlaced,
        "order_opened": events.BookOrderOpened,
        "order_rested": events.BookOrderRested,
        "traded": events.Traded,
        "order_reduced": events.BookOrderReduced,
        "order_cancelled": events.BookOrderCancelled,
        "stop_triggered": events.StopTriggered,
    }
)
assert len(COMMANDS.names()) == len(get_args(Command)), "a command has no name"
assert len(EVENTS.names()) == len(get_args(Event)), "an event has no name"


class _Body(msgspec.Struct):
    rules: int
    command: msgspec.Raw
    events: list[tuple[str, msgspec.Raw]]


_BODY: Final = msgspec.json.Decoder(_Body)


class BookEntry(msgspec.Struct, frozen=True):
    """A journal row, read back."""

    seq: int
    at: Instant
    rules: int
    command: Command
    events: Decision


def body_of(command: Command, made: Decision) -> bytes:
    named = [(EVENTS.name_of(event), event) for event in made]
    return encode({"rules": RULES_VERSION, "command": command, "events": named})


def read(row: JournalRow) -> BookEntry:
    body = _BODY.decode(row.body)
    command = msgspec.json.decode(body.command, type=COMMANDS.type_of(row.kind))
    made = tuple(msgspec.json.decode(event, type=EVENTS.type_of(kind)) for kind, event in body.events)
    return BookEntry(row.seq, row.at, body.rules, command, made)
