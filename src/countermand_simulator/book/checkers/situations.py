"""Names for what can happen on the floor: a workload that never brings some of it about does not test it."""

from collections.abc import Iterator, Sequence

from countermand_simulator.book.checkers.floor import Floor
from countermand_simulator.book.checkers.fold import Json, left_of


def situations(floor: Floor, command: str, events: Sequence[tuple[str, Json]]) -> Iterator[str]:
    """What it is when this entry follows on what there is."""
    trades = [event for kind, event in events if kind == "traded"]
    if command == "place_order":
        terms = events[0][1]["terms"]
        yield f"a {terms['kind']} order, {_depth(len(trades))}"
        if any(kind == "order_rested" for kind, _ in events) and trades:
            yield "an order rests with what the book left of it"
    if command == "open_order":
        yield f"a stop order enters, {_depth(len(trades))}"
    if command == "trigger_stops":
        yield "stops trigger in a turn of their own"
    if command == "continue_order":
        yield f"an order goes on through the book, {_depth(len(trades))}"
    if command == "cancel_orders":
        yield "a bulk cancel"
    for kind, event in events:
        if kind == "order_cancelled":
            yield _end(floor, command, event, events)
        elif kind == "stop_triggered":
            yield "a stop triggers at once" if command == "place_order" and not trades else "a trade triggers a stop"
        elif kind == "order_reduced":
            yield "self-trade takes off a part"


def _depth(trades: int) -> str:
    return ("no trade", "one trade")[trades] if trades < 2 else "several trades"


def _end(floor: Floor, command: str, event: Json, events: Sequence[tuple[str, Json]]) -> str:
    order_id, reason = event["order_id"], event["reason"]
    known = floor.orders.get(order_id)
    order = None if known is None else known.now
    if command in ("cancel_order", "cancel_by_operator", "expire_order") and order is not None:
        state = "a waiting stop" if order["state"] == "pending" else _filled(floor, order)
        return f"{command} ends {state}"
    traded = "after trades" if any(kind == "traded" for kind, _ in events) else "before any trade"
    return f"{command}: ends by {reason} {traded}"


def _filled(floor: Floor, order: Json) -> str:
    if not order["executed"]["lots"]:
        return "a resting order"
    dust = left_of(order) < floor.market_of(order).volume_min
    return "a partly filled order" + (", of which dust is left" if dust else "")
