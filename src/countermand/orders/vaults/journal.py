"""What the journal's bodies hold of orders in vaults.

JSON: `{"rules", "price", "command", "events": [[order id, kind, event], …]}`. `price` is the one that the command was
judged by.
"""

from typing import Final, Generic, TypeVar

import msgspec

from countermand.kernel.journal import Kinds, encode
from countermand.kernel.ports import JournalRow
from countermand.values.identity import OrderId
from countermand.values.instant import Moment
from countermand.values.quantities import UsdPrice

Command = TypeVar("Command")
Event = TypeVar("Event")


class _Body(msgspec.Struct):
    rules: int
    price: UsdPrice | None
    command: msgspec.Raw
    events: list[tuple[OrderId, str, msgspec.Raw]]


_BODY: Final = msgspec.json.Decoder(_Body)


class VaultEntry(msgspec.Struct, Generic[Command, Event], frozen=True):
    """A journal row, read back."""

    seq: int
    moment: Moment
    rules: int
    command: Command
    events: tuple[tuple[OrderId, Event], ...]


class JournalBodies(Generic[Command, Event]):
    """`rules` grows when `decide` chooses otherwise for the same command: deciding again is compared within one."""

    def __init__(self, rules: int, commands: Kinds[Command], events: Kinds[Event]) -> None:
        self.rules = rules
        self.commands = commands
        self.events = events

    def body_of(self, command: Command, price: UsdPrice | None, made: tuple[tuple[OrderId, Event], ...]) -> bytes:
        named = [(order_id, self.events.name_of(event), event) for order_id, event in made]
        return encode({"rules": self.rules, "price": price, "command": command, "events": named})

    def read(self, row: JournalRow) -> VaultEntry[Command, Event]:
        body = _BODY.decode(row.body)
        command = msgspec.json.decode(body.command, type=self.commands.type_of(row.kind))
        made = [
            (order_id, msgspec.json.decode(event, type=self.events.type_of(kind)))
            for order_id, kind, event in body.events
        ]
        return VaultEntry(row.seq, Moment(row.at, body.price), body.rules, command, tuple(made))
