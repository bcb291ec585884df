"""What the journal holds of a venue with order books. JSON: `{"rules", "command", "events": [[kind, event], …]}`."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from countermand.domain.book.commands import Command
from countermand.domain.book.decide import Decision
from countermand.domain.book.events import Event
from countermand.domain.instant import Instant
from countermand.engine.journal import encode, kinds_of
from countermand.engine.ports import JournalRow

RULES_VERSION: Final = 1
"""Grows when `decide` chooses otherwise for the same command: deciding again is compared only within one version."""

_KINDS: Final[dict[str, type[Any]]] = kinds_of(Command, Event)


class _Body(msgspec.Struct):
    rules: int
    command: msgspec.Raw
    events: list[tuple[str, msgspec.Raw]]


_BODY: Final = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal row, read back."""

    seq: int
    at: Instant
    rules: int
    command: Command
    happened: Decision


def body_of(command: Command, happened: Decision) -> bytes:
    events = [(type(event).__name__, event) for event in happened]
    return encode({"rules": RULES_VERSION, "command": command, "events": events})


def read(row: JournalRow) -> Entry:
    body = _BODY.decode(row.body)
    command = msgspec.json.decode(body.command, type=_KINDS[row.kind])
    events = tuple(msgspec.json.decode(event, type=_KINDS[kind]) for kind, event in body.events)
    return Entry(row.seq, row.at, body.rules, command, events)
