"""The venue's clock decides when an order ends, to the millisecond; at the same instant time goes before the price."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import SOL, USDC, Venue

FOR_EVER = 1_000_000


@pytest.fixture
def frozen(venue: Venue) -> Venue:
    venue.freezes()
    return venue


@pytest.fixture
def order(frozen: Venue, alice: Trader) -> str:
    """Sells at 200 dollars, and ends a minute from now."""
    return alice.places(single(sell=1 * SOL, above=200, lives_ms=60_000))


def test_an_order_expires_at_the_very_tick(frozen: Venue, alice: Trader, order: str) -> None:
    ends = alice.sees(order)["expiresAt"]
    frozen.advances(59.999)
    assert frozen.now() == ends - 1
    assert alice.state_of(order) == "open"
    frozen.advances(0.001)
    assert frozen.now() == ends
    row = alice.sees(order)
    assert (row["orderState"], row["rawState"]) == ("expired", "expired")
    assert row["events"][0] == {"type": "expired", "timestamp": ends, "state": "success"}
    assert (row["updatedAt"], row["triggeredAt"]) == (ends, None)


def test_a_price_at_the_very_tick_comes_too_late(frozen: Venue, alice: Trader, order: str) -> None:
    frozen.advances(60)
    frozen.price(SOL, "250")
    frozen.settles()
    assert alice.state_of(order) == "expired"
    assert frozen.units_in(alice.accounts[order]) == 10**9


def test_a_price_a_millisecond_before_fills(frozen: Venue, alice: Trader, order: str) -> None:
    frozen.advances(59.999)
    frozen.price(SOL, "250")
    frozen.settles()
    assert alice.state_of(order) == "filled"


def test_a_clock_that_is_set_to_the_very_tick(frozen: Venue, alice: Trader, order: str) -> None:
    ends = alice.sees(order)["expiresAt"]
    frozen.freezes(at=ends)
    frozen.price(SOL, "250")
    frozen.settles()
    assert alice.state_of(order) == "expired"


def test_an_expired_order_is_withdrawn_by_the_same_two_steps(frozen: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=200 * USDC, buy=SOL, below=100, lives_ms=1_000))
    frozen.advances(1)
    assert alice.state_of(order) == "expired"
    assert alice.holds(USDC) == 800_000_000  # Nothing comes back by itself.
    cancelling = alice.cancels(order)
    assert alice.state_of(order) == "pending_withdraw"
    assert alice.confirms(order, cancelling).status == 200
    assert alice.holds(USDC) == 1_000_000_000
    assert [kind for kind, _ in alice.events_of(order)] == ["withdrawal", "cancelled", "expired", "deposit"]


def test_an_order_that_expires_while_its_fill_is_under_way_is_filled(frozen: Venue, alice: Trader, order: str) -> None:
    frozen.faults(landDelayMs=150)
    frozen.advances(59.999)
    frozen.price(SOL, "200")
    assert alice.state_of(order) == "executing"
    while alice.sees(order)["rawState"] == "ready_execute":
        pass
    frozen.freezes(at=alice.sees(order)["expiresAt"] + 1_000)
    frozen.settles()
    assert alice.state_of(order) == "filled"


def test_an_order_whose_fill_fails_after_its_end_is_expired(frozen: Venue, alice: Trader, order: str) -> None:
    frozen.faults(dropTransactions=FOR_EVER)
    frozen.price(SOL, "200")
    while alice.sees(order)["rawState"] != "executing":
        pass
    frozen.advances(60)
    assert alice.state_of(order) == "executing"  # The timer only marks it.
    frozen.faults(dropTransactions=FOR_EVER, expireBlockhashes=True)
    frozen.settles()
    assert alice.state_of(order) == "expired"
    assert [kind for kind, _ in alice.events_of(order)] == ["expired", "fill", "deposit"]
    frozen.faults()
    assert alice.confirms(order, alice.cancels(order)).status == 200


def test_a_crossed_order_without_an_attempt_expires(frozen: Venue, alice: Trader, order: str) -> None:
    frozen.faults(rpcDown=True)
    frozen.price(SOL, "200")
    assert alice.sees(order)["rawState"] == "ready_execute"
    frozen.advances(60)
    assert alice.state_of(order) == "expired"
    frozen.faults()
    frozen.settles()
    assert alice.state_of(order) == "expired"


def test_an_order_that_expires_while_its_deposit_is_under_way(frozen: Venue, alice: Trader) -> None:
    order = single(sell=1 * SOL, above=100, lives_ms=1_000)  # It would fill at once.
    body = alice.body_for(order, alice.crafts(order))
    frozen.faults(dropTransactions=1)
    assert alice.creates(body).status == 500
    frozen.advances(1)
    assert [row["orderState"] for row in alice.history()] == ["pending"]
    created = alice.creates(body).ok()
    assert alice.state_of(created["id"]) == "expired"


def test_renewing_an_order(frozen: Venue, alice: Trader, order: str) -> None:
    ends = alice.sees(order)["expiresAt"]
    assert alice.amends(order, expiresAt=ends + 1).ok() == {"id": order}
    frozen.advances(60)
    assert alice.state_of(order) == "open"
    assert alice.amends(order, expiresAt=ends).status == 400  # That is now.
    frozen.advances(0.001)
    assert alice.state_of(order) == "expired"


def test_the_clock_stands_runs_and_never_goes_back(venue: Venue) -> None:
    venue.freezes()
    frozen_at = venue.now()
    assert venue.sandbox()["clock"] == {"mode": "frozen"}
    assert venue.now() == frozen_at
    refused = venue.ask("POST", "/sandbox/clock", {"mode": "frozen", "now": frozen_at - 1})
    assert refused.status == 400
    assert refused.body["error"].startswith("now: ")
    venue.freezes(at=frozen_at + 5)
    assert venue.now() == frozen_at + 5
    venue.runs()
    assert venue.sandbox()["clock"] == {"mode": "running"}
    while venue.now() == frozen_at + 5:
        pass
    venue.advances(3_600)
    assert venue.now() >= frozen_at + 3_600_000


def test_advances_at_once_all_count(venue: Venue) -> None:
    venue.freezes()
    before = venue.now()
    with ThreadPoolExecutor(10) as clients:
        list(clients.map(venue.advances, [3_600, 1] * 5))
    assert venue.now() - before == 5 * 3_601_000


@pytest.mark.parametrize("seconds", [-1, "x", None, [], 1e400, "1e9999999"])
def test_time_is_moved_by_a_number_of_seconds(venue: Venue, seconds: object) -> None:
    body = b'{"seconds":1e400}' if seconds == 1e400 else {"seconds": seconds}
    refused = venue.ask("POST", "/sandbox/clock/advance", body)
    assert refused.status == 400
    assert "seconds" in refused.body["error"]


def test_an_advance_moves_block_time_and_no_slots(venue: Venue) -> None:
    """E3."""
    began, before = time.monotonic(), venue.sandbox()["chain"]
    for _ in range(3):
        venue.advances(3_600)
    after, slots = venue.sandbox()["chain"], int((time.monotonic() - began) / 0.4) + 1
    assert after["slot"] - before["slot"] <= slots
    assert after["blockHeight"] - before["blockHeight"] <= slots
    assert venue.rpc("getBlockTime", venue.rpc("getSlot")) >= venue.now() // 1000 - 1


def test_slots_go_on_while_the_clock_is_frozen(venue: Venue) -> None:
    venue.freezes()
    slot = venue.rpc("getSlot")
    at = venue.rpc("getBlockTime", slot)
    venue.passes_slots()
    later = venue.rpc("getSlot")
    assert later > slot
    assert venue.rpc("getBlockTime", later) == at
    venue.runs()


def test_what_was_crafted_before_an_advance_is_confirmed_after_it(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, above=200))
    cancelling = alice.cancels(order)
    venue.advances(3_600)
    assert alice.confirms(order, cancelling).status == 200
    assert alice.state_of(order) == "cancelled"


def test_tokens_follow_the_wall_clock(venue: Venue, alice: Trader) -> None:
    venue.advances(25 * 3_600)
    assert alice.history() == []
