"""An interpreter of the journal of recurring orders, written from what the events mean: events in, orders out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.fold import Json, left, more_taken, units_of, with_former
from countermand_simulator.violation import broken

_ENDED: Final = ("completed", "cancelled")
_PAUSE_MS: Final = 1_000
_PAUSE_MS_MAX: Final = 60_000
_WINDOW_S_MIN: Final = 30
_WINDOW_S_MAX: Final = 7_200
RESCHEDULED: Final = "rescheduled"


@dataclass(frozen=True, slots=True)
class Step:
    """An event, the order that it finds, and the price that its entry was judged by."""

    order: Json
    event: Json
    at: int
    price: int | None


def placed(order_id: str, event: Json, at: int) -> Json:
    """The order as its first event makes it."""
    plan = event["terms"]["plan"]
    if plan["begin_at"] is not None and plan["begin_at"] <= at:
        broken(Claim.ROUND_IN_TIME, f"order {order_id} is placed at {at}, to begin at {plan['begin_at']}")
    return {
        "id": order_id,
        "terms": event["terms"],
        "state": "depositing",
        "version": 1,
        "created_at": at,
        "updated_at": at,
        "next_fill_at": at if plan["begin_at"] is None else plan["begin_at"],
        "attempts": 1,
        "attempt": event["attempt"],
        "posted": {"units": 0},
        "voided": {"units": 0},
        "rounds_filled": 0,
        "received": {"units": 0},
        "last_fill_at": None,
        "began_at": None,
        "failures": 0,
        "retry_at": None,
        "close_rejections": 0,
        "sweep_due": False,
        "withdrawal": None,
    }


def after(order: Json, kind: str, event: Json, at: int, price: int | None) -> Json:
    """The order after the event. Breaks a claim if the event must not follow."""
    change = _CHANGES.get(kind)
    if change is None:
        broken(Claim.REPLAY_EQUALS_ROWS, f"order {order['id']}: {kind} cannot follow anything")
    return {**order, "version": order["version"] + 1, "updated_at": at, **change(Step(order, event, at, price))}


# --- what the plan says


def due_at(order: Json) -> int | None:
    """When its present round is to be tried; None if there is none."""
    if order["state"] != "active":
        return None
    due: int = order["next_fill_at"] if order["retry_at"] is None else order["retry_at"]
    return due


def round_amount(order: Json) -> int:
    rounds: int = order["terms"]["plan"]["rounds"]
    last = order["rounds_filled"] == rounds - 1
    return left(order) if last else units_of(order["terms"]["deposited"]) // rounds


def _window_end(order: Json) -> int:
    half: int = order["terms"]["plan"]["interval_s"] // 2
    began_at: int = order["began_at"]
    return began_at + min(_WINDOW_S_MAX, max(_WINDOW_S_MIN, half)) * 1_000


def _next_slot(order: Json, at: int) -> int:
    """The first whole interval after the round was due that is still to come."""
    interval, due = order["terms"]["plan"]["interval_s"] * 1_000, order["next_fill_at"]
    slot: int = due + interval
    while slot <= at:
        slot += (at - slot) // interval * interval or interval
    return slot


def _pause_end(order: Json, at: int) -> int:
    pause: int = min(_PAUSE_MS * 2 ** order["failures"], _PAUSE_MS_MAX)
    return at + pause


def _is_in_band(it: Step) -> bool:
    band = it.order["terms"]["plan"]["band"]
    if band is None:
        return True
    least, most = ((band[name] or {}).get("picodollars") for name in ("least", "most"))
    return it.price is not None and (least is None or least <= it.price) and (most is None or it.price <= most)


# --- what each event does


def _must_be(order: Json, kind: str, *states: str) -> None:
    if order["state"] not in states:
        broken(Claim.REPLAY_EQUALS_ROWS, f"order {order['id']} is {order['state']}: {kind} cannot follow")


def _fence(order: Json, what: str) -> None:
    if order["withdrawal"] is not None:
        broken(Claim.CANCEL_IS_A_FENCE, f"order {order['id']} was cancelled, and then {what}")


def _deposit_landed(it: Step) -> Json:
    _must_be(it.order, "deposit_landed", "depositing")
    return {"state": "active", "attempt": None}


def _deposit_failed(it: Step) -> Json:
    _must_be(it.order, "deposit_failed", "depositing")
    return {"state": "deposit_failed", "attempt": None}


def _round_began(it: Step) -> Json:
    order = it.order
    _fence(order, "a round began")
    if order["rounds_filled"] >= order["terms"]["plan"]["rounds"] or not left(order):
        broken(Claim.ROUND_ONCE, f"order {order['id']}: a round began after the last one")
    _must_be(order, "round_began", "active")
    due = due_at(order)
    if due is None or it.at < due:
        broken(Claim.ROUND_IN_TIME, f"order {order['id']}: a round began at {it.at}, and was due at {due}")
    if order["began_at"] is not None and it.at > _window_end(order):
        broken(Claim.ROUND_IN_TIME, f"order {order['id']}: a round is tried again after {_window_end(order)}")
    if not _is_in_band(it):
        broken(Claim.ROUND_IN_BAND, f"order {order['id']}: a round began at the price {it.price}")
    return {"state": "round_due", "retry_at": None, "began_at": order["began_at"] or it.at}


def _round_postponed(it: Step) -> Json:
    order, event = it.order, it.event
    _must_be(order, "round_postponed", "active", "round_due", "executing")
    if order["state"] == "active":
        _judge_untried(it)
    if event[RESCHEDULED]:
        if event["until"] != _next_slot(order, it.at):
            broken(Claim.ROUND_IN_TIME, f"order {order['id']}: its round goes on at {event['until']}, at {it.at}")
        changed = {"next_fill_at": event["until"], "began_at": None, "failures": 0, "retry_at": None}
    else:
        changed = {"failures": order["failures"] + 1, "retry_at": event["until"]}
    if order["state"] != "active":
        _judge_pause(it)
    rejections = order["close_rejections"] + event["close_rejected"]
    return {"state": "active", "attempt": None, "close_rejections": rejections, **changed}


def _judge_untried(it: Step) -> None:
    """A round may be left out for its price, or since the time for more tries is over."""
    order, due = it.order, due_at(it.order)
    if due is None or it.at < due:
        broken(Claim.ROUND_IN_TIME, f"order {order['id']}: a round was left out at {it.at}, and was due at {due}")
    is_over = order["began_at"] is not None and it.at > _window_end(order)
    if not it.event[RESCHEDULED] or not (is_over or not _is_in_band(it)):
        broken(Claim.ROUND_IN_BAND, f"order {order['id']}: a round was left out at the price {it.price}")


def _judge_pause(it: Step) -> None:
    """Another try, unless its pause ends after the window."""
    order, until = it.order, _pause_end(it.order, it.at)
    fits = until <= _window_end(order)
    if it.event[RESCHEDULED] == fits or (fits and it.event["until"] != until):
        broken(Claim.ROUND_IN_TIME, f"order {order['id']}: a try that failed at {it.at} goes on as {it.event}")


def _starts(order: Json, event: Json) -> Json:
    if order["attempt"] is not None:
        broken(Claim.ONE_ATTEMPT, f"order {order['id']}: attempt {order['attempt']['number']} is unresolved")
    if event["attempt"]["number"] != order["attempts"] + 1:
        broken(Claim.REPLAY_EQUALS_ROWS, f"order {order['id']}: an attempt has the wrong number")
    return {"attempt": event["attempt"], "attempts": order["attempts"] + 1}


def _fill_started(it: Step) -> Json:
    _fence(it.order, "a fill started")
    _must_be(it.order, "fill_started", "round_due")
    moves, due = units_of(it.event["attempt"]["craft"]["moves"]), round_amount(it.order)
    if moves != due:
        broken(Claim.ROUND_AMOUNT, f"order {it.order['id']}: a round is to swap {moves}, and not {due}")
    return {"state": "executing", **_starts(it.order, it.event)}


def _fill_landed(it: Step) -> Json:
    order, event = it.order, it.event
    _fence(order, "a fill landed")
    _must_be(order, "fill_landed", "executing")
    used, returned, due = units_of(event["used"]), units_of(event["returned"]), round_amount(order)
    if used + returned > left(order):
        broken(Claim.EXCLUSIVE, f"order {order['id']}: more was taken than there was")
    if used != due or returned:
        broken(Claim.ROUND_AMOUNT, f"order {order['id']}: a round swapped {used} and returned {returned}, not {due}")
    filled, rounds = order["rounds_filled"] + 1, order["terms"]["plan"]["rounds"]
    changed = {**order, "posted": {"units": units_of(order["posted"]) + used}}
    if filled > rounds or (filled == rounds) != (not left(changed)):
        broken(Claim.ROUND_ONCE, f"order {order['id']}: after {filled} of {rounds} rounds {left(changed)} are left")
    return {
        "state": "active" if left(changed) else "completed",
        "attempt": None,
        "posted": changed["posted"],
        "rounds_filled": filled,
        "received": {"units": units_of(order["received"]) + units_of(event["received"])},
        "last_fill_at": it.at,
        "next_fill_at": it.at + order["terms"]["plan"]["interval_s"] * 1_000,
        "began_at": None,
        "failures": 0,
        "sweep_due": not left(changed) and not event["closed"],
    }


def _cancel_requested(it: Step) -> Json:
    _must_be(it.order, "cancel_requested", "active", "round_due", "withdrawing")
    known = it.order["withdrawal"]
    if known is None:
        withdrawal = {"request_id": it.event["request_id"], "craft": it.event["craft"], "former": [], "signature": None}
    else:
        if known["request_id"] != it.event["request_id"]:
            broken(Claim.ANSWERS_ARE_EQUAL, f"order {it.order['id']}: one cancellation has two request ids")
        withdrawal = {**known, "craft": it.event["craft"], "former": with_former(known, known["craft"])}
    return {"state": "withdrawing", "retry_at": None, "withdrawal": withdrawal}


def _withdrawal_started(it: Step) -> Json:
    _must_be(it.order, "withdrawal_started", "withdrawing")
    return _starts(it.order, it.event)


def _withdrawal_landed(it: Step) -> Json:
    _must_be(it.order, "withdrawal_landed", "withdrawing")
    voided = more_taken(it.order, "voided", it.event["withdrawn"])
    if left({**it.order, "voided": voided}):
        broken(Claim.CONSERVED, f"order {it.order['id']}: its withdrawal forgot a part")
    return {
        "state": "cancelled",
        "attempt": None,
        "voided": voided,
        "withdrawal": {**it.order["withdrawal"], "craft": None, "signature": it.event["signature"]},
        "failures": 0,
        "sweep_due": not it.event["closed"],
    }


def _withdrawal_failed(it: Step) -> Json:
    _must_be(it.order, "withdrawal_failed", "withdrawing")
    rejection, known = it.event["rejection"], it.order["withdrawal"]
    former = with_former(known, it.order["attempt"]["craft"], dead=rejection is None, rejection=rejection)
    return {
        "attempt": None,
        "close_rejections": it.order["close_rejections"] + it.event["close_rejected"],
        "withdrawal": {**known, "craft": None, "former": former},
    }


def _pause_ended(it: Step) -> Json:
    _must_be(it.order, "pause_ended", *_ENDED)
    return {"retry_at": None}


def _sweep_started(it: Step) -> Json:
    _must_be(it.order, "sweep_started", *_ENDED)
    return _starts(it.order, it.event)


def _sweep_failed(it: Step) -> Json:
    _must_be(it.order, "sweep_failed", *_ENDED)
    return {"attempt": None, "retry_at": it.event["retry_at"], "failures": it.order["failures"] + 1}


def _sweep_done(it: Step) -> Json:
    _must_be(it.order, "sweep_done", *_ENDED)
    return {"attempt": None, "retry_at": None, "sweep_due": False}


_CHANGES: Final[Mapping[str, Callable[[Step], Json]]] = {
    "deposit_landed": _deposit_landed,
    "deposit_failed": _deposit_failed,
    "round_began": _round_began,
    "round_postponed": _round_postponed,
    "fill_started": _fill_started,
    "fill_landed": _fill_landed,
    "cancel_requested": _cancel_requested,
    "withdrawal_started": _withdrawal_started,
    "withdrawal_landed": _withdrawal_landed,
    "withdrawal_failed": _withdrawal_failed,
    "pause_ended": _pause_ended,
    "sweep_started": _sweep_started,
    "sweep_failed": _sweep_failed,
    "sweep_done": _sweep_done,
}
