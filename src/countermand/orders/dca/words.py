"""Why an event happened to a recurring order, in words, where its name alone does not say it."""

from countermand.orders.dca.model import events as dca
from countermand.orders.dca.model.commands import Command, RequestCancel
from countermand.orders.vaults.words import asked_by_operator, vault_reason


def dca_reason(event: dca.Event, command: Command) -> str | None:
    reason = _reason(event)
    if isinstance(event, dca.CancelRequested) and isinstance(command, RequestCancel) and command.by_operator:
        return asked_by_operator(reason)
    return reason


def _reason(event: dca.Event) -> str | None:
    match event:
        case dca.RoundPostponed(reason=reason):
            return reason
        case dca.DepositFailed() | dca.WithdrawalFailed() | dca.SweepFailed() | dca.CancelRequested(craft=None):
            return vault_reason(event)
    return None
