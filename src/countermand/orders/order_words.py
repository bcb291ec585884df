"""Why an event happened to an order, in words, where its name alone does not say it."""

from countermand.orders.book.model import commands as book_commands
from countermand.orders.book.model import events as book
from countermand.orders.book.model.order import BookOrder, CancelReason, Kind
from countermand.orders.trigger.model import events as trigger
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import OrderGroup
from countermand.values.quantities import USD_SCALE, UsdPrice, decimal_text

NOT_IN_TIME = "the transaction did not land in time"


def dollars(price: UsdPrice) -> str:
    return decimal_text(price.picodollars, USD_SCALE)


def condition_words(condition: Condition) -> str:
    return f"{'≥' if condition.direction is Direction.ABOVE else '≤'} {dollars(condition.price)}"


# --- trigger orders


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


# --- orders of the books


def book_reason(order: BookOrder, event: book.OrderEvent, command: book_commands.Command) -> str | None:
    match event:
        case book.BookOrderCancelled(reason=reason):
            return _cancel_words(order, reason, command)
        case book.BookOrderReduced():
            return "self-trade prevention took off a part of its volume"
        case book.StopTriggered():
            return "a trade was at its stop price or beyond"
    return None


def _cancel_words(order: BookOrder, reason: CancelReason, command: book_commands.Command) -> str:
    match reason:
        case CancelReason.USER:
            return "its owner asked for it"
        case CancelReason.SLIPPAGE:
            return "a match would have been too far from the price at its placement"
        case CancelReason.FAILED:
            return "a match failed"
    match command:
        case book_commands.CancelByOperator():
            return "an operator asked for it"
        case book_commands.ExpireBookOrder():
            return "it reached the greatest age that its market allows"
    if order.terms.kind is Kind.LIMIT_MAKER and not order.executed:
        return "it is post-only, and would have matched at once"
    if order.terms.kind is Kind.MARKET:
        return "nothing was left that its rest could match"
    return "self-trade prevention"
