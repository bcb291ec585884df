"""The names of commands and events of recurring orders in the journal. Its bodies: see `orders.vaults.journal`."""

from typing import Final, get_args

from countermand.kernel.journal import Kinds
from countermand.orders.dca.model import commands, events
from countermand.orders.dca.model.commands import Command
from countermand.orders.dca.model.events import Event
from countermand.orders.vaults.journal import JournalBodies

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


BODIES: Final = JournalBodies(RULES_VERSION, COMMANDS, EVENTS)
