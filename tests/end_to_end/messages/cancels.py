"""What updates, cancels and confirms are refused with, of both families."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.end_to_end.dca_trader import HOUR_S
from tests.end_to_end.messages.row import DCA, FOR_EVER, NOWHERE, SELL, TOKENS, Family, Scene, of_both, says
from tests.end_to_end.test_cancel import appended, of_a_stranger
from tests.end_to_end.test_no_funds import keeps
from tests.end_to_end.test_otoco import parent_done
from tests.end_to_end.trader import ROOT, Cancelling, oco, trailing
from tests.end_to_end.venue import SOL, USDC, Answer

STOP: Final = trailing(1 * SOL, bps=1_000)
PAIR: Final = oco(sell=1 * SOL, take_profit=255, stop_loss=100)
NOT_BUILT: Final = "Order will not fill any more, but its withdrawal could not be built. Please initiate cancel again."
NOT_FOUND: Final = "Withdrawal transaction not found in cache. Please initiate cancel again."
SLOW: Final = "Withdrawal transaction did not land. Retry confirm with the same cancelRequestId."
INVALID: Final = "Invalid withdrawal transaction: "
UNPAYABLE: Final = (
    "Withdrawal transaction cannot be paid for: {wallet} holds 0 lamports, and 906028 are needed: 15148 for the fee, "
    "890880 that must stay in the account. Fund the wallet and retry confirm with the same cancelRequestId."
)
REJECTED: Final = (
    "Withdrawal transaction failed on chain (Error processing Instruction 3: Computational budget exceeded). "
    "Please initiate cancel again."
)

# --- updates


def update(fields: dict[str, object], wish: Any = SELL) -> Callable[[Scene], Answer]:
    return lambda s: s.alice.patch(f"/orders/price/{s.alice.places(wish)}", {"orderType": wish.kind} | fields)


says("update", 400, "Differs from the order", "orderType")(update({"orderType": "oco", "tpPriceUsd": 300}))
says("update", 400, "Expiry time must be in the future", "expiresAt")(update({"expiresAt": 10**12}))
says("update", 400, "Cannot set trigger price on trailing stop loss order")(update({"triggerPriceUsd": 100}, STOP))
says("update", 400, "Cannot convert to trailing stop loss order")(update({"trailingBps": 500}))
says("update", 400, "tpPriceUsd must be greater than slPriceUsd", "tpPriceUsd")(update({"tpPriceUsd": 100}, PAIR))
says("update", 400, "Give at least one of triggerPriceUsd, trailingBps, slippageBps, expiresAt", "body")(update({}))
says("update", 400, "Too big: expected number to be <=10000", "slippageBps")(update({"slippageBps": 10_001}))
says("update", 400, "Too small: expected number to be >0", "triggerPriceUsd")(update({"triggerPriceUsd": 0}))
says("update", 400, "Invalid input: is too big", "triggerPriceUsd")(update({"triggerPriceUsd": 10**13}))


@says("update", 400, "Trailing order would immediately trigger")
def a_distance_that_is_passed_already(s: Scene) -> Answer:
    order = s.alice.places(STOP)
    s.venue.price(SOL, "140")
    return s.alice.amends(order, trailingBps=500)


@says("update", 400, "Cannot update the parent of an OTOCO order that has executed")
def a_parent_that_is_done(s: Scene) -> Answer:
    order = parent_done(s.venue, s.alice)
    return s.alice.patch(f"/orders/price/{order}", {"orderType": "otoco", "triggerPriceUsd": 110})


@says("update", 400, "Cannot update order in 'pending_withdraw' state")
def an_update_after_a_cancel(s: Scene) -> Answer:
    order = s.alice.places(SELL)
    s.alice.cancels(order)
    return s.alice.amends(order, slippageBps=7)


def is_filling(s: Scene) -> str:
    """An order whose fill is committed and does not land."""
    order = s.alice.places(SELL)
    s.venue.faults(dropTransactions=FOR_EVER)
    s.venue.price(SOL, "250")
    while s.alice.sees(order)["rawState"] != "executing":
        pass
    return order


@says("update", 400, "Cannot update order in 'executing' state: a fill is under way")
def an_update_during_a_fill(s: Scene) -> Answer:
    return s.alice.amends(is_filling(s), slippageBps=7)


# --- cancels


@says("cancel", 400, "Cannot cancel order in 'executing' state: a fill is under way")
def a_cancel_during_a_fill(s: Scene) -> Answer:
    return s.alice.asks_to_cancel(is_filling(s))


@says("cancel", 400, "Cannot cancel order in 'pending' state")
def a_cancel_before_the_deposit_landed(s: Scene) -> Answer:
    s.venue.faults(dropTransactions=FOR_EVER)
    assert s.creates().status == 500
    (row,) = s.alice.history()
    return s.alice.asks_to_cancel(row["id"])


@says("cancel", 400, "Cannot cancel order in 'cancelled' state")
def a_cancel_of_what_is_cancelled(s: Scene) -> Answer:
    order = s.alice.places(SELL)
    s.alice.withdraws(order, s.alice.cancels(order))
    return s.alice.asks_to_cancel(order)


@says("cancel", 400, "Cannot cancel order in 'filled' state")
def a_cancel_of_what_is_filled(s: Scene) -> Answer:
    order = s.alice.places(SELL)
    s.venue.price(SOL, "250")
    s.venue.settles()
    return s.alice.asks_to_cancel(order)


@says("dca cancel", 400, "Cannot cancel DCA order in 'cancelled' state")
def a_recurring_cancel_of_what_is_cancelled(s: Scene) -> Answer:
    order = s.waits()
    s.plans.withdraws(order, s.plans.asks_to_cancel(order).ok())
    return s.plans.asks_to_cancel(order)


@says("dca cancel", 400, "Cannot cancel DCA order in 'executing' state")
def a_cancel_during_a_round(s: Scene) -> Answer:
    s.venue.freezes()
    order = s.waits()
    s.venue.faults(dropTransactions=FOR_EVER)
    s.venue.advances(HOUR_S)
    while s.plans.sees(order)["state"] != "executing":
        pass
    return s.plans.asks_to_cancel(order)


@dataclass(frozen=True)
class Cancel:
    """The two steps of one family."""

    order: str
    request_id: str
    transaction: str
    hands_in: Callable[[str, str], Answer]
    """The transaction, and the request id."""
    again: Callable[[], Answer]


def cancelled(s: Scene, family: Family) -> Cancel:
    """An order of tokens that was cancelled."""
    traders = family.traders(s)
    order = s.waits() if family is DCA else s.alice.places(TOKENS)
    asked = traders.asks_to_cancel(order).ok()

    def hands_in(transaction: str, request_id: str) -> Answer:
        if family is DCA:
            return s.plans.hands_in(order, Cancelling(transaction, request_id))
        return s.alice.hands_in(order, transaction, request_id)

    return Cancel(order, asked["requestId"], asked["transaction"], hands_in, lambda: traders.asks_to_cancel(order))


@of_both("cancel", 500, NOT_BUILT)
def a_cancel_while_the_chain_is_silent(s: Scene, family: Family) -> Answer:
    order = s.waits() if family is DCA else s.alice.places(TOKENS)
    s.venue.passes_slots(6)
    s.venue.faults(rpcDown=True)
    answer: Answer = family.traders(s).asks_to_cancel(order)
    return answer


# --- confirms


@of_both("confirm", 400, NOT_FOUND)
def a_request_id_that_is_unknown(s: Scene, family: Family) -> Answer:
    cancel = cancelled(s, family)
    return cancel.hands_in(s.alice.signs(cancel.transaction), NOWHERE)


@says("dca confirm", 400, "DCA order not in cancellation state")
def a_confirm_without_a_cancel(s: Scene) -> Answer:
    return s.plans.hands_in(s.waits(), Cancelling("AQAB", NOWHERE))


@of_both("confirm", 400, "Invalid transaction format")
def a_withdrawal_that_is_no_transaction(s: Scene, family: Family) -> Answer:
    cancel = cancelled(s, family)
    return cancel.hands_in("nonsense", cancel.request_id)


@of_both("confirm", 400, INVALID + "its bytes are not in the canonical form")
def a_withdrawal_with_a_byte_more(s: Scene, family: Family) -> Answer:
    cancel = cancelled(s, family)
    return cancel.hands_in(appended(s.alice.signs(cancel.transaction)), cancel.request_id)


@of_both("confirm", 400, INVALID + "Transaction accounts modified")
def another_withdrawal(s: Scene, family: Family) -> Answer:
    cancel, other = cancelled(s, family), cancelled(s, family)
    return cancel.hands_in(s.alice.signs(other.transaction), cancel.request_id)


@of_both("confirm", 400, INVALID + "Transaction signers modified")
def a_withdrawal_with_other_signers(s: Scene, family: Family) -> Answer:
    cancel = cancelled(s, family)
    deposit = s.alice.signs(s.alice.crafts(SELL)["transaction"])
    return cancel.hands_in(deposit, cancel.request_id)


@of_both("confirm", 400, INVALID + "the wallet's signature is missing")
def an_unsigned_withdrawal(s: Scene, family: Family) -> Answer:
    cancel = cancelled(s, family)
    return cancel.hands_in(cancel.transaction, cancel.request_id)


@of_both("confirm", 400, INVALID + "the wallet's signature is wrong")
def a_withdrawal_that_another_signed(s: Scene, family: Family) -> Answer:
    cancel = cancelled(s, family)
    return cancel.hands_in(of_a_stranger(cancel.transaction), cancel.request_id)


@of_both("confirm", 400, INVALID + "a newer cancel replaced it; sign the newest one")
def a_withdrawal_that_a_newer_one_replaced(s: Scene, family: Family) -> Answer:
    cancel = cancelled(s, family)
    s.venue.passes_slots()
    cancel.again().ok()
    return cancel.hands_in(s.alice.signs(cancel.transaction), cancel.request_id)


@of_both("confirm", 400, "Withdrawal transaction expired. Please initiate cancel again.")
def a_withdrawal_that_died_unsigned(s: Scene, family: Family) -> Answer:
    cancel = cancelled(s, family)
    s.venue.faults(expireBlockhashes=True)
    return cancel.hands_in(s.alice.signs(cancel.transaction), cancel.request_id)


@of_both("confirm", 500, SLOW)
def a_withdrawal_that_is_lost(s: Scene, family: Family) -> Answer:
    cancel = cancelled(s, family)
    s.venue.faults(dropTransactions=FOR_EVER)
    return cancel.hands_in(s.alice.signs(cancel.transaction), cancel.request_id)


@of_both("confirm", 400, REJECTED)
def a_withdrawal_that_the_chain_refuses(s: Scene, family: Family) -> Answer:
    """A stranger pays into the account that it closes."""
    cancel = cancelled(s, family)
    s.bob.pays(s.alice.accounts[cancel.order], 0.000007 * USDC)
    return cancel.hands_in(s.alice.signs(cancel.transaction), cancel.request_id)


@of_both("confirm", 400, UNPAYABLE)
def a_withdrawal_that_cannot_be_paid_for(s: Scene, family: Family) -> Answer:
    cancel = cancelled(s, family)
    keeps(s.alice, 0)
    return cancel.hands_in(s.alice.signs(cancel.transaction), cancel.request_id)


# --- whose order it is, on every endpoint that names one

OF_AN_ORDER: Final[dict[str, tuple[str, str, object]]] = {
    "update": ("PATCH", "/orders/price/{}", {"orderType": "single", "slippageBps": 7}),
    "cancel": ("POST", "/orders/price/cancel/{}", None),
    "confirm": (
        "POST",
        "/orders/price/confirm-cancel/{}",
        {"signedTransaction": "AA==", "cancelRequestId": NOWHERE},
    ),
    "order": ("GET", "/orders/history/{}", None),
    "dca cancel": ("POST", "/orders/dca/cancel/{}", None),
    "dca confirm": (
        "POST",
        "/orders/dca/confirm-cancel/{}",
        {"signedTransaction": "AA==", "cancelRequestId": NOWHERE},
    ),
    "dca history": ("GET", "/orders/history/dca/{}", None),
}


def named(endpoint: str, order: Callable[[Scene], str]) -> Callable[[Scene], Answer]:
    """Bob asks for an order."""
    method, path, body = OF_AN_ORDER[endpoint]
    return lambda s: s.venue.ask(method, ROOT + path.format(order(s)), body, token=s.bob.token)


for _endpoint in OF_AN_ORDER:
    _is_dca = _endpoint.startswith("dca")
    _unknown = "DCA order not found or you do not own it" if _is_dca else "Order not found"
    says("any" if _endpoint == "update" else _endpoint, 400, "Invalid order ID")(named(_endpoint, lambda _: "nonsense"))
    says(_endpoint, 404, _unknown)(named(_endpoint, lambda _: NOWHERE))
    if _is_dca:
        says(_endpoint, 404, _unknown)(named(_endpoint, Scene.waits))
    else:
        words = "Forbidden: order belongs to a different wallet"
        says(_endpoint, 403, words)(named(_endpoint, lambda s: s.alice.places(SELL)))


@says("history", 400, 'Invalid option: expected one of "active"|"past"', "state")
def a_history_of_another_state(s: Scene) -> Answer:
    return s.alice.get("/orders/history?state=open")
