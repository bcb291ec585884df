"""What the sandbox can break on purpose, and what clients may rely on nevertheless."""

import pytest

from tests.end_to_end.trader import ROOT, Trader, single
from tests.end_to_end.venue import CONFIRM_TIMEOUT_MS, SOL, USDC, LostAnswer, Venue

FOR_EVER = 1_000_000


@pytest.fixture(autouse=True)
def no_other_order_is_here(house: Venue) -> None:
    """A fault strikes whatever comes next: no other wallet's order may come."""
    house.resets()


@pytest.fixture
def order(alice: Trader) -> str:
    return alice.places(single(sell=1 * SOL, above=200))


# --- answers that get lost


def test_a_lost_answer_to_a_create(venue: Venue, alice: Trader) -> None:
    order = single(sell=1 * SOL, above=200)
    body = alice.body_for(order, alice.crafts(order))
    venue.faults(loseAnswers=1)
    with pytest.raises(LostAnswer):
        alice.creates(body)
    (row,) = alice.history()
    assert row["orderState"] == "open"
    created = alice.creates(body).ok()
    assert (created["id"], created["message"]) == (row["id"], "Order already created")


def test_a_lost_answer_to_a_cancel(venue: Venue, alice: Trader, order: str) -> None:
    venue.faults(loseAnswers=2)
    for _ in range(2):
        with pytest.raises(LostAnswer):
            alice.asks_to_cancel(order)
    assert alice.state_of(order) == "pending_withdraw"
    venue.price(SOL, "250")
    venue.settles()
    assert alice.state_of(order) == "pending_withdraw"
    assert alice.confirms(order, alice.cancels(order)).status == 200


def test_a_lost_answer_to_a_confirm(venue: Venue, alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    venue.faults(loseAnswers=1)
    with pytest.raises(LostAnswer):
        alice.confirms(order, cancelling)
    row = alice.sees(order)
    assert row["orderState"] == "cancelled"
    assert alice.withdraws(order, cancelling)["txSignature"] == row["events"][0]["txSignature"]


def test_lost_answers_to_the_rest(venue: Venue, alice: Trader, order: str) -> None:
    venue.faults(loseAnswers=1)
    with pytest.raises(LostAnswer):
        alice.amends(order, triggerPriceUsd=210)
    assert alice.sees(order)["triggerPriceUsd"] == 210
    assert alice.amends(order, triggerPriceUsd=210).ok() == {"id": order}

    stranger = Trader(venue)
    stranger.signs_in()
    venue.faults(loseAnswers=1)
    with pytest.raises(LostAnswer):
        stranger.get("/vault/register")
    assert stranger.get("/vault/register").status == 409
    assert stranger.get("/vault").status == 200


def test_reads_and_the_sandbox_do_not_get_lost(venue: Venue, alice: Trader, order: str) -> None:
    venue.faults(loseAnswers=1)
    alice.sees(order)
    venue.price(SOL, "151")
    assert venue.rpc("getSlot") > 0
    assert venue.remaining_faults() == {"loseAnswers": 1}


# --- swaps that fail


def test_a_failed_swap_is_tried_again_after_a_pause(venue: Venue, alice: Trader, order: str) -> None:
    venue.freezes()
    venue.faults(failSwaps=1)
    venue.price(SOL, "200")
    venue.settles()
    assert alice.state_of(order) == "open"
    assert alice.events_of(order) == [("fill", "failed"), ("deposit", "success")]
    (failure, _) = alice.sees(order)["events"]
    (status,) = venue.rpc("getSignatureStatuses", [failure["txSignature"]])
    assert status["err"] is not None  # It landed and failed.
    assert venue.units_in(alice.accounts[order]) == 10**9
    venue.advances(0.999)
    venue.settles()
    assert alice.state_of(order) == "open"
    venue.advances(0.001)
    venue.settles()
    assert alice.state_of(order) == "filled"
    assert alice.events_of(order) == [("fill", "success"), ("fill", "failed"), ("deposit", "success")]


def test_the_pause_grows_and_the_history_shows_the_newest_five(venue: Venue, alice: Trader, order: str) -> None:
    venue.freezes()
    venue.faults(failSwaps=8)
    venue.price(SOL, "200")
    venue.settles()
    for seconds in (1, 2, 4, 8, 16, 32, 60):
        venue.advances(seconds - 0.001)
        venue.settles()
        before = venue.sandbox()["faults"]["failSwaps"]
        venue.advances(0.001)
        venue.settles()
        assert venue.sandbox()["faults"]["failSwaps"] == before - 1
    assert alice.events_of(order) == [("fill", "failed")] * 5 + [("deposit", "success")]
    venue.advances(60)
    venue.settles()
    assert alice.state_of(order) == "filled"


def test_a_new_price_does_not_wait_for_the_pause(venue: Venue, alice: Trader, order: str) -> None:
    venue.freezes()
    venue.faults(failSwaps=1)
    venue.price(SOL, "200")
    venue.settles()
    venue.price(SOL, "201")
    venue.settles()
    assert alice.state_of(order) == "filled"


def test_an_order_in_its_pause_can_be_cancelled(venue: Venue, alice: Trader, order: str) -> None:
    venue.freezes()
    venue.faults(failSwaps=1)
    venue.price(SOL, "200")
    venue.settles()
    cancelling = alice.cancels(order)
    venue.advances(60)
    venue.price(SOL, "210")
    venue.settles()
    assert alice.state_of(order) == "pending_withdraw"
    venue.faults()
    assert alice.confirms(order, alice.cancels(order)).status == 200
    assert cancelling.request_id


def test_a_price_that_turned_back_ends_the_trying(venue: Venue, alice: Trader, order: str) -> None:
    venue.freezes()
    venue.faults(failSwaps=1)
    venue.price(SOL, "200")
    venue.settles()
    venue.price(SOL, "199")
    venue.advances(60)
    venue.settles()
    assert alice.state_of(order) == "open"
    venue.price(SOL, "200")
    venue.settles()
    assert alice.state_of(order) == "filled"


# --- the depth of the market


def test_a_quote_below_the_minimum_is_a_failed_swap_without_a_transaction(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, above=200, slippage_bps=100))
    venue.freezes()
    impact(venue, 101)
    venue.price(SOL, "200")
    venue.settles()
    failure, _ = alice.sees(order)["events"]
    assert (failure["type"], failure["state"], "txSignature" in failure) == ("fill", "failed", False)
    impact(venue, 100)
    venue.advances(1)
    venue.settles()
    row = alice.sees(order)
    assert (row["orderState"], row["outputAmount"]) == ("filled", "197802000")  # 200 − 1 % − 0.1 %.
    impact(venue, 0)


@pytest.mark.parametrize(
    ("above", "below", "price", "least_bps"),
    [(200, None, "200", 300), (None, 100, "100", 2_000)],
    ids=["profit", "loss"],
)
def test_the_slippage_of_an_order_that_names_none(
    venue: Venue, alice: Trader, above: float | None, below: float | None, price: str, least_bps: int
) -> None:
    order = alice.places(single(sell=1 * SOL, above=above, below=below))
    venue.freezes()
    impact(venue, least_bps + 1)
    venue.price(SOL, price)
    venue.settles()
    assert alice.state_of(order) == "open"
    impact(venue, least_bps)
    venue.price(SOL, price)
    venue.settles()
    row = alice.sees(order)
    assert (row["orderState"], row["slippageBps"]) == ("filled", None)
    impact(venue, 0)


def test_a_stop_that_the_price_gaps_past_waits_until_it_is_back_in_its_buffer(venue: Venue, alice: Trader) -> None:
    """D11: a stop at 120 with 2,000 basis points fills at 96 and more; at 90 each try is a failed swap."""
    order = alice.places(single(sell=1 * SOL, below=120, slippage_bps=2_000))
    venue.freezes()
    venue.price(SOL, "90")
    for pause_s in (1, 2, 4):
        venue.settles()
        assert alice.state_of(order) == "open"
        venue.advances(pause_s)
    venue.settles()
    assert alice.events_of(order)[:4] == [("fill", "failed")] * 4
    assert not any("txSignature" in event for event in alice.sees(order)["events"][:4])
    venue.price(SOL, "96")
    venue.settles()
    row = alice.sees(order)
    assert (row["orderState"], row["outputAmount"]) == ("filled", "95904000")  # 96 less a thousandth.


def test_a_breakout_that_gaps_away_is_not_chased(venue: Venue, alice: Trader) -> None:
    """D11, for the mint that is bought: above 200 with 500 basis points it pays at most 210."""
    order = alice.places(single(sell=420 * USDC, buy=SOL, above=200, slippage_bps=500))
    venue.freezes()
    venue.price(SOL, "210.01")
    venue.settles()
    assert (alice.state_of(order), alice.events_of(order)[0]) == ("open", ("fill", "failed"))
    venue.price(SOL, "210")
    venue.settles()
    row = alice.sees(order)
    assert (row["orderState"], row["outputAmount"]) == ("filled", "1998000000")  # 2 SOL less a thousandth.


def test_an_amended_slippage_lets_a_gapped_stop_fill(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, below=120, slippage_bps=100))
    venue.freezes()
    venue.price(SOL, "60")
    venue.settles()
    assert alice.state_of(order) == "open"
    alice.amends(order, slippageBps=10_000).ok()
    venue.settles()
    assert alice.state_of(order) == "filled"


def impact(venue: Venue, bps: int) -> None:
    venue.ask("PUT", "/sandbox/liquidity", {SOL.mint: {"impactBps": bps}}).ok()


# --- late, lost, limited


def test_a_late_fill_lands_once(venue: Venue, alice: Trader, order: str) -> None:
    before = alice.holds(USDC)
    venue.faults(landDelayMs=2 * CONFIRM_TIMEOUT_MS + 100)  # Later than the outbox's patience: it sends again.
    venue.price(SOL, "200")
    venue.settles()
    assert alice.state_of(order) == "filled"
    assert alice.holds(USDC) - before == 199_800_000


def test_a_lost_fill_is_sent_again(venue: Venue, alice: Trader, order: str) -> None:
    before = alice.holds(USDC)
    venue.faults(dropTransactions=1)
    venue.price(SOL, "200")
    venue.settles()
    assert alice.state_of(order) == "filled"
    assert alice.holds(USDC) - before == 199_800_000


def test_a_fill_that_died_is_made_anew(venue: Venue, alice: Trader, order: str) -> None:
    venue.freezes()
    venue.faults(dropTransactions=1)
    venue.price(SOL, "200")
    while alice.sees(order)["rawState"] == "ready_execute":
        pass
    venue.faults(expireBlockhashes=True)
    venue.settles()
    assert alice.state_of(order) == "open"
    assert alice.events_of(order)[0] == ("fill", "failed")
    venue.advances(1)
    venue.settles()
    assert alice.state_of(order) == "filled"


def test_limited_requests(venue: Venue, alice: Trader) -> None:
    venue.faults(rateLimit=2)
    for _ in range(2):
        answer = alice.get("/vault")
        assert (answer.status, answer.body) == (429, {"code": 429, "message": "[API Gateway] Too many requests"})
        assert int(answer.headers["x-ratelimit-remaining"]) <= 9_000
    assert alice.get("/vault").status == 200
    assert venue.remaining_faults() == {}


def test_tokens_that_end_now(venue: Venue, alice: Trader, bob: Trader, order: str) -> None:
    venue.faults(expireTokens=True)
    assert venue.remaining_faults() == {}
    for trader in (alice, bob):
        assert trader.get("/vault").error == (401, "Unauthorized")
    assert alice.asks_to_cancel(order).error == (401, "Unauthorized")
    alice.signs_in()
    assert alice.state_of(order) == "open"


# --- the switches


def test_faults_are_replaced_as_a_whole(venue: Venue) -> None:
    venue.faults(dropTransactions=3, landDelayMs=5)
    assert venue.remaining_faults() == {"dropTransactions": 3, "landDelayMs": 5}
    venue.faults(failSwaps=2)
    assert venue.remaining_faults() == {"failSwaps": 2}
    venue.faults(expireBlockhashes=True)
    assert venue.remaining_faults() == {}
    assert list(venue.sandbox()["faults"]) == [
        "dropTransactions", "failSwaps", "landDelayMs", "loseAnswers", "rpcDown", "expireBlockhashes", "crash",
        "rateLimit", "expireTokens", "failMatches", "strict",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "faults",
    [
        {"dropTransactions": -1},
        {"dropTransactions": "1"},
        {"landDelayMs": 1.5},
        {"rpcDown": 1},
        {"crash": "now"},
        {"failSwaps": None},
        [],
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(venue: Venue, faults: object) -> None:
    venue.faults(failSwaps=1)
    assert venue.ask("PUT", "/sandbox/faults", faults).status == 400
    assert venue.remaining_faults() == {"failSwaps": 1}


def test_a_switch_is_named_as_it_was_sent(venue: Venue) -> None:
    refused = venue.ask("PUT", "/sandbox/faults", {"landDelayMs": -1})
    assert refused.error == (400, "landDelayMs: -1 is not between 0 and 1000000")


def test_counters_count_down(venue: Venue, alice: Trader, order: str) -> None:
    venue.faults(dropTransactions=3, loseAnswers=1)
    cancelling = alice_cancels_with_a_lost_answer(alice, order)
    assert venue.remaining_faults() == {"dropTransactions": 3}
    assert venue.ask("POST", f"{ROOT}/auth/challenge", {"walletPubkey": alice.wallet, "type": "message"}).status == 200
    assert alice.hands_in(order, cancelling[0], cancelling[1]).status == 500
    assert venue.remaining_faults()["dropTransactions"] in (1, 2)


def alice_cancels_with_a_lost_answer(alice: Trader, order: str) -> tuple[str, str]:
    with pytest.raises(LostAnswer):
        alice.asks_to_cancel(order)
    cancelling = alice.cancels(order)
    return alice.signs(cancelling.transaction), cancelling.request_id
