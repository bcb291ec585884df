"""Names for what can happen to a recurring order."""

from typing import Final

from countermand_simulator.checkers.fold import Json

_BY_KIND: Final = {
    "order_placed": "a recurring order is placed",
    "deposit_landed": "the deposit of a recurring order lands",
    "pause_ended": "a sweep of a recurring order is tried again",
    "sweep_started": "a sweep of a recurring order starts",
    "sweep_done": "the account of a recurring order is swept",
    "withdrawal_landed": "the rest of a recurring order is withdrawn",
}


def situation(before: Json | None, kind: str, event: Json, _together: tuple[str, ...]) -> str:
    """What it is when this event follows in that order."""
    if before is None or kind in _BY_KIND:
        return _BY_KIND[kind]
    match kind:
        case "round_began":
            return _begun(before)
        case "round_postponed":
            return _postponed(before, event)
        case "fill_landed":
            return _filled(before)
        case "cancel_requested":
            return _cancelled(before, event)
        case "deposit_failed":
            return f"the deposit of a recurring order is {_fate(event['error'])}"
        case "withdrawal_failed":
            closed = " with its close" if event["close_rejected"] else ""
            return f"the withdrawal of a recurring order is {_fate(event['rejection'])}{closed}"
        case _:
            return f"rounds: {kind}"


def _fate(error: str | None) -> str:
    return "dead" if error is None else "rejected"


def _begun(before: Json) -> str:
    if before["retry_at"] is not None:
        return "a round is tried again"
    if before["terms"]["plan"]["begin_at"] is not None and not before["rounds_filled"]:
        return "the first round begins when it was asked to"
    return "a round of a price band begins" if before["terms"]["plan"]["band"] is not None else "a round begins"


def _postponed(before: Json, event: Json) -> str:
    if before["state"] == "active":
        over = before["began_at"] is not None and before["retry_at"] is not None
        return "a round's window ends while it waits" if over else "a round is left out for its price"
    if event["rescheduled"]:
        return "a round is given up for the next interval"
    if event["signature"] is None:
        return "a round's swap is not worth a transaction"
    return "a round's swap is rejected with its close" if event["close_rejected"] else "a round's swap fails"


def _filled(before: Json) -> str:
    rounds = before["terms"]["plan"]["rounds"]
    if before["rounds_filled"] < rounds - 1:
        return "a round is filled"
    uneven = before["terms"]["deposited"]["units"] % rounds
    return "the last round takes what does not divide" if uneven else "the last round is filled"


def _cancelled(before: Json, event: Json) -> str:
    if before["state"] == "withdrawing":
        return "a cancel of rounds is repeated"
    if before["state"] == "round_due":
        return "a cancel overtakes a round"
    if event["craft"] is None:
        return "a cancel of rounds without a withdrawal"
    return "a cancel between two rounds" if before["rounds_filled"] else "a cancel before the first round"
