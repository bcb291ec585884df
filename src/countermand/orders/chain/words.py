"""Why an event happened to an order on the chain, in words, where its name alone does not say it."""

from countermand.orders.chain.model import events as chain


def chain_reason(event: chain.Event) -> str | None:
    match event:
        case chain.LimitFilled(making=given, taking=received) | chain.CycleFilled(used=given, received=received):
            return f"it gave {given} units for {received}"
        case chain.LimitCancelled(dust=True):
            return "too little was left for any fill"
        case chain.RecurringClosed(by_owner=by_owner):
            return "its owner closed it" if by_owner else "nothing was left to sell"
        case chain.FillFailed(keeper=keeper):
            return f"a fill by {keeper} failed, and nothing of it happened"
    return None
