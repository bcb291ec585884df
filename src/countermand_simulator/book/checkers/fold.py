"""An order as the journal's events make it, in the words of the stored rows."""

from typing import Any, Final, TypeAlias

from countermand_simulator.book.checkers.claim import Claim
from countermand_simulator.violation import must

Json: TypeAlias = dict[str, Any]

LIVE: Final = ("pending", "wait")


def placed(event: Json, at: int) -> Json:
    terms = event["terms"]
    held = {"held": event["locked"]} if (terms["kind"], terms["side"]) == ("market", "buy") else {}
    return {
        "id": event["order_id"],
        "uuid": event["uuid"],
        "nonce": event["nonce"],
        "placement": event["placement"],
        "terms": event["terms"],
        "maker_fee": event["maker_fee"],
        "taker_fee": event["taker_fee"],
        "reference": event["reference"],
        "state": "pending",
        "created_at": at,
        "updated_at": at,
        "origin": event["terms"]["lots"],
        "executed": {"lots": 0},
        "turnover": 0,
        "trades": 0,
        "rank": None,
        "triggered_at": None,
        "cancel_reason": None,
        **held,
    }


def after(order: Json, kind: str, event: Json, at: int) -> Json:
    """The order after an event, which must not come after its end."""
    must(
        order["state"] in LIVE, Claim.NOTHING_AFTER_THE_END, f"{kind} of order {order['id']}, which is {order['state']}"
    )
    order = {**order, "updated_at": at}
    match kind:
        case "stop_triggered":
            order["triggered_at"] = at
        case "order_opened":
            order["state"] = "wait"
        case "order_rested":
            order["rank"] = event["rank"]
        case "order_reduced":
            order["origin"] = {"lots": order["origin"]["lots"] - event["lots"]["lots"]}
        case "order_cancelled":
            order["state"], order["cancel_reason"] = "cancel", event["reason"]
            _spends(order, event["unlocked"])
        case "traded":
            order["executed"] = {"lots": order["executed"]["lots"] + event["lots"]["lots"]}
            order["turnover"] += event["price"]["ticks"] * event["lots"]["lots"]
            order["trades"] += 1
            _spends(order, event["buy"]["paid"], event["buy"]["unlocked"])
            if not left_of(order):
                order["state"] = "done"
        case _:
            raise AssertionError(f"{kind} is no event of an order")
    return order


def _spends(order: Json, *amounts: Json) -> None:
    """Only a market order to buy says what it holds."""
    if "held" in order:
        order["held"] = {"quanta": order["held"]["quanta"] - sum(amount["quanta"] for amount in amounts)}


def left_of(order: Json) -> int:
    left: int = order["origin"]["lots"] - order["executed"]["lots"]
    return left


def ticks(price: Json | None) -> int | None:
    return None if price is None else price["ticks"]
