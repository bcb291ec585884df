"""Names for what can happen to an order: a workload that never brings some of it about does not test it."""

from typing import Final

from countermand.simulation.checkers.fold import Json

_BY_KIND: Final = {
    "OrderPlaced": "an order is placed",
    "DepositLanded": "a deposit lands",
    "FillLanded": "a fill lands",
    "WithdrawalLanded": "a withdrawal lands",
    "PauseEnded": "a pause after a failed fill ends",
    "SweepStarted": "a sweep starts",
    "SweepFailed": "a sweep fails",
    "SweepDone": "a sweep closes an account",
}


def situation(before: Json | None, kind: str, event: Json, together: tuple[str, ...]) -> str:
    """What it is when this event follows in that order. `together`: all kinds of the same journal row."""
    if kind in ("DepositFailed", "FillFailed", "WithdrawalFailed"):
        return _failure(kind, event)
    if before is None or kind in _BY_KIND:
        return _BY_KIND[kind]
    state = before["state"]
    match kind, state:
        case "CancelRequested", "ready_execute":
            return "a cancel beats a crossing"
        case "CancelRequested", "ready_to_cancel":
            return "a cancel is repeated"
        case "CancelRequested", _ if event["craft"] is None:
            return "a cancel without a withdrawal"
        case "CancelRequested", _:
            return f"a cancel while {state}"
        case "OrderExpired", _ if "DepositLanded" in together:
            return "an order expired while its deposit was under way"
        case "OrderExpired", _ if "FillFailed" in together:
            return "an order expired while its fill was under way"
        case "OrderExpired", _:
            return f"an order expires while {state}"
        case "OrderTriggered", _ if "DepositLanded" in together:
            return "a deposit lands with the trigger through the market"
        case "OrderTriggered", _ if "OrderAmended" in together:
            return "an update puts the trigger through the market"
        case "OrderTriggered", _ if "PauseEnded" in together:
            return "the end of a pause triggers"
        case "OrderTriggered", _:
            return "a price crosses"
        case _:
            return kind


def _failure(kind: str, event: Json) -> str:
    what = {"DepositFailed": "a deposit", "FillFailed": "a fill", "WithdrawalFailed": "a withdrawal"}[kind]
    if kind == "FillFailed" and event["signature"] is None and "than its minimum" in event["reason"]:
        return "a swap would give less than the minimum"
    if kind == "FillFailed" and event["signature"] is None:
        return "a swap is not worth a transaction"
    if event.get("close_rejected"):
        return f"{what} is rejected with its close"
    if kind == "FillFailed":
        return "a fill is dead"
    return f"{what} is dead" if event.get("rejection", event.get("error")) is None else f"{what} is rejected"
