"""Why an event happened to an order of the books, in words, where its name alone does not say it."""

from countermand.orders.book.model import commands as book_commands
from countermand.orders.book.model import events as book
from countermand.orders.book.model.order import BookOrder, CancelReason, Kind


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
            return "the operator asked for it"
        case book_commands.ExpireBookOrder():
            return "it reached the greatest age that its market allows"
    if order.terms.kind is Kind.LIMIT_MAKER and not order.executed:
        return "it is post-only, and would have matched at once"
    if order.terms.kind is Kind.MARKET:
        return "no other member's order was left that its rest could match and pay"
    return "self-trade prevention"
