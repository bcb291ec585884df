"""Recurring orders of Trigger v2, over a venue as its users meet it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.end_to_end.dca_trader import HOUR_S, DcaTrader, dca
from tests.end_to_end.trader import Cancelling, Trader, single
from tests.end_to_end.venue import JUP, SOL, USDC, USDT, Funds, Token, Venue

RENT = 2_039_280
BY_PRICE: dict[str, object] = {"orderType": "price_conditional", "triggerMint": SOL.mint}


@pytest.fixture
def plans(alice: Trader) -> DcaTrader:
    return DcaTrader(alice)


@pytest.fixture
def frozen(venue: Venue) -> Venue:
    """Its clock moves only when it is advanced."""
    venue.freezes()
    return venue


def iso(ms: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


# --- a whole life


def test_three_rounds_of_which_the_last_takes_the_dust(frozen: Venue, alice: Trader, plans: DcaTrader) -> None:
    before, now = alice.holds(USDC), frozen.now()
    order = plans.places(dca(sell=100 * USDC))
    frozen.settles()
    row = plans.sees(order)
    assert row == {
        "id": order,
        "requestId": row["requestId"],
        "userPubkey": alice.wallet,
        "vaultPubkey": alice.vault,
        "inputMint": USDC.mint,
        "outputMint": SOL.mint,
        "inputAmountInitial": "100000000",
        "inputAmountRemaining": "66666667",
        "amountPerRound": "33333333",
        "outputAmountTotal": row["outputAmountTotal"],
        "inputAmountUsed": "33333333",
        "orderType": "time_based",
        "minPriceUsd": None,
        "maxPriceUsd": None,
        "triggerMint": None,
        "retryWindowSeconds": 1_800,
        "jlEnabled": False,
        "jlYieldUsd": None,
        "numberOfRounds": 3,
        "intervalSeconds": HOUR_S,
        "beginFillAt": iso(now),
        "nextFillAt": iso(now + HOUR_S * 1_000),
        "lastFillAt": iso(now),
        "roundsFilled": 1,
        "fillPercent": 0.33333333,
        "state": "active",
        "displayState": "active",
        "createdAt": iso(now),
        "updatedAt": iso(now),
        "events": row["events"],
    }
    fill, deposit = row["events"]
    assert fill == {
        "type": "fill",
        "timestamp": iso(now),
        "txSignature": fill["txSignature"],
        "roundNumber": 1,
        "inputAmount": "33333333",
        "outputAmount": row["outputAmountTotal"],
        "state": "success",
    }
    assert deposit | {"txSignature": ""} == {
        "type": "deposit",
        "timestamp": iso(now),
        "txSignature": "",
        "inputAmount": "100000000",
        "state": "success",
    }
    assert 33_333_333 * 1_000 // 150 > int(row["outputAmountTotal"]) > 33_333_333 * 970 // 150
    frozen.advances(HOUR_S - 1)
    frozen.settles()
    assert plans.sees(order)["roundsFilled"] == 1
    frozen.advances(1)
    frozen.settles()
    assert plans.sees(order)["inputAmountRemaining"] == "33333334"
    frozen.advances(HOUR_S)
    frozen.settles()
    row = plans.sees(order)
    assert (row["state"], row["displayState"], row["fillPercent"]) == ("completed", "completed", 1)
    assert (row["roundsFilled"], row["nextFillAt"], row["inputAmountUsed"]) == (3, None, "100000000")
    assert [event.get("inputAmount") for event in row["events"]] == ["33333334", "33333333", "33333333", "100000000"]
    assert not frozen.exists(alice.accounts[order])
    assert before - alice.holds(USDC) == 100_000_000
    frozen.advances(9 * HOUR_S)
    frozen.settles()
    assert plans.sees(order) == row, "nothing more happens"
    assert frozen.audit()["ok"]


@pytest.mark.parametrize(("sold", "bought"), [(1 * SOL, USDC), (1 * SOL, JUP), (1_000 * JUP, SOL)])
def test_any_pair(frozen: Venue, alice: Trader, plans: DcaTrader, sold: Funds, bought: Token) -> None:
    had = alice.holds(bought)
    order = plans.places(dca(sell=sold, buy=bought, rounds=3))
    for _ in range(3):
        frozen.settles()
        frozen.advances(HOUR_S)
    row = plans.sees(order)
    assert (row["state"], row["inputAmountUsed"]) == ("completed", str(sold.units))
    if bought != SOL:
        assert alice.holds(bought) - had == int(row["outputAmountTotal"])
    assert not frozen.exists(alice.accounts[order])
    assert frozen.audit()["ok"]


def test_with_a_running_clock_the_first_round_fills_at_once(venue: Venue, plans: DcaTrader) -> None:
    order = plans.places(dca(sell=100 * USDC, every_s=60))
    venue.settles()
    first = plans.sees(order)
    assert ms(first["nextFillAt"]) == ms(first["lastFillAt"]) + 60_000
    venue.advances(60)
    venue.settles()
    assert plans.sees(order)["roundsFilled"] == 2


def test_a_begin_in_the_future(frozen: Venue, plans: DcaTrader) -> None:
    begin = frozen.now() + 10_000
    order = plans.places(dca(sell=100 * USDC, beginFillAt=iso(begin)))
    row = plans.sees(order)
    assert (row["beginFillAt"], row["nextFillAt"], row["roundsFilled"]) == (iso(begin), iso(begin), 0)
    frozen.advances(9.999)
    frozen.settles()
    assert plans.sees(order)["roundsFilled"] == 0
    frozen.advances(0.001)
    frozen.settles()
    assert plans.sees(order)["lastFillAt"] == iso(begin)


def test_a_clock_that_jumps_makes_one_round_and_no_burst(frozen: Venue, plans: DcaTrader) -> None:
    order = plans.places(dca(sell=100 * USDC, rounds=5))
    frozen.settles()
    frozen.advances(100 * HOUR_S)
    frozen.settles()
    row = plans.sees(order)
    assert (row["roundsFilled"], row["nextFillAt"]) == (2, iso(frozen.now() + HOUR_S * 1_000))


# --- cancelling


def test_a_cancel_midway_returns_the_rest(frozen: Venue, alice: Trader, plans: DcaTrader) -> None:
    before = alice.holds(USDC)
    order = plans.places(dca(sell=100 * USDC))
    frozen.settles()
    cancelling = plans.asks_to_cancel(order).ok()
    assert list(cancelling) == ["id", "roundsRemaining", "refundAmount", "transaction", "requestId"]
    assert (cancelling["id"], cancelling["roundsRemaining"], cancelling["refundAmount"]) == (order, 2, "66666667")
    row = plans.sees(order)
    assert (row["state"], row["displayState"], row["nextFillAt"]) == ("withdrawing", "pending_withdraw", None)
    assert frozen.ask("GET", f"/sandbox/orders/{order}").ok()["nextFillAt"] is None
    frozen.advances(9 * HOUR_S)
    frozen.settles()
    assert plans.sees(order)["roundsFilled"] == 1, "no round begins any more"
    again = plans.asks_to_cancel(order).ok()
    assert again["requestId"] == cancelling["requestId"]
    confirmed = plans.withdraws(order, again)
    assert confirmed == {"id": order, "txSignature": confirmed["txSignature"]}
    row = plans.sees(order)
    assert (row["state"], row["displayState"]) == ("cancelled", "cancelled")
    events = [(each["type"], each.get("inputAmount")) for each in row["events"]]
    assert events == [
        ("withdrawal", "66666667"),
        ("cancelled", None),
        ("fill", "33333333"),
        ("deposit", "100000000"),
    ]
    assert plans.withdraws(order, again) == confirmed, "the same for ever"
    assert before - alice.holds(USDC) == 33_333_333
    assert not frozen.exists(alice.accounts[order])
    assert frozen.audit()["ok"]


def test_lamports_come_back_as_lamports(frozen: Venue, alice: Trader, plans: DcaTrader) -> None:
    order = plans.places(dca(sell=1 * SOL, buy=USDC, beginFillAt=iso(frozen.now() + 1_000)))
    before = alice.holds(SOL)
    cancelling = plans.asks_to_cancel(order).ok()
    assert (cancelling["roundsRemaining"], cancelling["refundAmount"]) == (3, "1000000000")
    plans.withdraws(order, cancelling)
    assert 0 <= before + 10**9 + RENT - alice.holds(SOL) < 200_000, "less the fee"


def test_a_round_that_is_under_way_cannot_be_cancelled(frozen: Venue, plans: DcaTrader) -> None:
    order = plans.places(dca(sell=100 * USDC))
    frozen.settles()
    frozen.faults(dropTransactions=1_000)
    frozen.advances(HOUR_S)
    while plans.sees(order)["state"] != "executing":
        pass
    row = plans.sees(order)
    assert (row["displayState"], row["roundsFilled"]) == ("executing", 1)
    assert plans.asks_to_cancel(order).error == (400, "Cannot cancel DCA order in 'executing' state")
    frozen.faults()
    frozen.settles()
    assert plans.sees(order)["roundsFilled"] == 2, "it was sent again"


def test_what_cannot_be_cancelled_says_its_state(frozen: Venue, alice: Trader, bob: Trader, plans: DcaTrader) -> None:
    order = plans.places(dca(sell=100 * USDC, rounds=2))
    unknown = (404, "DCA order not found or you do not own it")
    assert DcaTrader(bob).asks_to_cancel(order).error == unknown
    assert bob.get(f"/orders/history/dca/{order}").error == unknown
    assert plans.asks_to_cancel("0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3c").error == unknown
    assert plans.asks_to_cancel("nonsense").error == (400, "Invalid order ID")
    nothing = Cancelling("AQAB", "1b4e28ba-2fa1-4d3b-8c6e-0f1c8f1b0a77")
    assert plans.hands_in(order, nothing).error == (400, "DCA order not in cancellation state")
    assert DcaTrader(bob).hands_in(order, nothing).error == unknown
    frozen.settles()
    frozen.advances(HOUR_S)
    frozen.settles()
    assert plans.asks_to_cancel(order).error == (400, "Cannot cancel DCA order in 'completed' state")
    price_order = alice.places(single(sell=1 * SOL, above=1_000))
    assert plans.asks_to_cancel(price_order).error == unknown, "another family"
    assert alice.asks_to_cancel(order).error == (404, "Order not found")


def test_a_confirm_that_is_refused(frozen: Venue, plans: DcaTrader) -> None:
    order = plans.places(dca(sell=100 * USDC, beginFillAt=iso(frozen.now() + 1_000)))
    first = plans.asks_to_cancel(order).ok()
    other = Cancelling(plans.trader.signs(first["transaction"]), "1b4e28ba-2fa1-4d3b-8c6e-0f1c8f1b0a77")
    gone = "Withdrawal transaction not found in cache. Please initiate cancel again."
    assert plans.hands_in(order, other).error == (400, gone)
    garbage = Cancelling("nonsense", first["requestId"])
    assert plans.hands_in(order, garbage).error == (400, "Invalid transaction format")
    unsigned = Cancelling(first["transaction"], first["requestId"])
    words = "Invalid withdrawal transaction: the wallet's signature is missing"
    assert plans.hands_in(order, unsigned).error == (400, words)
    frozen.passes_slots()
    second = plans.asks_to_cancel(order).ok()
    words = "Invalid withdrawal transaction: a newer cancel replaced it; sign the newest one"
    assert plans.confirms(order, first).error == (400, words)
    assert plans.confirms(order, second).status == 200


def test_a_withdrawal_that_is_lost_is_crafted_anew(frozen: Venue, plans: DcaTrader) -> None:
    order = plans.places(dca(sell=100 * USDC, beginFillAt=iso(frozen.now() + 1_000)))
    first = plans.asks_to_cancel(order).ok()
    frozen.faults(dropTransactions=9)
    lost = plans.confirms(order, first)
    assert lost.error == (500, "Withdrawal transaction did not land. Retry confirm with the same cancelRequestId.")
    frozen.faults(expireBlockhashes=True)
    second = plans.asks_to_cancel(order).ok()
    assert second["requestId"] == first["requestId"]
    expired = "Withdrawal transaction expired. Please initiate cancel again."
    assert plans.confirms(order, first).error == (400, expired)
    assert plans.confirms(order, second).status == 200


# --- failures and prices


def test_a_swap_that_fails_is_tried_again_within_its_window(frozen: Venue, plans: DcaTrader) -> None:
    order = plans.places(dca(sell=100 * USDC, beginFillAt=iso(frozen.now() + 1_000)))
    frozen.faults(failSwaps=2)
    frozen.advances(1)
    frozen.settles()
    row = plans.sees(order)
    assert (row["roundsFilled"], row["state"]) == (0, "active")
    failed = row["events"][0]
    assert (failed["type"], failed["state"], failed["roundNumber"], failed["attemptCount"]) == ("fill", "failed", 1, 1)
    assert failed["txSignature"], "it landed with an error"
    frozen.advances(1)
    frozen.settles()
    frozen.advances(2)
    frozen.settles()
    row = plans.sees(order)
    assert [(event["state"], event.get("attemptCount")) for event in row["events"]] == [
        ("success", 3),
        ("failed", 2),
        ("failed", 1),
        ("success", None),
    ]
    assert row["roundsFilled"] == 1
    assert frozen.audit()["ok"]


def test_a_round_whose_window_is_over_goes_to_the_next_interval(frozen: Venue, plans: DcaTrader) -> None:
    frozen.pool(USDC, most=1)
    begin = frozen.now()
    order = plans.places(dca(sell=100 * USDC))
    frozen.settles()
    failed = plans.sees(order)["events"][0]
    assert (failed["state"], failed["attemptCount"], "txSignature" in failed) == ("failed", 1, False)
    frozen.advances(1_801)
    frozen.settles()
    row = plans.sees(order)
    assert (row["roundsFilled"], row["nextFillAt"]) == (0, iso(begin + HOUR_S * 1_000))
    moved = row["events"][0]
    assert (moved["state"], moved["roundNumber"], moved["attemptCount"]) == ("rescheduled", 1, 1)
    frozen.deepens_pools()
    frozen.advances(HOUR_S - 1_802)
    frozen.settles()
    assert plans.sees(order)["roundsFilled"] == 0
    frozen.advances(1)
    frozen.settles()
    assert plans.sees(order)["roundsFilled"] == 1


def test_a_round_gives_its_worth_less_three_percent_at_least(frozen: Venue, plans: DcaTrader) -> None:
    frozen.pool(USDC, impact_bps=400)
    order = plans.places(dca(sell=100 * USDC))
    frozen.settles()
    shown = frozen.ask("GET", f"/sandbox/orders/{order}").ok()
    (reason,) = [each["reason"] for each in shown["timeline"] if each["event"] == "round_postponed"]
    assert "less than its minimum" in reason
    assert "(300 basis points beyond the current prices)" in reason
    assert shown["waitsFor"] == f"a swap of round 1 of 3 failed ({reason}); next try in 1 s of the venue's clock"
    assert (shown["waiting"]["for"], shown["waiting"]["reason"]) == ("pause", reason)
    (listed,) = [each for each in frozen.ask("GET", "/sandbox/orders?family=dca").ok()["orders"] if each["id"] == order]
    assert (listed["waitsFor"], listed["waiting"]) == (shown["waitsFor"], shown["waiting"])
    frozen.pool(USDC, impact_bps=200)
    frozen.advances(1)
    frozen.settles()
    assert plans.sees(order)["roundsFilled"] == 1


@pytest.mark.parametrize(("price", "fills"), [("100", True), ("200", True), ("99.99", False), ("200.01", False)])
def test_a_price_conditional_order_fills_within_its_prices(
    frozen: Venue, plans: DcaTrader, price: str, fills: bool
) -> None:
    frozen.price(SOL, price)
    now = frozen.now()
    limits: dict[str, object] = {
        "orderType": "price_conditional",
        "triggerMint": SOL.mint,
        "minPriceUsd": 100,
        "maxPriceUsd": "200",
    }
    order = plans.places(dca(sell=100 * USDC).but(limits))
    frozen.settles()
    row = plans.sees(order)
    assert (row["orderType"], row["minPriceUsd"], row["maxPriceUsd"]) == ("price_conditional", 100, 200)
    assert (row["triggerMint"], row["roundsFilled"]) == (SOL.mint, int(fills))
    assert row["nextFillAt"] == iso(now + HOUR_S * 1_000)
    assert row["events"][0]["state"] == ("success" if fills else "rescheduled")
    if fills:
        return
    frozen.price(SOL, "150")
    frozen.settles()
    assert plans.sees(order)["roundsFilled"] == 0, "the next round is an interval later"
    frozen.advances(HOUR_S)
    frozen.settles()
    assert plans.sees(order)["roundsFilled"] == 1


def test_only_one_limit_is_needed(frozen: Venue, plans: DcaTrader) -> None:
    limits: dict[str, object] = {
        "orderType": "price_conditional",
        "triggerMint": SOL.mint,
        "minPriceUsd": None,
        "maxPriceUsd": 149,
    }
    order = plans.places(dca(sell=100 * USDC).but(limits))
    frozen.settles()
    row = plans.sees(order)
    assert (row["minPriceUsd"], row["maxPriceUsd"], row["roundsFilled"]) == (None, 149, 0)


# --- what is refused


def test_ten_active_orders_a_wallet(frozen: Venue, alice: Trader, plans: DcaTrader) -> None:
    later: dict[str, object] = {"beginFillAt": iso(frozen.now() + 1_000)}
    craft = plans.asks_to_deposit(dca(sell=20 * USDC, rounds=2)).ok()
    body = plans.body_for(dca(sell=20 * USDC, rounds=2).but(later), craft)
    orders = [plans.creates(body).ok()["id"]]
    orders += [plans.places(dca(sell=20 * USDC, rounds=2).but(later)) for _ in range(9)]
    refused = (400, "Maximum of 10 active DCA orders allowed per user")
    assert plans.asks_for(dca(sell=20 * USDC, rounds=2)).error == refused
    again = plans.creates(body).ok()
    assert (again["id"], again["message"]) == (orders[0], "Order already created")
    cancelling = plans.asks_to_cancel(orders[3]).ok()
    assert plans.asks_for(dca(sell=20 * USDC, rounds=2)).error == refused, "it is withdrawing"
    plans.withdraws(orders[3], cancelling)
    plans.places(dca(sell=20 * USDC, rounds=2))
    assert plans.history(state="active")["pagination"]["total"] == 10
    assert alice.history() == [], "they are no price orders"


PLAIN = [
    ({"inputMint": SOL.mint}, "Input mint and output mint cannot be the same"),
    ({"outputMint": USDT.mint}, "Mint pair is not supported"),
    ({"beginFillAt": "2020-01-01T00:00:00Z"}, "Begin fill time must be in the future"),
    ({"beginFillAt": "2999-01-01T00:00:00.000Z"}, "Begin fill time cannot be more than 30 days in the future"),
    ({"orderCount": 12}, "Each order must be at least 10 USD (current value: 8.33 USD)"),
    ({"jlEnabled": True, "inputMint": JUP.mint}, "jlEnabled is not supported for this input mint"),
    ({"jlEnabled": True}, "JL orders require the JL deposit craft. Please re-craft the deposit with jlMint."),
    (
        {"jlEnabled": True, "orderType": "price_conditional", "triggerMint": SOL.mint, "minPriceUsd": 1},
        "jlEnabled is only supported for time_based orders",
    ),
    (
        {"orderType": "price_conditional", "triggerMint": USDC.mint, "minPriceUsd": 1},
        "Trigger mint is not supported",
    ),
    (
        {"depositRequestId": "1b4e28ba-2fa1-4d3b-8c6e-0f1c8f1b0a77"},
        "Deposit transaction not found in cache. Please craft a new deposit first.",
    ),
    ({"depositSignedTx": "nonsense"}, "Invalid transaction format"),
]


@pytest.mark.parametrize(("fields", "words"), PLAIN, ids=[words[:40] for _, words in PLAIN])
def test_a_create_that_is_refused(frozen: Venue, plans: DcaTrader, fields: dict[str, object], words: str) -> None:
    plan = dca(sell=100 * USDC)
    body = plans.body_for(plan, plans.asks_to_deposit(plan).ok())
    assert plans.creates(body | fields).error == (400, words)
    assert plans.history()["orders"] == []
    assert plans.creates(body).status == 200, "the deposit still serves"


FLAWED: list[tuple[dict[str, object], dict[str, str]]] = [
    ({"minPriceUsd": 1}, {"orderType": "Time-based orders cannot set minPriceUsd or maxPriceUsd"}),
    (
        {"orderType": "time_based", "maxPriceUsd": 1},
        {"orderType": "Time-based orders cannot set minPriceUsd or maxPriceUsd"},
    ),
    (
        {"orderType": "price_conditional", "triggerMint": SOL.mint},
        {"orderType": "Price-conditional orders must have at least minPriceUsd or maxPriceUsd set"},
    ),
    (
        {"orderType": "price_conditional", "minPriceUsd": 1},
        {"triggerMint": "Price-conditional orders must specify a triggerMint"},
    ),
    ({"orderType": "never"}, {"orderType": 'Invalid option: expected one of "time_based"|"price_conditional"'}),
    ({"orderCount": 1}, {"orderCount": "Too small: expected number to be >=2"}),
    ({"intervalSeconds": 59}, {"intervalSeconds": "Too small: expected number to be >=60"}),
    ({"intervalSeconds": 31_536_001}, {"intervalSeconds": "Too big: expected number to be <=31536000"}),
    ({"beginFillAt": "tomorrow"}, {"beginFillAt": "Invalid ISO datetime"}),
    ({"beginFillAt": "2026-02-30T00:00:00Z"}, {"beginFillAt": "Invalid ISO datetime"}),
    ({"inputAmount": "-1"}, {"inputAmount": "Invalid input: expected a whole number of base units"}),
    ({"inputAmount": "99000000"}, {"inputAmount": "Differs from the crafted deposit"}),
    (
        {
            "orderType": "price_conditional",
            "triggerMint": SOL.mint,
            "minPriceUsd": 2,
            "maxPriceUsd": 1,
        },
        {"minPriceUsd": "minPriceUsd must not be greater than maxPriceUsd"},
    ),
]


@pytest.mark.parametrize(
    ("fields", "details"), FLAWED, ids=[next(iter(details.values()))[:40] for _, details in FLAWED]
)
def test_a_create_with_a_flaw(
    frozen: Venue, plans: DcaTrader, fields: dict[str, object], details: dict[str, str]
) -> None:
    plan = dca(sell=100 * USDC)
    refused = plans.creates(plans.body_for(plan, plans.asks_to_deposit(plan).ok()) | fields)
    assert (refused.status, refused.body["error"]) == (400, "Request validation failed")
    assert refused.body["details"] == details


@pytest.mark.parametrize(
    "text", ["2999-01-01T00:00Z", "2999-01-01T00:00:00.123456789+02:00", "2999-01-01T00:00:00-05:30"]
)
def test_a_begin_is_any_iso_8601_time_with_its_zone(frozen: Venue, plans: DcaTrader, text: str) -> None:
    refused = plans.asks_for(dca(sell=100 * USDC, beginFillAt=text))
    assert refused.error == (400, "Begin fill time cannot be more than 30 days in the future")


def test_a_round_may_be_worth_twenty_cents_less(frozen: Venue, plans: DcaTrader) -> None:
    assert plans.asks_for(dca(sell=usdc(29_400_000))).status == 200
    refused = plans.asks_for(dca(sell=usdc(29_399_997)))
    assert refused.error == (400, "Each order must be at least 10 USD (current value: 9.79 USD)")


def usdc(units: int) -> Funds:
    return Funds(USDC, units)


def test_a_create_that_is_repeated_is_the_same_order(frozen: Venue, plans: DcaTrader) -> None:
    plan = dca(sell=100 * USDC, beginFillAt=iso(frozen.now() + 1_000))
    body = plans.body_for(plan, plans.asks_to_deposit(plan).ok())
    placed = plans.creates(body).ok()
    assert list(placed) == ["id", "txSignature"]
    frozen.advances(9 * HOUR_S)
    frozen.price(USDC, "0.1")
    again = plans.creates(body).ok()
    assert again == placed | {"message": "Order already created"}
    duplicate = plans.creates(body | {"intervalSeconds": 60})
    assert (duplicate.status, duplicate.body) == (400, {"error": "Duplicate deposit", "id": placed["id"]})


def test_a_craft_that_is_refused(frozen: Venue, alice: Trader, plans: DcaTrader) -> None:
    plan = dca(sell=9.99 * USDC)
    assert plans.asks_to_deposit(plan).error == (400, "Order must be at least 10 USD (current value: 9.99 USD)")
    plan = dca(sell=100 * USDC)
    named = "orderSubType must be omitted when orderType is 'dca'"
    assert plans.asks_to_deposit(plan, orderSubType="single").error == (400, named)
    mismatch = "jlMint does not match the JL token for this input mint"
    assert plans.asks_to_deposit(plan, jlMint=SOL.mint).error == (400, mismatch)
    craft = plans.asks_to_deposit(plan).ok()
    assert list(craft) == [
        "transaction",
        "requestId",
        "receiverAddress",
        "mint",
        "amount",
        "tokenDecimals",
        "inputTokenAccount",
    ]
    wish = single(sell=100 * USDC, buy=SOL, below=100)
    other = alice.creates(alice.body_for(wish, craft))
    assert other.error == (400, "Deposit transaction not found in cache. Please craft a new deposit first.")
    assert alice.patch("/orders/dca/0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3c", {}).status == 404
    assert alice.post("/orders/dca/", {}).status == 404


def test_nothing_is_done_without_a_token(frozen: Venue) -> None:
    order = "0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3c"
    paths = [
        ("POST", "/orders/dca"),
        ("POST", f"/orders/dca/cancel/{order}"),
        ("POST", f"/orders/dca/confirm-cancel/{order}"),
        ("GET", "/orders/history/dca"),
        ("GET", f"/orders/history/dca/{order}"),
    ]
    for method, path in paths:
        assert frozen.ask(method, f"/trigger/v2{path}", {} if method == "POST" else None).error == (401, "Unauthorized")


# --- histories


def test_a_history_is_filtered_sorted_and_paged(frozen: Venue, plans: DcaTrader) -> None:
    now = frozen.now()
    slow = plans.places(dca(sell=100 * USDC, beginFillAt=iso(now + 5_000_000)))
    frozen.advances(1)
    quick = plans.places(dca(sell=50 * JUP, rounds=2, beginFillAt=iso(now + 2_000_000)))
    frozen.advances(1)
    cancelled = plans.places(dca(sell=1 * SOL, buy=USDC, beginFillAt=iso(now + 3_000_000)))
    plans.withdraws(cancelled, plans.asks_to_cancel(cancelled).ok())

    def ids(**query: object) -> list[str]:
        return [row["id"] for row in plans.history(**query)["orders"]]

    assert ids() == [cancelled, quick, slow]
    assert ids(state="active") == [quick, slow]
    assert ids(state="past") == [cancelled]
    assert ids(mint=JUP.mint) == [quick]
    assert ids(mint=USDC.mint, dir="asc") == [slow, cancelled]
    assert ids(sort="next_fill_at", dir="asc") == [quick, slow, cancelled]
    assert ids(sort="next_fill_at", dir="desc") == [slow, quick, cancelled]
    assert ids(sort="created_at", limit=1, offset=1) == [quick]
    page = plans.history(limit=2, offset=2)
    assert page["pagination"] == {"total": 3, "limit": 2, "offset": 2}
    refused = plans.trader.get("/orders/history/dca?sort=expires_at")
    options = 'Invalid option: expected one of "updated_at"|"created_at"|"next_fill_at"'
    assert refused.body["details"] == {"sort": options}
    assert plans.trader.get("/orders/history/dca?state=open").status == 400


def test_an_operator_sees_recurring_orders_too(frozen: Venue, alice: Trader, plans: DcaTrader) -> None:
    order = plans.places(dca(sell=100 * USDC))
    frozen.settles()
    (shown,) = frozen.ask("GET", f"/sandbox/orders?family=dca&wallet={alice.wallet}").ok()["orders"]
    assert (shown["id"], shown["state"], shown["roundsFilled"]) == (order, "active", 1)
    assert shown["waitsFor"] == "round 2 of 3 is due in 3600 s of the venue's clock"
    one = frozen.ask("GET", f"/sandbox/orders/{order}").ok()
    kinds = [each["event"] for each in one["timeline"]]
    assert kinds == ["order_placed", "deposit_landed", "round_began", "fill_started", "fill_landed"]


def test_a_stranger_who_pays_into_the_account_keeps_nothing_from_ending(
    frozen: Venue, alice: Trader, bob: Trader, plans: DcaTrader
) -> None:
    order = plans.places(dca(sell=100 * USDC, rounds=2))
    frozen.settles()
    bob.pays(alice.accounts[order], 5 * USDC)
    before = alice.holds(USDC)
    frozen.advances(HOUR_S)
    frozen.settles()
    row = plans.sees(order)
    assert (row["state"], row["inputAmountUsed"]) == ("completed", "100000000")
    assert alice.holds(USDC) - before == 5_000_000
    assert not frozen.exists(alice.accounts[order])
    assert frozen.audit()["ok"]
