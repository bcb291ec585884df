"""The names of commands and events of trigger orders in the journal. Its bodies: see `orders.vaults.journal`."""

from typing import Final, get_args

from countermand.kernel.journal import Kinds
from countermand.orders.trigger.model import commands, events
from countermand.orders.trigger.model.commands import Command
from countermand.orders.trigger.model.events import Event
from countermand.orders.vaults.journal import JournalBodies

RULES_VERSION: Final = 4
"""Grows when `decide` chooses otherwise for the same command: deciding again is compared only within one version."""

COMMANDS: Final = Kinds[Command](
    {
        "place_order": commands.PlaceOrder,
        "amend_order": commands.AmendOrder,
        "request_cancel": commands.RequestCancel,
        "confirm_cancel": commands.ConfirmCancel,
        "trigger_orders": commands.TriggerOrders,
        "move_watermarks": commands.MoveWatermarks,
        "expire_order": commands.ExpireOrder,
        "end_pause": commands.EndPause,
        "resume_order": commands.ResumeOrder,
        "start_fill": commands.StartFill,
        "abandon_fill": commands.AbandonFill,
        "start_sweep": commands.StartSweep,
        "resolve_attempt": commands.ResolveAttempt,
    }
)
EVENTS: Final = Kinds[Event](
    {
        "order_placed": events.OrderPlaced,
        "deposit_landed": events.DepositLanded,
        "deposit_failed": events.DepositFailed,
        "order_amended": events.OrderAmended,
        "order_triggered": events.OrderTriggered,
        "order_expired": events.OrderExpired,
        "fill_started": events.FillStarted,
        "fill_landed": events.FillLanded,
        "order_resumed": events.OrderResumed,
        "fill_failed": events.FillFailed,
        "pause_ended": events.PauseEnded,
        "cancel_requested": events.CancelRequested,
        "withdrawal_started": events.WithdrawalStarted,
        "withdrawal_landed": events.WithdrawalLanded,
        "withdrawal_failed": events.WithdrawalFailed,
        "sweep_started": events.SweepStarted,
        "sweep_failed": events.SweepFailed,
        "sweep_done": events.SweepDone,
        "watermark_moved": events.WatermarkMoved,
    }
)
assert len(COMMANDS.names()) == len(get_args(Command)), "a command has no name"
assert len(EVENTS.names()) == len(get_args(Event)), "an event has no name"


BODIES: Final = JournalBodies(RULES_VERSION, COMMANDS, EVENTS)
