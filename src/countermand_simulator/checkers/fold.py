"""An interpreter of the journal, written from what the events mean: events in, orders out, both as decoded JSON."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from countermand_simulator.checkers.claim import Claim
from countermand_simulator.violation import broken

Json = dict[str, Any]

_FORMER_MAX: Final = 64
_ENDED: Final = ("filled", "cancelled")


@dataclass(frozen=True, slots=True)
class Step:
    """An event, and the order that it finds."""

    order: Json
    event: Json
    at: int


def placed(order_id: str, event: Json, at: int) -> Json:
    """The order as its first event makes it."""
    return {
        "id": order_id,
        "terms": event["terms"],
        "legs": event["legs"],
        "expires_at": event["expires_at"],
        "state": "depositing",
        "version": 1,
        "created_at": at,
        "updated_at": at,
        "attempts": 1,
        "attempt": event["attempt"],
        "triggered_leg": None,
        "triggered_at": None,
        "posted": {"units": 0},
        "voided": {"units": 0},
        "received": {"units": 0},
        "proceeds": None,
        "bought_at": None,
        "failed_fills": 0,
        "retry_at": None,
        "close_rejections": 0,
        "output_close_rejections": 0,
        "sweep_due": False,
        "withdrawal": None,
        "original": None,
    }


def shown(body: Json) -> Json:
    """An order as it is stored or answered, in the form that it has here: its progress beside the rest."""
    return {**{name: value for name, value in body.items() if name != "progress"}, **body["progress"]}


def after(order: Json, kind: str, event: Json, at: int) -> Json:
    """The order after the event. Breaks a claim if the event must not follow."""
    change = _CHANGES.get(kind)
    if change is None:
        broken(Claim.REPLAY_EQUALS_ROWS, f"order {order['id']}: {kind} cannot follow anything")
    return {**order, "version": order["version"] + 1, "updated_at": at, **change(Step(order, event, at))}


def units_of(amount: Json) -> int:
    units: int = amount["units"]
    return units


def _must_be(order: Json, kind: str, *states: str) -> None:
    if order["state"] not in states:
        broken(Claim.REPLAY_EQUALS_ROWS, f"order {order['id']} is {order['state']}: {kind} cannot follow")


def _deposit_landed(it: Step) -> Json:
    _must_be(it.order, "deposit_landed", "depositing")
    return {"state": "open", "attempt": None}


def _deposit_failed(it: Step) -> Json:
    _must_be(it.order, "deposit_failed", "depositing")
    return {"state": "deposit_failed", "attempt": None}


def _amended(it: Step) -> Json:
    _must_be(it.order, "order_amended", "open")
    original = it.order["original"] or {"legs": it.order["legs"], "expires_at": it.order["expires_at"]}
    changed = {"legs": it.event["legs"], "expires_at": it.event["expires_at"], "original": original}
    return {**changed, "failed_fills": 0, "retry_at": None}


def _triggered(it: Step) -> Json:
    _fence(it.order, "it triggered", it.at)
    if it.order["withdrawal"] is not None:
        broken(Claim.CANCEL_IS_A_FENCE, f"order {it.order['id']} was cancelled, and then it triggered")
    _must_be(it.order, "order_triggered", "open")
    if it.event["leg"] not in armed(it.order):
        broken(Claim.TRIGGER_IS_TRUE, f"order {it.order['id']}: leg {it.event['leg']} triggered, but is not open")
    condition, price = it.order["legs"][it.event["leg"]]["condition"], it.event["price"]["picodollars"]
    wanted = condition["price"]["picodollars"]
    holds = price >= wanted if condition["direction"] == "above" else price <= wanted
    if not holds:
        broken(Claim.TRIGGER_IS_TRUE, f"order {it.order['id']} triggered at {price}, wants {condition}")
    return {"state": "triggered", "triggered_leg": it.event["leg"], "triggered_at": it.at, "retry_at": None}


def _expired(it: Step) -> Json:
    _must_be(it.order, "order_expired", "open", "triggered")
    if it.at < it.order["expires_at"]:
        broken(Claim.EXPIRY_IS_A_FENCE, f"order {it.order['id']} expired at {it.at}, before {it.order['expires_at']}")
    return {"state": "expired", "retry_at": None}


def _fence(order: Json, what: str, at: int) -> None:
    if order["withdrawal"] is not None:
        broken(Claim.CANCEL_IS_A_FENCE, f"order {order['id']} was cancelled, and then {what}")
    if at >= order["expires_at"] or order["state"] == "expired":
        broken(Claim.EXPIRY_IS_A_FENCE, f"order {order['id']} expires at {order['expires_at']}; at {at} {what}")


def _starts(order: Json, event: Json) -> Json:
    if order["attempt"] is not None:
        broken(Claim.ONE_ATTEMPT, f"order {order['id']}: attempt {order['attempt']['number']} is unresolved")
    if event["attempt"]["number"] != order["attempts"] + 1:
        broken(Claim.REPLAY_EQUALS_ROWS, f"order {order['id']}: an attempt has the wrong number")
    return {"attempt": event["attempt"], "attempts": order["attempts"] + 1}


def _fill_started(it: Step) -> Json:
    _fence(it.order, "a fill started", it.at)
    _must_be(it.order, "fill_started", "triggered")
    return {"state": "executing", **_starts(it.order, it.event)}


def _fill_landed(it: Step) -> Json:
    if it.order["withdrawal"] is not None:
        broken(Claim.CANCEL_IS_A_FENCE, f"order {it.order['id']} was cancelled, and then a fill landed")
    _must_be(it.order, "fill_landed", "executing")
    order, event, child = it.order, it.event, is_in_children(it.order)
    sold = _left_of(order["proceeds"]) if child else left(order)
    gone = units_of(event["used"]) + units_of(event["returned"])
    if gone > sold:
        broken(Claim.EXCLUSIVE, f"order {order['id']}: more was taken than there was")
    changed = {**order, **(_children_filled(it) if child else _filled(it))}
    return {
        "state": "partly_filled" if sellable(changed) else "filled",
        "attempt": None,
        **{name: changed[name] for name in ("posted", "voided", "received", "proceeds", "bought_at")},
        "failed_fills": 0,
        "sweep_due": order["sweep_due"] or (gone == sold and not event["closed"]),
    }


def _filled(it: Step) -> Json:
    """By a single order, a leg of an OCO, or the parent of an OTOCO, whose proceeds are kept."""
    order, received = it.order, units_of(it.event["received"])
    changed = {
        "posted": {"units": units_of(order["posted"]) + units_of(it.event["used"])},
        "voided": {"units": units_of(order["voided"]) + units_of(it.event["returned"])},
    }
    if order["terms"]["family"] != "otoco":
        return {**changed, "received": {"units": units_of(order["received"]) + received}}
    before = order["proceeds"] or {"reserved": {"units": 0}, "posted": {"units": 0}, "voided": {"units": 0}}
    proceeds = {**before, "reserved": {"units": units_of(before["reserved"]) + received}}
    return {**changed, "proceeds": proceeds, "bought_at": it.at if order["bought_at"] is None else order["bought_at"]}


def _children_filled(it: Step) -> Json:
    order, proceeds = it.order, it.order["proceeds"]
    return {
        "proceeds": {
            **proceeds,
            "posted": {"units": units_of(proceeds["posted"]) + units_of(it.event["used"])},
            "voided": {"units": units_of(proceeds["voided"]) + units_of(it.event["returned"])},
        },
        "received": {"units": units_of(order["received"]) + units_of(it.event["received"])},
    }


def is_in_children(order: Json) -> bool:
    """The parent of an OTOCO has sold all that there was."""
    return order["terms"].get("family") == "otoco" and left(order) == 0


def sellable(order: Json) -> int:
    """What the open legs have to sell."""
    return _left_of(order["proceeds"]) if is_in_children(order) else left(order)


def kept(order: Json) -> int:
    """What is in the output account of an OTOCO."""
    return _left_of(order["proceeds"])


def _left_of(holding: Json | None) -> int:
    if holding is None:
        return 0
    return units_of(holding["reserved"]) - units_of(holding["posted"]) - units_of(holding["voided"])


def armed(order: Json) -> tuple[int, ...]:
    if order["terms"]["family"] != "otoco":
        return tuple(range(len(order["legs"])))
    return (1, 2) if is_in_children(order) else (0,)


def _resumed(it: Step) -> Json:
    _must_be(it.order, "order_resumed", "partly_filled")
    return {"state": "open", "retry_at": None}


def left(order: Json) -> int:
    """The units of its deposit that were neither filled nor withdrawn."""
    return units_of(order["terms"]["deposited"]) - units_of(order["posted"]) - units_of(order["voided"])


def more_taken(order: Json, column: str, taken: Json) -> Json:
    if units_of(taken) > left(order):
        broken(Claim.EXCLUSIVE, f"order {order['id']}: more was taken than there was")
    return {"units": units_of(order[column]) + units_of(taken)}


def _fill_failed(it: Step) -> Json:
    _must_be(it.order, "fill_failed", "executing", "triggered")
    return {
        "state": "open",
        "attempt": None,
        "close_rejections": it.order["close_rejections"] + it.event["close_rejected"],
        "output_close_rejections": it.order["output_close_rejections"] + it.event["output_close_rejected"],
        "failed_fills": it.order["failed_fills"] + 1,
        "retry_at": it.event["retry_at"],
    }


def _pause_ended(it: Step) -> Json:
    _must_be(it.order, "pause_ended", "open", *_ENDED)
    return {"retry_at": None}


def _cancel_requested(it: Step) -> Json:
    _must_be(it.order, "cancel_requested", "open", "triggered", "partly_filled", "expired", "withdrawing")
    known = it.order["withdrawal"]
    if known is None:
        withdrawal = {"request_id": it.event["request_id"], "craft": it.event["craft"], "former": [], "signature": None}
    else:
        if known["request_id"] != it.event["request_id"]:
            broken(Claim.ANSWERS_ARE_EQUAL, f"order {it.order['id']}: one cancellation has two request ids")
        withdrawal = {**known, "craft": it.event["craft"], "former": with_former(known, known["craft"])}
    return {"state": "withdrawing", "retry_at": None, "withdrawal": withdrawal}


def with_former(
    withdrawal: Json, craft: Json | None, *, dead: bool = False, rejection: str | None = None
) -> list[Json]:
    if craft is None:
        return list(withdrawal["former"])
    former = {
        "digest": base64.b64encode(sha256(base64.b64decode(craft["message"])).digest()).decode(),
        "last_valid_height": craft["last_valid_height"],
        "dead": dead,
        "rejection": rejection,
    }
    return [*withdrawal["former"], former][-_FORMER_MAX:]


def _withdrawal_started(it: Step) -> Json:
    _must_be(it.order, "withdrawal_started", "withdrawing")
    return _starts(it.order, it.event)


def _withdrawal_landed(it: Step) -> Json:
    _must_be(it.order, "withdrawal_landed", "withdrawing")
    voided, proceeds = more_taken(it.order, "voided", it.event["withdrawn"]), _given_back(it)
    if left({**it.order, "voided": voided}) or _left_of(proceeds):
        broken(Claim.CONSERVED, f"order {it.order['id']}: its withdrawal forgot a part")
    return {
        "state": "cancelled",
        "attempt": None,
        "voided": voided,
        "proceeds": proceeds,
        "withdrawal": {**it.order["withdrawal"], "craft": None, "signature": it.event["signature"]},
        "failed_fills": 0,
        "sweep_due": it.order["sweep_due"] or not it.event["closed"],
    }


def _given_back(it: Step) -> Json | None:
    proceeds, back = it.order["proceeds"], units_of(it.event["output_withdrawn"])
    if back > _left_of(proceeds):
        broken(Claim.EXCLUSIVE, f"order {it.order['id']}: more of its output was taken than there was")
    return None if proceeds is None else {**proceeds, "voided": {"units": units_of(proceeds["voided"]) + back}}


def _withdrawal_failed(it: Step) -> Json:
    _must_be(it.order, "withdrawal_failed", "withdrawing")
    rejection = it.event["rejection"]
    former = with_former(
        it.order["withdrawal"], it.order["attempt"]["craft"], dead=rejection is None, rejection=rejection
    )
    return {
        "attempt": None,
        "close_rejections": it.order["close_rejections"] + it.event["close_rejected"],
        "output_close_rejections": it.order["output_close_rejections"] + it.event["output_close_rejected"],
        "withdrawal": {**it.order["withdrawal"], "craft": None, "former": former},
    }


def _sweep_started(it: Step) -> Json:
    _must_be(it.order, "sweep_started", *_ENDED)
    return _starts(it.order, it.event)


def _sweep_failed(it: Step) -> Json:
    _must_be(it.order, "sweep_failed", *_ENDED)
    return {"attempt": None, "retry_at": it.event["retry_at"], "failed_fills": it.order["failed_fills"] + 1}


def _sweep_done(it: Step) -> Json:
    _must_be(it.order, "sweep_done", *_ENDED)
    return {"attempt": None, "retry_at": None, "sweep_due": False}


_CHANGES: Final[Mapping[str, Callable[[Step], Json]]] = {
    "deposit_landed": _deposit_landed,
    "deposit_failed": _deposit_failed,
    "order_amended": _amended,
    "order_triggered": _triggered,
    "order_expired": _expired,
    "fill_started": _fill_started,
    "fill_landed": _fill_landed,
    "order_resumed": _resumed,
    "fill_failed": _fill_failed,
    "pause_ended": _pause_ended,
    "cancel_requested": _cancel_requested,
    "withdrawal_started": _withdrawal_started,
    "withdrawal_landed": _withdrawal_landed,
    "withdrawal_failed": _withdrawal_failed,
    "sweep_started": _sweep_started,
    "sweep_failed": _sweep_failed,
    "sweep_done": _sweep_done,
}
