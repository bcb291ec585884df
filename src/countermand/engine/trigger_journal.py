"""What the journal's bodies hold of trigger orders.

JSON: `{"rules", "price", "command", "events": [[order id, kind, event], …]}`. `price` is the one that the command was
judged by.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from countermand.domain.identity import OrderId
from countermand.domain.instant import Moment
from countermand.domain.quantities import UsdPrice
from countermand.domain.trigger.commands import Command
from countermand.domain.trigger.desk import Happened
from countermand.domain.trigger.events import Event
from countermand.engine.journal import encode, kinds_of
from countermand.engine.ports import JournalRow

RULES_VERSION: Final = 2
"""Grows when `decide` chooses otherwise for the same command: deciding again is compared only within one version."""

_KINDS: Final[dict[str, type[Any]]] = kinds_of(Command, Event)


class _Body(msgspec.Struct):
    rules: int
    price: UsdPrice | None
    command: msgspec.Raw
    events: list[tuple[OrderId, str, msgspec.Raw]]


_BODY: Final = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal row, read back."""

    seq: int
    moment: Moment
    rules: int
    command: Command
    happened: Happened


def body_of(command: Command, price: UsdPrice | None, happened: Happened) -> bytes:
    return encode(
        {
            "rules": RULES_VERSION,
            "price": price,
            "command": command,
            "events": [(order_id, type(event).__name__, event) for order_id, event in happened],
        }
    )


def read(row: JournalRow) -> Entry:
    body = _BODY.decode(row.body)
    command = msgspec.json.decode(body.command, type=_KINDS[row.kind])
    events = [(order_id, msgspec.json.decode(event, type=_KINDS[kind])) for order_id, kind, event in body.events]
    return Entry(row.seq, Moment(row.at, body.price), body.rules, command, tuple(events))
