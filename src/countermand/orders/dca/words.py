"""Why an event happened to a recurring order, in words, where its name alone does not say it."""

from countermand.orders.dca.model import events as dca

NOT_IN_TIME = "the transaction did not land in time"


def dca_reason(event: dca.Event) -> str | None:
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
