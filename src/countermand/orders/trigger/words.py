"""Why an event happened to a trigger order, in words, where its name alone does not say it."""

from typing import Final

from countermand.orders.trigger.model import events as trigger
from countermand.orders.trigger.model.commands import AmendOrder, Command, RequestCancel
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.vaults.words import asked_by_operator, vault_reason
from countermand.values.quantities import dollars

_SOON_MS: Final = 3_600_000
"""A parent that is done so soon before the order expires leaves its children little time."""


def condition_words(condition: Condition) -> str:
    return f"{'≥' if condition.direction is Direction.ABOVE else '≤'} {dollars(condition.price)}"


def trigger_reason(group: OrderGroup, event: trigger.Event, command: Command) -> str | None:
    """`group`: the order after the event."""
    reason = _reason(group, event)
    asked = isinstance(event, trigger.CancelRequested | trigger.OrderAmended)
    if asked and isinstance(command, RequestCancel | AmendOrder) and command.by_operator:
        return asked_by_operator(reason)
    return reason


def _reason(group: OrderGroup, event: trigger.Event) -> str | None:
    match event:
        case trigger.OrderTriggered(leg=leg, price=price):
            return f"the price is {dollars(price)}, it triggers at {condition_words(group.legs[leg].condition)}"
        case trigger.FillFailed(reason=reason):
            return reason
        case (
            trigger.DepositFailed()
            | trigger.WithdrawalFailed()
            | trigger.SweepFailed()
            | trigger.CancelRequested(craft=None)
        ):
            return vault_reason(event)
        case trigger.OrderResumed():
            return _resumed(group)
        case trigger.OrderExpired():
            return f"it was good until {group.expires_at}"
    return None


def _resumed(group: OrderGroup) -> str:
    bought_at = group.progress.bought_at
    if not group.parent_is_done or bought_at is None:
        return "a part was filled, the rest goes on"
    unprotected = "the parent is done, the children are open; what it bought first was unprotected for {} ms"
    told, left_ms = unprotected.format(group.updated_at - bought_at), group.expires_at - group.updated_at
    return f"{told}; the order expires in {left_ms // 60_000} minutes" if left_ms < _SOON_MS else told
