"""Names for what can happen to an order: a workload that never brings some of it about does not test it."""

from typing import Final

from countermand_simulator.checkers.fold import Json

_BY_KIND: Final = {
    "order_placed": "an order is placed",
    "deposit_landed": "a deposit lands",
    "fill_landed": "a fill lands",
    "withdrawal_landed": "a withdrawal lands",
    "pause_ended": "a pause after a failed fill ends",
    "sweep_started": "a sweep starts",
    "sweep_failed": "a sweep fails",
    "sweep_done": "a sweep closes an account",
}


def situation(before: Json | None, kind: str, event: Json, together: tuple[str, ...]) -> str:
    """What it is when this event follows in that order. `together`: all kinds of the same journal row."""
    if kind in ("deposit_failed", "fill_failed", "withdrawal_failed"):
        return _failure(kind, event)
    if before is None or kind in _BY_KIND:
        return _BY_KIND[kind]
    state = before["state"]
    match kind, state:
        case "cancel_requested", "ready_execute":
            return "a cancel beats a crossing"
        case "cancel_requested", "ready_to_cancel":
            return "a cancel is repeated"
        case "cancel_requested", _ if event["craft"] is None:
            return "a cancel without a withdrawal"
        case "cancel_requested", _:
            return f"a cancel while {state}"
        case "order_expired", _ if "deposit_landed" in together:
            return "an order expired while its deposit was under way"
        case "order_expired", _ if "fill_failed" in together:
            return "an order expired while its fill was under way"
        case "order_expired", _:
            return f"an order expires while {state}"
        case "order_triggered", _ if "deposit_landed" in together:
            return "a deposit lands with the trigger through the market"
        case "order_triggered", _ if "order_amended" in together:
            return "an update puts the trigger through the market"
        case "order_triggered", _ if "pause_ended" in together:
            return "the end of a pause triggers"
        case "order_triggered", _:
            return "a price crosses"
        case _:
            return kind


def _failure(kind: str, event: Json) -> str:
    what = {"deposit_failed": "a deposit", "fill_failed": "a fill", "withdrawal_failed": "a withdrawal"}[kind]
    if kind == "fill_failed" and event["signature"] is None and "than its minimum" in event["reason"]:
        return "a swap would give less than the minimum"
    if kind == "fill_failed" and event["signature"] is None:
        return "a swap is not worth a transaction"
    if event.get("close_rejected"):
        return f"{what} is rejected with its close"
    if kind == "fill_failed":
        return "a fill is dead"
    return f"{what} is dead" if event.get("rejection", event.get("error")) is None else f"{what} is rejected"
