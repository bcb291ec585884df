"""Who signs a transaction can sign it again, with another valid signature: the same message, under another id.

It lands once, and `execute` tells what became of the message, whichever of its signatures is handed in.
"""

import base64
import time
from collections.abc import Callable, Iterator

import pytest

from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.makers import Maker, limit_maker, saver
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, SOL, USDC, Venue, running_venue
from tests.solana.chain_support import another_signature, signature_of


@pytest.fixture(params=[limit_maker, saver], ids=["limit", "recurring"])
def maker(venue: Venue, request: pytest.FixtureRequest) -> Maker:
    maker: Maker = request.param(venue)
    return maker


@pytest.mark.parametrize("dead", [False, True], ids=["alive", "dead"])
def test_an_opening_that_landed_under_another_signature(maker: Maker, *, dead: bool) -> None:
    request_id, transaction = maker.opens()
    maker.venue.faults(dropTransactions=1)
    assert maker.executes(transaction, requestId=request_id).status == 500
    landed = maker.sends_otherwise(transaction)
    if dead:
        maker.venue.faults(expireBlockhashes=True)
    executed = maker.executes(transaction, requestId=request_id)
    assert (executed.ok()["status"], executed.ok()["signature"]) == ("Success", landed)
    assert maker.executes(transaction, requestId=request_id).raw == executed.raw
    (order,) = maker.orders()
    assert executed.ok().get("order", order) == order


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """Who waits for a landing waits for a minute here."""
    with running_venue(tmp_path_factory.mktemp("patient"), confirm_timeout_ms=60_000) as venue:
        yield venue


@pytest.mark.parametrize("comes", [limit_maker, saver], ids=["limit", "recurring"])
@pytest.mark.parametrize("dead", [False, True], ids=["alive", "dead"])
def test_a_cancel_that_landed_under_another_signature(
    patient: Venue, comes: Callable[[Venue], Maker], *, dead: bool
) -> None:
    maker = comes(patient)
    order = maker.has_open()
    request_id, transaction = maker.cancels(order)
    landed = maker.sends_otherwise(transaction)
    if dead:
        maker.venue.faults(expireBlockhashes=True)
    begun = time.monotonic()
    executed = maker.executes(transaction, requestId=request_id).ok()
    assert (executed["status"], executed["signature"]) == ("Success", landed)
    assert time.monotonic() - begun < 30, "nothing is waited for that has landed"
    assert maker.orders() == []


def test_an_opening_that_landed_and_is_over_has_landed(maker: Maker) -> None:
    request_id, transaction = maker.opens()
    landed = maker.sends_otherwise(transaction)
    (order,) = maker.orders()
    maker.executes(maker.cancels(order)[1])
    maker.venue.faults(expireBlockhashes=True)
    assert maker.executes(transaction, requestId=request_id).ok()["signature"] == landed


def test_a_cancel_that_failed_under_another_signature_has_failed(maker: Maker) -> None:
    order = maker.has_open()
    request_id, late = maker.cancels(order)
    maker.venue.passes_slots()  # Another blockhash, so another message.
    assert maker.executes(maker.cancels(order)[1]).ok()["status"] == "Success"
    landed = maker.sends_otherwise(late)
    maker.venue.faults(expireBlockhashes=True)
    failed = maker.executes(late, requestId=request_id).body
    assert (failed["status"], failed["signature"]) == ("Failed", landed)
    assert failed["error"].startswith("custom program error code: ")


def test_a_cancel_is_not_done_by_what_closed_the_order_instead(maker: Maker) -> None:
    """Its order is gone, but it never landed: a fill may have been what closed it."""
    order = maker.has_open()
    request_id, dead = maker.cancels(order)
    maker.venue.passes_slots()
    assert maker.executes(maker.cancels(order)[1]).ok()["status"] == "Success"
    maker.venue.faults(expireBlockhashes=True)
    refused = maker.executes(dead, requestId=request_id)
    assert (refused.status, refused.body["error"]) == (500, "unable to confirm transaction")


def test_the_second_of_two_batches(venue: Venue) -> None:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    alice = LimitTrader(venue, trader)
    orders = [alice.places(10 * USDC, JUP, take) for take in range(1, 8)]
    _, second = alice.builds_cancels(*orders)
    raw = another_signature(base64.b64decode(second), trader.key)
    venue.rpc("sendTransaction", base64.b64encode(raw).decode(), {"encoding": "base64", "skipPreflight": True})
    venue.faults(expireBlockhashes=True)
    assert alice.executes(second).ok()["signature"] == signature_of(raw)
    assert sorted(alice.open_orders()) == sorted(orders[:5])
