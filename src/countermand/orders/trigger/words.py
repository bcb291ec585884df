"""Why an event happened to a trigger order, in words, where its name alone does not say it."""

from typing import Final

from countermand.orders.trigger.model import events as trigger
from countermand.orders.trigger.model.commands import AmendOrder, Command, RequestCancel
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import OrderGroup
from countermand.values.quantities import dollars

_SOON_MS: Final = 3_600_000
"""A parent that is done so soon before the order expires leaves its children little time."""
NOT_IN_TIME: Final = "the transaction did not land in time"


def condition_words(condition: Condition) -> str:
    return f"{'≥' if condition.direction is Direction.ABOVE else '≤'} {dollars(condition.price)}"


BY_OPERATOR: Final = "the operator asked for it"


def trigger_reason(group: OrderGroup, event: trigger.Event, command: Command) -> str | None:
    """`group`: the order after the event."""
    reason = _reason(group, event)
    asked = isinstance(event, trigger.CancelRequested | trigger.OrderAmended)
    if asked and isinstance(command, RequestCancel | AmendOrder) and command.by_operator:
        return BY_OPERATOR if reason is None else f"{BY_OPERATOR}; {reason}"
    return reason


def _reason(group: OrderGroup, event: trigger.Event) -> str | None:
    match event:
        case trigger.OrderTriggered(leg=leg, price=price):
            return f"the price is {dollars(price)}, it triggers at {condition_words(group.legs[leg].condition)}"
        case trigger.DepositFailed(error=error):
            return error or NOT_IN_TIME
        case trigger.FillFailed(reason=reason):
            return reason
        case trigger.WithdrawalFailed(rejection=rejection):
            return rejection or "the transaction did not land while it could"
        case trigger.SweepFailed():
            return "the order's token account could not be closed yet"
        case trigger.OrderResumed():
            return _resumed(group)
        case trigger.OrderExpired():
            return f"it was good until {group.expires_at}"
        case trigger.CancelRequested(craft=None):
            return "the withdrawal could not be built; a repeated cancel builds it"
    return None


def _resumed(group: OrderGroup) -> str:
    bought_at = group.progress.bought_at
    if not group.parent_is_done or bought_at is None:
        return "a part was filled, the rest goes on"
    unprotected = "the parent is done, the children are open; what it bought first was unprotected for {} ms"
    told, left_ms = unprotected.format(group.updated_at - bought_at), group.expires_at - group.updated_at
    return f"{told}; the order expires in {left_ms // 60_000} minutes" if left_ms < _SOON_MS else told
