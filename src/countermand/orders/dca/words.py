"""Why an event happened to a recurring order, in words, where its name alone does not say it."""

from typing import Final

from countermand.orders.dca.model import events as dca
from countermand.orders.dca.model.commands import Command, RequestCancel

NOT_IN_TIME: Final = "the transaction did not land in time"
BY_OPERATOR: Final = "the operator asked for it"


def dca_reason(event: dca.Event, command: Command) -> str | None:
    reason = _reason(event)
    if isinstance(event, dca.CancelRequested) and isinstance(command, RequestCancel) and command.by_operator:
        return BY_OPERATOR if reason is None else f"{BY_OPERATOR}; {reason}"
    return reason


def _reason(event: dca.Event) -> str | None:
    match event:
        case dca.DepositFailed(error=error):
            return error or NOT_IN_TIME
        case dca.RoundPostponed(reason=reason):
            return reason
        case dca.WithdrawalFailed(rejection=rejection):
            return rejection or "the transaction did not land while it could"
        case dca.SweepFailed():
            return "the order's token account could not be closed yet"
        case dca.CancelRequested(craft=None):
            return "the withdrawal could not be built; a repeated cancel builds it"
    return None
