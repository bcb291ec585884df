"""Every endpoint that names an order, by every state that an order can be in: who is judged first, and what is said.

The order of judgement: who asks, the id, the body, whether there is such an order, whose it is, and then its state.
"""

from collections.abc import Callable

import pytest

from countermand.dialects.trigger_v2.states import RAW
from tests.end_to_end.trader import ROOT, Trader, single
from tests.end_to_end.venue import SOL, Venue

NOWHERE = "019f053d-3f0c-70ad-bb5e-76d633291f80"
FOR_EVER = 1_000_000
NOT_FOUND = (400, "Withdrawal transaction not found in cache. Please initiate cancel again.")
SELL = single(sell=1 * SOL, above=200)

UPDATE = ("PATCH", "/orders/price/{}")
CANCEL = ("POST", "/orders/price/cancel/{}")
CONFIRM = ("POST", "/orders/price/confirm-cancel/{}")
LOOK = ("GET", "/orders/history/{}")
ENDPOINTS = {"update": UPDATE, "cancel": CANCEL, "confirm": CONFIRM, "look": LOOK}
GOOD_BODY: dict[str, object] = {
    "update": {"orderType": "single", "triggerPriceUsd": 220},
    "cancel": None,
    "confirm": {"signedTransaction": "AAAA", "cancelRequestId": NOWHERE},
    "look": None,
}
TAKES_A_BODY = ("update", "confirm")


# --- how an order comes into each state


def pending(venue: Venue, alice: Trader) -> str:
    venue.faults(dropTransactions=FOR_EVER)
    assert alice.creates(alice.body_for(SELL, alice.crafts(SELL))).status == 500
    order_id: str = alice.history()[0]["id"]
    return order_id


def is_open(venue: Venue, alice: Trader) -> str:
    return alice.places(SELL)


def crossed(venue: Venue, alice: Trader) -> str:
    """Its fill cannot be made yet."""
    order = alice.places(SELL)
    venue.faults(rpcDown=True)
    venue.price(SOL, "200")
    return order


def executing(venue: Venue, alice: Trader) -> str:
    """Its fill is sent and does not land."""
    order = alice.places(SELL)
    venue.faults(dropTransactions=FOR_EVER)
    venue.price(SOL, "200")
    eventually(lambda: alice.sees(order)["rawState"] == "executing")
    return order


def filled(venue: Venue, alice: Trader) -> str:
    order = alice.places(SELL)
    venue.price(SOL, "200")
    venue.settles()
    return order


def expired(venue: Venue, alice: Trader) -> str:
    order = alice.places(single(sell=1 * SOL, above=200, lives_ms=10_000))
    venue.advances(10)
    return order


def mid_cancel(venue: Venue, alice: Trader) -> str:
    order = alice.places(SELL)
    alice.cancels(order)
    return order


def withdrawing(venue: Venue, alice: Trader) -> str:
    """Its withdrawal is signed and does not land."""
    order = alice.places(SELL)
    cancelling = alice.cancels(order)
    venue.faults(dropTransactions=FOR_EVER)
    assert alice.confirms(order, cancelling).status == 500
    return order


def cancelled(venue: Venue, alice: Trader) -> str:
    order = alice.places(SELL)
    assert alice.confirms(order, alice.cancels(order)).status == 200
    return order


def failed(venue: Venue, alice: Trader) -> str:
    order = pending(venue, alice)
    venue.faults(dropTransactions=FOR_EVER, expireBlockhashes=True)
    venue.settles()
    return order


def cannot(act: str, state: str, why: str = "") -> tuple[int, str]:
    return 400, f"Cannot {act} order in '{state}' state{why}"


FILLING = ": a fill is under way"
NOT_BUILT = (
    500,
    "Order will not fill any more, but its withdrawal could not be built. Please initiate cancel again.",
)
OK = (200, "")

Way = Callable[[Venue, Trader], str]

STATES: list[tuple[Way, str, str, tuple[int, str], tuple[int, str]]] = [
    # how, orderState, rawState, answer to an update, answer to a cancel
    (pending, "pending", "depositing", cannot("update", "pending"), cannot("cancel", "pending")),
    (is_open, "open", "open", OK, OK),
    (crossed, "executing", "ready_execute", cannot("update", "executing", FILLING), NOT_BUILT),
    (
        executing,
        "executing",
        "executing",
        cannot("update", "executing", FILLING),
        cannot("cancel", "executing", FILLING),
    ),
    (filled, "filled", "fill_success", cannot("update", "filled"), cannot("cancel", "filled")),
    (expired, "expired", "expired", cannot("update", "expired"), OK),
    (mid_cancel, "pending_withdraw", "ready_to_cancel", cannot("update", "pending_withdraw"), OK),
    (withdrawing, "pending_withdraw", "ready_to_cancel", cannot("update", "pending_withdraw"), OK),
    (cancelled, "cancelled", "cancelled", cannot("update", "cancelled"), cannot("cancel", "cancelled")),
    (failed, "failed", "deposit_failed", cannot("update", "failed"), cannot("cancel", "failed")),
]
by_state = pytest.mark.parametrize(
    ("way", "shown", "raw", "update", "cancel"), STATES, ids=lambda way: getattr(way, "__name__", "")
)


@by_state
def test_what_each_state_allows(
    venue: Venue, alice: Trader, way: Way, shown: str, raw: str, update: tuple[int, str], cancel: tuple[int, str]
) -> None:
    order = way(venue, alice)
    row = alice.sees(order)
    assert (row["orderState"], row["rawState"]) == (shown, raw)
    assert (row in alice.history(state="active")) == (shown in ("pending", "open", "executing", "pending_withdraw"))
    assert alice.hands_in(order, "AAAA", NOWHERE).error == NOT_FOUND
    for answer, expected in ((alice.amends(order, slippageBps=10), update), (alice.asks_to_cancel(order), cancel)):
        assert answer.status == expected[0]
        assert expected == OK or answer.error == expected


@by_state
def test_the_order_of_judgement(
    venue: Venue,
    alice: Trader,
    bob: Trader,
    way: Way,
    shown: str,
    raw: str,
    update: tuple[int, str],
    cancel: tuple[int, str],
) -> None:
    order = way(venue, alice)
    before = alice.sees(order)
    for name, (method, path) in ENDPOINTS.items():
        good = GOOD_BODY[name]

        def ask(order_id: str, body: object, token: str) -> tuple[int, str]:
            return venue.ask(method, ROOT + path.format(order_id), body, token=token).error  # noqa: B023  Asked at once.

        assert ask("no-uuid", b"no JSON" if name in TAKES_A_BODY else good, "no token") == (401, "Unauthorized")
        assert ask(order, good, alice.token + "x") == (401, "Unauthorized")
        assert ask("no-uuid", b"no JSON" if name in TAKES_A_BODY else good, bob.token) == (400, "Invalid order ID")
        if name in TAKES_A_BODY:
            assert ask(NOWHERE, b"no JSON", bob.token) == (400, "Malformed JSON in request body")
            assert ask(order, {"orderType": "single"}, bob.token) == (400, "Request validation failed")
        assert ask(NOWHERE, good, bob.token) == (404, "Order not found")
        assert ask(order, good, bob.token) == (403, "Forbidden: order belongs to a different wallet")
    assert alice.sees(order) == before


@pytest.mark.parametrize(
    "order_id",
    ["x", "1", "null", "019f053d3f0c70adbb5e76d633291f80", NOWHERE + "0", NOWHERE[:-1] + "g", "%00", "%C3%A9"],
)
def test_an_id_that_is_no_uuid(alice: Trader, order_id: str) -> None:
    assert alice.amends(order_id, slippageBps=1).error == (400, "Invalid order ID")
    assert alice.asks_to_cancel(order_id).error == (400, "Invalid order ID")
    assert alice.hands_in(order_id, "", "").error == (400, "Invalid order ID")
    assert alice.get(f"/orders/history/{order_id}").error == (400, "Invalid order ID")


@pytest.mark.parametrize(("method", "path"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_a_trailing_slash_is_another_path(alice: Trader, method: str, path: str) -> None:
    answer = alice.venue.ask(method, ROOT + path.format(NOWHERE) + "/", {}, token=alice.token)
    assert (answer.status, answer.body) == (404, {"code": 404, "message": "Not found"})


def eventually(holds: Callable[[], bool], tries: int = 500) -> None:
    """Asks until it is so: each question is a request, so this is no busy loop."""
    for _ in range(tries):
        if holds():
            return
    raise AssertionError("it never came to be")


def test_the_states_of_the_table_are_all_that_can_be_reached() -> None:
    """A new state must find its row here, but for one that the next turn ends: no client could ask in time."""
    assert {raw.value for raw in RAW.values()} - {raw for _, _, raw, _, _ in STATES} == {"partial_fill_success"}
