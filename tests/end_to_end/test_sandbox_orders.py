"""Any order, what happened to it and why, and what it waits for: in the sandbox, and in the log (case A4)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from tests.end_to_end.conftest import with_funds
from tests.end_to_end.dca_trader import DcaTrader, dca
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.member import Member
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import SOL, USDC, Funds, Venue, running_venue

TOO_LITTLE = "the swap would give 197.4 USDC, 0.31 % less than its minimum 198"


def inspected(venue: Venue, order: object) -> Any:
    return venue.ask("GET", f"/sandbox/orders/{order}").ok()


def told(order: Any) -> list[tuple[str, str]]:
    """Event and cause, the oldest first."""
    return [(entry["event"], entry["cause"]) for entry in order["timeline"]]


def reasons(order: Any) -> list[str]:
    return [entry["reason"] for entry in order["timeline"] if "reason" in entry]


def listed(venue: Venue, query: str = "") -> list[Any]:
    orders: list[Any] = venue.ask("GET", f"/sandbox/orders{query}").ok()["orders"]
    return orders


def lines_of(venue: Venue, order: object) -> list[Any]:
    """Since it was placed: before a reset, another order of the book may have had its number."""
    lines = (json.loads(line) for line in venue.log.read_text().splitlines() if line.startswith("{"))
    of_order = [line for line in lines if line.get("order") == str(order)]
    began = [index for index, line in enumerate(of_order) if line["event"] == "order_placed"]
    return of_order[began[-1] if began else 0 :]


def impact(venue: Venue, bps: int) -> None:
    venue.ask("PUT", "/sandbox/liquidity", {"SOL": {"impactBps": bps}}).ok()


# --- trigger orders


def test_an_order_says_what_it_is_and_that_it_waits_for_its_price(venue: Venue, alice: Trader) -> None:
    """A4."""
    order = alice.places(single(sell=1 * SOL, above=260))
    venue.price(SOL, "258.40")
    shown = inspected(venue, order)
    assert (shown["id"], shown["family"], shown["state"], shown["rawState"]) == (order, "trigger", "open", "open")
    assert (shown["wallet"], shown["inputMint"], shown["outputMint"]) == (alice.wallet, SOL.mint, USDC.mint)
    assert (shown["amount"], shown["remaining"], shown["received"]) == ("1000000000", "1000000000", "0")
    assert shown["legs"] == [
        {"role": "trigger", "triggerCondition": "above", "triggerPriceUsd": "260", "slippageBps": None}
    ]
    assert shown["waiting"] == {
        "for": "price",
        "mint": SOL.mint,
        "priceUsd": "258.4",
        "legs": [{"role": "trigger", "triggerCondition": "above", "triggerPriceUsd": "260", "awayBps": 61}],
    }
    assert shown["waitsFor"] == "triggers at ≥ 260, the price is 258.4"
    assert told(shown) == [("order_placed", "place_order"), ("deposit_landed", "resolve_attempt")]


def test_a_swap_below_its_minimum_says_by_how_much(venue: Venue, alice: Trader) -> None:
    """A4."""
    order = alice.places(single(sell=1 * SOL, above=200, slippage_bps=100))
    venue.freezes()
    impact(venue, 130)
    venue.price(SOL, "200")
    venue.settles()
    impact(venue, 0)
    shown = inspected(venue, order)
    assert told(shown)[2:] == [("order_triggered", "trigger_orders"), ("fill_failed", "abandon_fill")]
    assert shown["timeline"][2]["reason"] == "the price is 200, it triggers at ≥ 200"
    assert shown["timeline"][3]["reason"].startswith(TOO_LITTLE)
    assert shown["waitsFor"].startswith(f"its last fill failed ({TOO_LITTLE}")
    assert "next try in 1 s" in shown["waitsFor"]
    assert (shown["waiting"]["for"], shown["waiting"]["until"]) == ("pause", shown["retryAt"])
    assert shown["waiting"]["reason"].startswith(TOO_LITTLE)
    venue.advances(0.25)
    assert "next try in 0.75 s" in inspected(venue, order)["waitsFor"]
    (line,) = [line for line in lines_of(venue, order) if line["event"] == "fill_failed"]
    assert (line["level"], line["wallet"], line["cause"]) == ("info", alice.wallet, "abandon_fill")
    assert line["reason"] == shown["timeline"][3]["reason"]


def test_a_list_says_why_each_fill_failed(venue: Venue, alice: Trader) -> None:
    """The newest failure of each, as the order alone says it."""
    for slippage, price in ((100, 200), (50, 200), (100, 300)):
        alice.places(single(sell=1 * SOL, above=price, slippage_bps=slippage))
    venue.freezes()
    impact(venue, 130)
    venue.price(SOL, "200")
    venue.settles()
    impact(venue, 140)
    venue.advances(1)
    venue.settles()
    impact(venue, 0)
    found = listed(venue, f"?wallet={alice.wallet}")
    alone = [inspected(venue, each["id"]) for each in found]
    assert found == [{name: value for name, value in each.items() if name != "timeline"} for each in alone]
    assert [each["waitsFor"].partition(", ")[0] for each in found] == [
        "triggers at ≥ 300",
        "its last fill failed (the swap would give 197.2 USDC",
        "its last fill failed (the swap would give 197.2 USDC",
    ]
    assert "minimum 199" in found[1]["waitsFor"]
    assert "minimum 198" in found[2]["waitsFor"]


def test_a_swap_that_failed_on_the_chain_says_with_which_error(venue: Venue, alice: Trader) -> None:
    """A4."""
    order = alice.places(single(sell=1 * SOL, above=200))
    venue.freezes()
    venue.faults(failSwaps=1)
    venue.price(SOL, "200")
    venue.settles()
    failed = inspected(venue, order)["timeline"][-1]
    assert failed["event"] == "fill_failed"
    assert failed["reason"]
    (status,) = venue.rpc("getSignatureStatuses", [failed["txSignature"]])
    assert status["err"] is not None


def test_the_whole_way_of_a_cancel(venue: Venue, alice: Trader) -> None:
    """A4."""
    order = alice.places(single(sell=1 * SOL, above=200))
    cancelling = alice.cancels(order)
    shown = inspected(venue, order)
    assert (shown["state"], shown["rawState"]) == ("pending_withdraw", "ready_to_cancel")
    assert shown["waitsFor"] == "its owner has to sign the withdrawal, and to confirm it"
    alice.withdraws(order, cancelling)
    shown = inspected(venue, order)
    assert told(shown)[2:] == [
        ("cancel_requested", "request_cancel"),
        ("withdrawal_started", "confirm_cancel"),
        ("withdrawal_landed", "resolve_attempt"),
    ]
    assert (shown["state"], shown["waitsFor"]) == ("cancelled", None)


def test_a_deposit_that_does_not_land(venue: Venue, alice: Trader) -> None:
    """A4."""
    order = single(sell=1 * SOL, above=200)
    body = alice.body_for(order, alice.crafts(order))
    venue.faults(dropTransactions=1_000)
    assert alice.creates(body).status == 500
    (shown,) = listed(venue, f"?wallet={alice.wallet}")
    assert (shown["state"], shown["waitsFor"]) == ("pending", "its deposit has not landed")
    assert (shown["amount"], shown["remaining"]) == (str(10**9), "0"), "nothing is there yet"
    assert inspected(venue, shown["id"])["waiting"] == {"for": "deposit", "lacks": None}
    venue.faults(expireBlockhashes=True)
    venue.settles()
    shown = inspected(venue, shown["id"])
    assert (shown["state"], shown["waitsFor"]) == ("failed", None)
    assert shown["timeline"][-1]["event"] == "deposit_failed"
    assert (shown["amount"], shown["remaining"]) == (str(10**9), "0"), "nothing was taken"
    assert reasons(shown) == ["the transaction did not land in time"]


@pytest.mark.parametrize("recurring", [False, True])
def test_a_deposit_that_cannot_be_paid_for_says_what_the_wallet_lacks(tmp_path: Path, recurring: bool) -> None:
    """A4. Its first send is lost, and the wallet spends its lamports before the next."""
    with running_venue(tmp_path, confirm_timeout_ms=2_000) as venue:
        alice = Trader(venue)
        alice.has(1 * SOL, 100 * USDC)
        alice.joins()
        order, plans, plan = single(sell=100 * USDC, buy=SOL, below=100), DcaTrader(alice), dca(sell=100 * USDC)
        if recurring:
            body = plans.body_for(plan, plans.asks_to_deposit(plan).ok())
        else:
            body = alice.body_for(order, alice.crafts(order))
        venue.faults(dropTransactions=1)
        assert (plans.creates(body) if recurring else alice.creates(body)).status == 500
        held = venue.lamports(alice.wallet)
        alice.pays(str(Keypair().pubkey()), Funds(SOL, held - 1_000_000 - 5_000))
        (shown,) = listed(venue, f"?wallet={alice.wallet}")
        found = inspected(venue, shown["id"])
        words = found["waitsFor"]
        assert re.fullmatch(r"its deposit has not landed: the wallet lacks 0\.00\d+ SOL", words), words
        assert words.endswith(found["waiting"]["lacks"])
        venue.settles()
        assert inspected(venue, shown["id"])["state"] == ("deposit_failed" if recurring else "failed")


def test_a_reason_is_of_its_moment(venue: Venue, alice: Trader) -> None:
    """An order that was changed in between triggered at what it was then."""
    order = alice.places(single(sell=1 * SOL, above=200))
    venue.freezes()
    venue.faults(failSwaps=2)
    venue.price(SOL, "200")
    venue.settles()
    venue.price(SOL, "190")
    alice.amends(order, triggerPriceUsd=180).ok()
    venue.settles()
    triggered = [
        entry["reason"] for entry in inspected(venue, order)["timeline"] if entry["event"] == "order_triggered"
    ]
    assert triggered == [
        "the price is 200, it triggers at ≥ 200",
        "the price is 190, it triggers at ≥ 180",
    ]


def test_an_order_that_expired_waits_for_its_owner(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, above=200, lives_ms=60_000))
    venue.freezes()
    venue.advances(60)
    shown = inspected(venue, order)
    assert (shown["state"], told(shown)[-1]) == ("expired", ("order_expired", "expire_order"))
    assert shown["waitsFor"].startswith("it expired: its owner has to cancel it")


def test_what_happened_before_a_restart_is_shown_after_it(tmp_path: Path) -> None:
    """A4. The timeline is read from the journal, not remembered."""
    with running_venue(tmp_path) as venue:
        alice = with_funds(Trader(venue))
        order = alice.places(single(sell=1 * SOL, above=200, slippage_bps=100))
        others = [alice.places(single(sell=0.1 * SOL, above=300)) for _ in range(3)]
        venue.freezes()
        impact(venue, 130)
        venue.price(SOL, "200")
        venue.settles()
        before = [inspected(venue, each) for each in (order, *others)]
    with running_venue(tmp_path) as venue:
        after = [inspected(venue, each) for each in (order, *others)]
    assert after == before
    assert TOO_LITTLE in after[0]["waitsFor"]


# --- one line an event


def test_every_entry_of_a_timeline_has_its_line(venue: Venue, alice: Trader) -> None:
    """A4."""
    order = alice.places(single(sell=1 * SOL, above=200))
    venue.price(SOL, "200")
    venue.settles()
    timeline = inspected(venue, order)["timeline"]
    assert len(timeline) == 5
    lines = lines_of(venue, order)
    shown = [{name: line.get(name) for name in ("seq", "event", "cause", "reason")} for line in lines]
    assert shown == [{name: entry.get(name) for name in ("seq", "event", "cause", "reason")} for entry in timeline]
    assert {line["level"] for line in lines} == {"info"}
    assert all(line["timestamp"] for line in lines)


def test_no_line_tells_a_token_or_a_signed_transaction(venue: Venue, alice: Trader) -> None:
    order = single(sell=1 * SOL, above=200)
    body = alice.body_for(order, alice.crafts(order))
    created = alice.creates(body).ok()["id"]
    cancelling = alice.cancels(created)
    alice.withdraws(created, cancelling)
    log = venue.log.read_text()
    assert created in log
    for secret in (alice.token, body["depositSignedTx"], cancelling.transaction, alice.signs(cancelling.transaction)):
        assert str(secret)[:40] not in log


def test_a_venue_that_logs_only_warnings_says_nothing_of_orders(tmp_path: Path) -> None:
    with running_venue(tmp_path / "quiet", "--log-level", "warning") as venue:
        alice = with_funds(Trader(venue))
        order = alice.places(single(sell=1 * SOL, above=200))
        assert inspected(venue, order)["state"] == "open"
        assert order not in venue.log.read_text()


# --- the other families


def test_an_order_of_the_book(venue: Venue) -> None:
    """A4."""
    seller, buyer = Member(venue).joins().has(btc="5"), Member(venue).joins().has(usdc="100000")
    order = seller.places("sell", "2", "25000")
    shown = inspected(venue, order)
    assert (shown["id"], shown["family"], shown["state"], shown["account"]) == (order, "book", "wait", seller.address)
    assert (shown["market"], shown["side"], shown["price"], shown["volume"]) == ("btcusdc", "sell", "25000", "2")
    assert shown["waitsFor"] == "an order that buys at ≥ 25000"
    assert [event for event, _ in told(shown)] == ["order_placed", "order_opened", "order_rested"]

    taker = buyer.places("buy", "0.5", "25000")
    assert inspected(venue, order)["executed"] == "0.5"
    assert told(inspected(venue, order))[-1] == ("traded", "place_order")
    assert told(inspected(venue, taker))[-1] == ("traded", "place_order")
    assert (inspected(venue, taker)["state"], inspected(venue, taker)["waitsFor"]) == ("done", None)

    seller.cancels(order).ok()
    shown = inspected(venue, order)
    assert (shown["state"], shown["waitsFor"], reasons(shown)) == ("cancel", None, ["its owner asked for it"])
    assert told(shown)[-1] == ("order_cancelled", "cancel_order")
    assert inspected(venue, shown["uuid"]) == shown
    lines = lines_of(venue, order)
    assert [(line["event"], line["seq"]) for line in lines] == [(e["event"], e["seq"]) for e in shown["timeline"]]
    assert {line["wallet"] for line in lines} == {seller.address}


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        ("operator", "the operator asked for it"),
        ("post_only", "it is post-only, and would have matched at once"),
        ("own order", "no other member's order was left that its rest could match and pay"),
        ("too poor", "no other member's order was left that its rest could match and pay"),
    ],
)
def test_why_the_system_cancels(venue: Venue, ends: str, reason: str) -> None:
    seller, buyer = Member(venue).joins().has(btc="5", usdc="50000"), Member(venue).joins().has(usdc="100000")
    resting = seller.places("sell", "1", "24000")
    if ends == "operator":
        ended = resting
        venue.ask("POST", "/sandbox/tanx/cancel", {"order_id": resting}).ok()
    elif ends == "post_only":
        ended = buyer.places("buy", "1", "24000", ord_type="limit_maker")
    else:
        taker = seller if ends == "own order" else Member(venue).joins().has(usdc="23999")
        ended = taker.places("buy", "1", "24000", ord_type="market")
    shown = inspected(venue, ended)
    assert (shown["state"], reasons(shown)) == ("cancel", [reason])
    seller.leaves()


def test_a_stop_order_waits_for_a_trade(venue: Venue) -> None:
    buyer = Member(venue).joins().has(usdc="100000")
    order = buyer.places("buy", "1", "31000", ord_type="stop_limit", stop_price="30000")
    assert inspected(venue, order)["waitsFor"].startswith("a trade at ≥ 30000; ")
    buyer.leaves()


def test_a_limit_order_on_the_chain(venue: Venue, alice: Trader) -> None:
    """A4."""
    trader = LimitTrader(venue, alice)
    order = trader.places(1 * SOL, USDC, take=200_000_000)
    shown = inspected(venue, order)
    assert (shown["id"], shown["family"], shown["state"], shown["wallet"]) == (order, "limit", "open", alice.wallet)
    assert (shown["makingAmount"], shown["takingAmount"]) == ("1000000000", "200000000")
    assert told(shown) == [("order_created", "transaction")]
    asked = "asks for 200 USDC for 1 SOL, which is worth "
    assert shown["waitsFor"].startswith(asked)
    assert shown["waitsFor"].endswith("; no keeper runs here: this sandbox was started with --no-keeper")
    assert (shown["waiting"]["for"], shown["waiting"]["asks"]) == ("keeper", "200000000")
    assert [row["id"] for row in listed(venue, f"?family=limit&wallet={alice.wallet}")] == [order]

    (cancel,) = trader.builds_cancels(order)
    trader.executes(cancel).ok()
    shown = inspected(venue, order)
    assert (shown["state"], shown["wallet"], shown["waitsFor"]) == ("cancelled", alice.wallet, None)
    assert [event for event, _ in told(shown)] == ["order_created", "order_cancelled"]
    assert listed(venue, f"?family=limit&wallet={alice.wallet}") == []
    (row,) = trader.get("getTriggerOrders", user=alice.wallet, orderStatus="history")["orders"]
    for name in ("makingAmount", "takingAmount", "remainingMakingAmount", "remainingTakingAmount"):
        assert shown[name] == row[f"raw{name[0].upper()}{name[1:]}"], name
    assert (shown["slippageBps"], shown["expiresAt"]) == (0, None)
    assert shown["createdAt"] <= shown["updatedAt"] == shown["timeline"][-1]["at"]


def test_a_recurring_order_on_the_chain(venue: Venue) -> None:
    """A4."""
    saver = Saver(venue)
    for funds in (2 * SOL, 300 * USDC):
        venue.gives(saver.wallet, funds)
    order, _ = saver.opens(200 * USDC, SOL)
    shown = inspected(venue, order)
    assert (shown["family"], shown["state"], shown["wallet"]) == ("recurring", "open", saver.wallet)
    assert (shown["amount"], shown["cycleSeconds"]) == ("200000000", 86_400)
    assert told(shown)[0] == ("order_opened", "transaction")
    saver.executes(saver.asks_to_cancel(order).ok()["transaction"]).ok()
    shown = inspected(venue, order)
    assert (shown["state"], shown["waitsFor"], shown["nextCycleAt"]) == ("cancelled", None, None)
    assert "its owner closed it" in reasons(shown)
    assert (shown["amount"], shown["amountPerCycle"], shown["cycleSeconds"]) == ("200000000", "100000000", 86_400)
    assert (shown["remaining"], shown["received"]) == ("200000000", "0"), "what came back, as in the history"


# --- the list


def test_the_newest_first_by_family_wallet_and_state(venue: Venue, alice: Trader, bob: Trader) -> None:
    """A4."""
    orders = [alice.places(single(sell=0.1 * SOL, above=200)) for _ in range(3)]
    other = bob.places(single(sell=0.1 * SOL, above=200))
    alice.cancels(orders[0])
    own = f"wallet={alice.wallet}"
    assert [row["id"] for row in listed(venue, f"?{own}")] == orders[::-1]
    assert [row["id"] for row in listed(venue, f"?{own}&limit=2")] == orders[:0:-1]
    assert [row["id"] for row in listed(venue, f"?{own}&state=pending_withdraw&family=trigger")] == [orders[0]]
    assert listed(venue, f"?{own}&state=filled") == listed(venue, f"?{own}&family=book") == []
    assert listed(venue, "?family=trigger&limit=1")[0]["id"] == other
    assert "timeline" not in listed(venue)[0]


def test_the_orders_of_an_account_in_any_case_of_its_letters(venue: Venue) -> None:
    member = Member(venue).joins().has(btc="1")
    order = member.places("sell", "1", "99000")
    for account in (member.address.lower(), "0x" + member.address[2:].upper()):
        assert [row["id"] for row in listed(venue, f"?wallet={account}")] == [order]
    member.leaves()


def test_the_newest_of_all_families(venue: Venue, alice: Trader) -> None:
    """Not those of the first family."""
    older = [alice.places(single(sell=1 * SOL, above=300)) for _ in range(2)]
    member = Member(venue).joins().has(usdc="1000")
    bid = member.places("buy", "0.01", "24000")
    newer = alice.places(single(sell=1 * SOL, above=300))
    assert [row["id"] for row in listed(venue, "?limit=3")] == [newer, bid, older[1]]
    member.leaves()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limt=3", "limt: unknown query parameter; did you mean limit?"),
        (
            "family=trigge",
            'family: expected trigger, dca, book, limit or recurring, got the text "trigge"; did',
        ),
        ("state=opn", "state: expected "),
        ("family=book&state=open", "state: expected pending, wait, done or cancel, got"),
        ("limit=0", "limit: '0' is no whole number from 1 to 2000"),
        ("limit=2001", "limit: '2001' is no"),
        ("limit=", "limit: '' is no"),
        ("limit=x", "limit: 'x' is no"),
        ("wallet=x", "wallet: 'x' is no wallet"),
        ("family=trigger&family=book", "family: given twice in the query"),
    ],
)
def test_a_list_that_makes_no_sense(venue: Venue, query: str, words: str) -> None:
    """A1."""
    status, error = venue.ask("GET", f"/sandbox/orders?{query}").error
    assert status == 400
    assert error.startswith(words), error


@pytest.mark.parametrize("query", ["orders?limit=2.0", "requests?limit=2e0", "prices?mint=SOL&limit=2.0"])
def test_a_whole_number_of_a_query_is_one_however_it_is_written(venue: Venue, query: str) -> None:
    """D4."""
    venue.ask("GET", f"/sandbox/{query}").ok()


@pytest.mark.parametrize(
    "name", ["x", "0", "999999", "9" * 30, "0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3c", SOL.mint, "-1", "a" * 200]
)
def test_an_order_that_is_not_here(venue: Venue, name: str) -> None:
    """A4."""
    status, error = venue.ask("GET", f"/sandbox/orders/{name}").error
    assert status == 404
    assert "no order of this venue" in error
