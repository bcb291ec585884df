"""What the journal's bodies hold of recurring orders.

JSON: `{"rules", "price", "command", "events": [[order id, kind, event], …]}`. `price` is the one that the command was
judged by.
"""

from dataclasses import dataclass
from typing import Final, get_args

import msgspec

from countermand.kernel.journal import Kinds, encode
from countermand.kernel.ports import JournalRow
from countermand.orders.dca.model import commands, events
from countermand.orders.dca.model.commands import Command
from countermand.orders.dca.model.events import Event
from countermand.orders.dca.model.live_orders import OrderEvent
from countermand.values.identity import OrderId
from countermand.values.instant import Moment
from countermand.values.quantities import UsdPrice

RULES_VERSION: Final = 1
"""Grows when `decide` chooses otherwise for the same command: deciding again is compared only within one version."""

COMMANDS: Final = Kinds[Command](
    {
        "place_order": commands.PlaceOrder,
        "request_cancel": commands.RequestCancel,
        "confirm_cancel": commands.ConfirmCancel,
        "begin_round": commands.BeginRound,
        "start_fill": commands.StartFill,
        "abandon_fill": commands.AbandonFill,
        "end_pause": commands.EndPause,
        "start_sweep": commands.StartSweep,
        "resolve_attempt": commands.ResolveAttempt,
    }
)
EVENTS: Final = Kinds[Event](
    {
        "order_placed": events.OrderPlaced,
        "deposit_landed": events.DepositLanded,
        "deposit_failed": events.DepositFailed,
        "round_began": events.RoundBegan,
        "round_postponed": events.RoundPostponed,
        "fill_started": events.FillStarted,
        "fill_landed": events.FillLanded,
        "cancel_requested": events.CancelRequested,
        "withdrawal_started": events.WithdrawalStarted,
        "withdrawal_landed": events.WithdrawalLanded,
        "withdrawal_failed": events.WithdrawalFailed,
        "sweep_started": events.SweepStarted,
        "sweep_failed": events.SweepFailed,
        "pause_ended": events.PauseEnded,
        "sweep_done": events.SweepDone,
    }
)
assert len(COMMANDS.names()) == len(get_args(Command)), "a command has no name"
assert len(EVENTS.names()) == len(get_args(Event)), "an event has no name"


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
    events: tuple[OrderEvent, ...]


def body_of(command: Command, price: UsdPrice | None, made: tuple[OrderEvent, ...]) -> bytes:
    return encode(
        {
            "rules": RULES_VERSION,
            "price": price,
            "command": command,
            "events": [(order_id, EVENTS.name_of(event), event) for order_id, event in made],
        }
    )


def read(row: JournalRow) -> Entry:
    body = _BODY.decode(row.body)
    command = msgspec.json.decode(body.command, type=COMMANDS.type_of(row.kind))
    made = [(order_id, msgspec.json.decode(event, type=EVENTS.type_of(kind))) for order_id, kind, event in body.events]
    return Entry(row.seq, Moment(row.at, body.price), body.rules, command, tuple(made))
