"""The journal: what was asked, by which price it was judged, and what happened; a chain of hashes holds it together.

An entry's body is JSON: `{"rules", "price", "command", "events": [[order id, kind, event], …]}`, where kinds are the
names of the domain's classes. Its hash is SHA-256 over the hash before it, the sequence number, the instant (8 bytes
each, big endian), the command's kind and the body. The chain starts from 32 zero bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from sys import intern
from typing import Any, Final, get_args

import msgspec

from countermand.domain.identity import OrderId
from countermand.domain.instant import Instant, Moment
from countermand.domain.quantities import NOTHING, UsdPrice
from countermand.domain.trigger.commands import Command
from countermand.domain.trigger.desk import Happened
from countermand.domain.trigger.events import Event
from countermand.domain.trigger.order import OrderGroup
from countermand.engine.ports import JournalRow

GENESIS: Final = bytes(32)
RULES_VERSION: Final = 2
"""Grows when `decide` chooses otherwise for the same command: deciding again is compared only within one version."""

_ENCODER: Final = msgspec.json.Encoder()
_KINDS: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in (*get_args(Command), *get_args(Event))}
_GROUP: Final = msgspec.json.Decoder(OrderGroup)
_SHARED_TEXTS: Final = ("wallet", "input_mint", "output_mint", "trigger_mint")

encode = _ENCODER.encode


def decode_group(body: bytes) -> OrderGroup:
    """What equal orders have in common is kept once, which spares a quarter of their memory."""
    group = _GROUP.decode(body)
    terms = group.terms
    # They are changed in place, since nobody else has seen them yet: copies would double the time of a load.
    for name in _SHARED_TEXTS:
        object.__setattr__(terms, name, intern(getattr(terms, name)))
    if group.remaining == terms.deposited:
        object.__setattr__(group, "remaining", terms.deposited)
    if group.received == NOTHING:
        object.__setattr__(group, "received", NOTHING)
    return group


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


def entry_hash(head: bytes, seq: int, at: Instant, kind: str, body: bytes) -> bytes:
    return sha256(head + seq.to_bytes(8, "big") + at.to_bytes(8, "big") + kind.encode() + body).digest()


def write(head: bytes, seq: int, moment: Moment, command: Command, happened: Happened) -> JournalRow:
    kind = type(command).__name__
    body = encode(
        {
            "rules": RULES_VERSION,
            "price": moment.price,
            "command": command,
            "events": [(order_id, type(event).__name__, event) for order_id, event in happened],
        }
    )
    return JournalRow(seq, moment.at, kind, body, entry_hash(head, seq, moment.at, kind, body))


def read(row: JournalRow) -> Entry:
    body = _BODY.decode(row.body)
    command = msgspec.json.decode(body.command, type=_KINDS[row.kind])
    events = [(order_id, msgspec.json.decode(event, type=_KINDS[kind])) for order_id, kind, event in body.events]
    return Entry(row.seq, Moment(row.at, body.price), body.rules, command, tuple(events))


def broken_link(rows: Sequence[JournalRow], head: bytes = GENESIS) -> int | None:
    """The sequence number of the first row whose hash does not follow from the one before it."""
    for row in rows:
        if row.hash != entry_hash(head, row.seq, row.at, row.kind, row.body):
            return row.seq
        head = row.hash
    return None
