"""Orders on the chain when answers get lost, when the chain is away or slow, and what their transactions offer."""

import base64
from collections.abc import Callable

import pytest
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.transaction import VersionedTransaction

from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.makers import Maker, limit_maker, saver
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import CONFIRM_TIMEOUT_MS, SOL, USDC, LostAnswer, Venue


@pytest.fixture(params=[limit_maker, saver], ids=["limit", "recurring"])
def maker(venue: Venue, request: pytest.FixtureRequest) -> Maker:
    maker: Maker = request.param(venue)
    return maker


def test_lost_answers_are_asked_for_again(maker: Maker) -> None:
    """A build that no client got was never signed; an execution happened once."""
    venue = maker.venue
    venue.faults(loseAnswers=1)
    with pytest.raises(LostAnswer):
        maker.opens()
    request_id, opening = maker.opens()
    venue.faults(loseAnswers=1)
    with pytest.raises(LostAnswer):
        maker.executes(opening, requestId=request_id)
    assert maker.executes(opening, requestId=request_id).ok()["status"] == "Success"
    (order,) = maker.orders()
    venue.faults(loseAnswers=1)
    with pytest.raises(LostAnswer):
        maker.cancels(order)
    request_id, closing = maker.cancels(order)
    venue.faults(loseAnswers=1)
    with pytest.raises(LostAnswer):
        maker.executes(closing, requestId=request_id)
    assert maker.executes(closing, requestId=request_id).ok()["status"] == "Success"
    assert maker.orders() == []


def test_the_chain_is_away_for_a_while(maker: Maker) -> None:
    order = maker.has_open()
    request_id, closing = maker.cancels(order)
    maker.venue.faults(rpcDown=True)
    for refused in (maker.opens, maker.orders, lambda: maker.cancels(order)):
        with pytest.raises(AssertionError, match=r"\(50[03], "):
            refused()
    unknown = maker.executes(closing, requestId=request_id)
    assert (unknown.status, "is unknown" in unknown.body["error"]) == (503, True)
    maker.venue.faults()
    assert maker.orders() == [order]
    assert maker.executes(closing, requestId=request_id).ok()["status"] == "Success"


def test_what_lands_late_is_waited_for_as_long_as_a_request_waits(maker: Maker) -> None:
    maker.venue.faults(landDelayMs=CONFIRM_TIMEOUT_MS // 3)
    order = maker.has_open()
    request_id, closing = maker.cancels(order)
    maker.venue.faults(landDelayMs=2 * CONFIRM_TIMEOUT_MS)
    late = maker.executes(closing, requestId=request_id)
    assert (late.status, late.body["error"]) == (500, "unable to confirm transaction")
    executed = maker.executes(closing, requestId=request_id).ok()
    assert (executed["status"], executed["signature"]) == ("Success", late.body["signature"])
    assert maker.orders() == []


def test_limited_requests(maker: Maker) -> None:
    request_id, opening = maker.opens()
    maker.venue.faults(rateLimit=1)
    limited = maker.executes(opening, requestId=request_id)
    assert (limited.status, limited.body) == (429, {"code": 429, "message": "[API Gateway] Too many requests"})
    assert maker.executes(opening, requestId=request_id).ok()["status"] == "Success"


def test_a_cancel_that_is_asked_for_twice_within_a_blockhash_is_one_transaction(maker: Maker) -> None:
    order = maker.has_open()
    maker.venue.freezes()
    for _ in range(3):  # The slots of the chain go on, and a blockhash may change in between.
        first, second = maker.cancels(order), maker.cancels(order)
        if first == second:
            return
    raise AssertionError


def budget_of(transaction: str) -> tuple[int, int]:
    """Compute units, and micro-lamports for each."""
    message = VersionedTransaction.from_bytes(base64.b64decode(transaction)).message
    limit, price = (
        int.from_bytes(bytes(each.data)[1:], "little")
        for each in message.instructions
        if message.account_keys[each.program_id_index] == COMPUTE_BUDGET
    )
    return limit, price


def used_by(venue: Venue, signature: str) -> int:
    settings = {"encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    units: int = venue.rpc("getTransaction", signature, settings)["meta"]["computeUnitsConsumed"]
    return units


@pytest.mark.parametrize(("make", "auto"), [(limit_maker, 15_406), (saver, 200_000)], ids=["limit", "recurring"])
def test_what_is_offered_and_how_much_may_be_used(venue: Venue, make: Callable[[Venue], Maker], auto: int) -> None:
    maker = make(venue)
    request_id, opening = maker.opens()
    opened = maker.executes(opening, requestId=request_id).ok()["signature"]
    assert budget_of(opening) == (used_by(venue, opened) * 11 // 10, auto)
    (order,) = maker.orders()
    request_id, closing = maker.cancels(order)
    closed = maker.executes(closing, requestId=request_id).ok()["signature"]
    limit = 43_200 if make is limit_maker else used_by(venue, closed) * 11 // 10
    assert budget_of(closing) == (limit, auto)


def test_eleven_in_three_transactions(venue: Venue) -> None:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    alice = LimitTrader(venue, trader, "/limit/v2")
    orders = [alice.places(10 * USDC, SOL, take) for take in range(1, 12)]
    every = alice.post("cancelOrder", maker=alice.wallet).ok()["txs"]
    assert [budget_of(transaction)[0] for transaction in every] == [216_000, 216_000, 43_200]
    twice = alice.builds_cancels(*orders, orders[3])
    assert [budget_of(transaction)[0] for transaction in twice] == [216_000, 216_000, 43_200]
    for transaction in twice:
        assert alice.executes(transaction).ok()["status"] == "Success"
    assert (alice.open_orders(), trader.holds(USDC)) == ([], 1_000_000_000)
