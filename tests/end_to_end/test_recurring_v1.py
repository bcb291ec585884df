"""Recurring orders at a venue that runs: created, listed and cancelled, with its help and by their owner alone."""

import base64
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import VersionedTransaction

from tests.end_to_end.venue import JUP, SOL, USDC, Answer, Funds, Token, Venue

ROOT = "/recurring/v1"
GONE = "Failed to deserialize account data: failed to fill whole buffer"
ACCOUNT_RENT = 2_039_280
RENTS = 2_902_320 + 2 * ACCOUNT_RENT
"""Of an order and its two token accounts."""


@dataclass
class Saver:
    """A wallet that sells a little every day, and needs no account here for that."""

    venue: Venue
    key: Keypair = field(default_factory=Keypair)

    @property
    def wallet(self) -> str:
        return str(self.key.pubkey())

    def asks_to_create(self, sell: Funds, buy: Token, **changes: object) -> Answer:
        time = {"inAmount": sell.units, "numberOfOrders": 2, "interval": 86_400, "startAt": None} | changes
        body = {"user": self.wallet, "inputMint": sell.token.mint, "outputMint": buy.mint, "params": {"time": time}}
        return self.venue.ask("POST", f"{ROOT}/createOrder", body)

    def asks_to_cancel(self, order: str, *, older: bool = False) -> Answer:
        form = {"params": "recurring"} if older else {"recurringType": "time"}
        return self.venue.ask("POST", f"{ROOT}/cancelOrder", {"order": order, "user": self.wallet} | form)

    def signs(self, transaction: str) -> str:
        message = Message.from_bytes(base64.b64decode(transaction)[65:])
        return base64.b64encode(bytes(VersionedTransaction(message, [self.key]))).decode()

    def executes(self, transaction: str, **request: str) -> Answer:
        body = {"signedTransaction": self.signs(transaction)} | request
        return self.venue.ask("POST", f"{ROOT}/execute", body)

    def sends(self, transaction: str) -> str:
        """By itself. The signature, as soon as it has landed."""
        signature: str = self.venue.rpc("sendTransaction", self.signs(transaction), {"encoding": "base64"})
        while (status := self.venue.rpc("getSignatureStatuses", [signature])[0]) is None:
            pass
        assert status["err"] is None
        return signature

    def lists(self, **query: str) -> Any:
        asked = {"user": self.wallet, "recurringType": "time", "orderStatus": "active"} | query
        return self.venue.ask("GET", f"{ROOT}/getRecurringOrders?{urlencode(asked)}").ok()

    def opens(self, sell: Funds, buy: Token, **changes: object) -> tuple[str, str]:
        """The order, and the signature that opened it."""
        built = self.asks_to_create(sell, buy, **changes).ok()
        executed = self.executes(built["transaction"], requestId=built["requestId"]).ok()
        assert (executed["status"], executed["error"]) == ("Success", None)
        return executed["order"], executed["signature"]


def test_a_wallet_that_is_a_program_gets_what_nothing_can_sign(saver: Saver) -> None:
    time = {"inAmount": 200_000_000, "numberOfOrders": 2, "interval": 86_400, "startAt": None}
    body = {"user": str(COMPUTE_BUDGET), "inputMint": USDC.mint, "outputMint": SOL.mint, "params": {"time": time}}
    assert saver.venue.ask("POST", f"{ROOT}/createOrder", body).ok()["transaction"]


@pytest.fixture
def saver(venue: Venue) -> Saver:
    saver = Saver(venue)
    for funds in (10 * SOL, 1_000 * USDC):
        venue.gives(saver.wallet, funds)
    return saver


@pytest.mark.parametrize("older", [False, True])
def test_an_order_is_created_listed_and_cancelled(venue: Venue, saver: Saver, older: bool) -> None:
    venue.freezes()
    order, opening = saver.opens(104 * USDC, SOL)
    listed = saver.lists()
    (row,) = listed["time"]
    assert (listed["totalPages"], row["orderKey"], row["openTx"], row["closeTx"]) == (1, order, opening, "")
    assert (row["inDeposited"], row["inAmountPerCycle"], row["cycleFrequency"]) == ("104", "52", "86400")
    assert venue.units(saver.wallet, USDC) == 896_000_000

    built = saver.asks_to_cancel(order, older=older).ok()
    name, transaction = (built["id"], built["tx"]) if older else (built["requestId"], built["transaction"])
    executed = saver.executes(transaction, requestId=name)
    assert executed.ok() | {"signature": None} == {"signature": None, "status": "Success", "order": None, "error": None}
    assert saver.lists()["time"] == []
    assert venue.units(saver.wallet, USDC) == 1_000_000_000
    assert saver.executes(transaction, requestId=name).raw == executed.raw

    refused = saver.asks_to_cancel(order, older=older)
    words = {"message" if older else "error": GONE}
    assert (refused.status, refused.body) == (400, {"code": 400, "status": "Bad Request"} | words)


@pytest.mark.parametrize("older", [False, True])
def test_what_its_owner_sends_alone_counts(venue: Venue, saver: Saver, older: bool) -> None:
    built = saver.asks_to_create(1 * SOL, USDC).ok()
    before = venue.lamports(saver.wallet)
    opening = saver.sends(built["transaction"])
    assert before - venue.lamports(saver.wallet) >= 1_000_000_000 + RENTS
    (row,) = saver.lists()["time"]
    assert (row["openTx"], row["rawInDeposited"]) == (opening, "1000000000")
    # Executing it too does no harm, and tells how it went.
    executed = saver.executes(built["transaction"], requestId=built["requestId"]).ok()
    assert executed == {"signature": opening, "status": "Success", "order": row["orderKey"], "error": None}

    cancelling = saver.asks_to_cancel(row["orderKey"], older=older).ok()
    saver.sends(cancelling["tx" if older else "transaction"])
    assert saver.lists()["time"] == []
    # What the network took, and an account for wrapped SOL that stays.
    assert before - venue.lamports(saver.wallet) - ACCOUNT_RENT < 100_000


def test_what_was_built_while_there_was_an_account_for_wrapped_sol(venue: Venue, saver: Saver) -> None:
    """A cancel leaves it there, and the first order that sells SOL after it closes it."""
    first, _ = saver.opens(1 * SOL, USDC)
    second, _ = saver.opens(1 * SOL, USDC)
    lands(saver, saver.asks_to_cancel(first))
    opens = [saver.asks_to_create(1 * SOL, USDC) for _ in range(2)]
    cancels = saver.asks_to_cancel(second)
    for each in (opens[0], cancels):
        lands(saver, each)
    lands(saver, saver.asks_to_create(1 * SOL, USDC))
    lands(saver, opens[1])
    assert len(saver.lists()["time"]) == 3


def lands(saver: Saver, built: Answer) -> None:
    executed = saver.executes(built.ok()["transaction"]).ok()
    assert (executed["status"], executed["error"]) == ("Success", None)


def test_a_cancel_that_came_too_late_fails_on_chain(venue: Venue, saver: Saver) -> None:
    order, _ = saver.opens(104 * USDC, SOL)
    first = saver.asks_to_cancel(order).ok()
    venue.passes_slots()  # Another blockhash, so another transaction.
    second = saver.asks_to_cancel(order).ok()
    assert first != second
    assert saver.executes(second["transaction"], requestId=second["requestId"]).ok()["status"] == "Success"
    late = saver.executes(first["transaction"], requestId=first["requestId"]).ok()
    assert (late["status"], late["order"]) == ("Failed", None)
    assert late["error"].startswith("custom program error code: ")
    assert venue.units(saver.wallet, USDC) == 1_000_000_000


def test_a_dropped_transaction_is_executed_again(venue: Venue, saver: Saver) -> None:
    built = saver.asks_to_create(104 * USDC, SOL).ok()
    venue.faults(dropTransactions=1)
    lost = saver.executes(built["transaction"], requestId=built["requestId"])
    assert (lost.status, lost.body["status"], lost.body["error"]) == (500, "Failed", "unable to confirm transaction")
    assert saver.lists()["time"] == []
    assert saver.executes(built["transaction"], requestId=built["requestId"]).ok()["status"] == "Success"
    assert len(saver.lists()["time"]) == 1


@pytest.mark.parametrize(("sells", "buys"), [(11 * SOL, USDC), (1_001 * USDC, SOL), (1_001 * JUP, SOL)])
def test_who_has_too_little_learns_it_on_chain(saver: Saver, sells: Funds, buys: Token) -> None:
    """Of JUP there is not even an account."""
    built = saver.asks_to_create(sells, buys).ok()
    answer = saver.executes(built["transaction"], requestId=built["requestId"]).ok()
    assert answer["status"] == "Failed"
    assert (answer["order"], answer["error"]) == (None, "Insufficient funds for the operation requested.")


def test_minimums_follow_the_price(venue: Venue, saver: Saver) -> None:
    refused = saver.asks_to_create(0.5 * SOL, USDC)
    words = "Order is valued at 75.00 USDC, minimum is 100.00 USDC"
    assert (refused.status, refused.body) == (400, {"code": 400, "error": words, "status": "Bad Request"})
    venue.price(SOL, "200")
    assert saver.asks_to_create(0.5 * SOL, USDC).status == 200


def test_eleven_orders_on_two_pages(venue: Venue, saver: Saver) -> None:
    venue.gives(saver.wallet, 1_000 * USDC)
    opened = [saver.opens(110 * USDC, SOL) for _ in range(11)]
    first, second = saver.lists(), saver.lists(page="2")
    assert [(page["totalPages"], page["page"], len(page["time"])) for page in (first, second)] == [
        (2, 1, 10),
        (2, 2, 1),
    ]
    assert [page["totalItems"] for page in (first, second, saver.lists(page="3"))] == [11, 11, 11]
    assert [(row["orderKey"], row["openTx"]) for row in first["time"] + second["time"]] == opened[::-1]


def test_no_token_is_asked_for_and_paths_are_exact(venue: Venue, saver: Saver) -> None:
    assert venue.ask("GET", f"{ROOT}/getRecurringOrders").status == 400
    for method, path in (("GET", "createOrder"), ("POST", "getRecurringOrders"), ("GET", "execute")):
        assert venue.ask(method, f"{ROOT}/{path}").status in (404, 405)
    assert venue.ask("POST", f"{ROOT}/cancelOrder/", {}).status == 404
    answer = saver.asks_to_cancel(USDC.mint)
    assert answer.error == (400, GONE)
    assert "x-api-gateway-request-id" in answer.headers
