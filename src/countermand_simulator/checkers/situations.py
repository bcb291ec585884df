"""Names for what can happen to an order: a workload that never brings some of it about does not test it."""

from typing import Final

from countermand_simulator.checkers.fold import Json, is_in_children, sellable

_BY_KIND: Final = {
    "order_placed": "an order is placed",
    "deposit_landed": "a deposit lands",
    "order_resumed": "the rest of an order goes on",
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
    match kind:
        case "fill_landed":
            return _fill(before, event)
        case "cancel_requested":
            return _cancel(before, event)
        case "order_expired":
            return _expiry(before, together)
        case "order_triggered":
            return _trigger(event, together)
        case _:
            return kind


def _fill(before: Json, event: Json) -> str:
    if event["returned"]["units"]:
        return "a fill lands and gives a rest back"
    if event["used"]["units"] < sellable(before):
        return "a part is filled"
    if is_in_children(before):
        return "a child fills"
    return "a parent is done" if before["terms"]["family"] == "otoco" else "a fill lands"


def _cancel(before: Json, event: Json) -> str:
    state = before["state"]
    if state == "triggered":
        return "a cancel beats a crossing"
    if state == "withdrawing":
        return "a cancel is repeated"
    if event["craft"] is None:
        return "a cancel without a withdrawal"
    if is_in_children(before):
        return "a cancel after the parent"
    return "a cancel after a part was filled" if before["posted"]["units"] else f"a cancel while {state}"


def _expiry(before: Json, together: tuple[str, ...]) -> str:
    if "deposit_landed" in together:
        return "an order expired while its deposit was under way"
    if "fill_failed" in together:
        return "an order expired while its fill was under way"
    if "order_resumed" in together:
        return "an order expired while a part was being filled"
    return f"an order expires while {before['state']}"


def _trigger(event: Json, together: tuple[str, ...]) -> str:
    if "deposit_landed" in together:
        return "a deposit lands with the trigger through the market"
    if "order_amended" in together:
        return "an update puts the trigger through the market"
    if "pause_ended" in together:
        return "the end of a pause triggers"
    if "order_resumed" in together:
        return "the rest of an order triggers"
    return "the second leg triggers" if event["leg"] else "a price crosses"


def _failure(kind: str, event: Json) -> str:
    what = {"deposit_failed": "a deposit", "fill_failed": "a fill", "withdrawal_failed": "a withdrawal"}[kind]
    if kind == "fill_failed" and event["signature"] is None and "than its minimum" in event["reason"]:
        return "a swap would give less than the minimum"
    if kind == "fill_failed" and event["signature"] is None:
        return "a swap is not worth a transaction"
    if event.get("close_rejected") or event.get("output_close_rejected"):
        return f"{what} is rejected with its close"
    if kind == "fill_failed":
        return "a fill is dead"
    return f"{what} is dead" if event.get("rejection", event.get("error")) is None else f"{what} is rejected"
