"""Why an event happened to a trigger order, in words, where its name alone does not say it."""

from typing import Final

from countermand.orders.trigger.model import events as trigger
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import OrderGroup
from countermand.values.quantities import dollars

NOT_IN_TIME: Final = "the transaction did not land in time"


def condition_words(condition: Condition) -> str:
    return f"{'≥' if condition.direction is Direction.ABOVE else '≤'} {dollars(condition.price)}"


def trigger_reason(group: OrderGroup, event: trigger.Event) -> str | None:
    """`group`: the order after the event."""
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
        case trigger.OrderExpired():
            return f"it was good until {group.expires_at}"
        case trigger.CancelRequested(craft=None):
            return "the withdrawal could not be built; a repeated cancel builds it"
    return None
