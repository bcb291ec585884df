"""An OTOCO: a parent that buys, and two children that sell what it bought."""

from typing import Any

import pytest

from tests.end_to_end.trader import Order, Trader, one_part_of, otoco
from tests.end_to_end.venue import JUP, SOL, USDC, Venue

RENT = 2_039_280
FEE_MAX = 30_000
"""Of a deposit and a withdrawal, with five signatures."""
DIP = otoco(sell=120 * USDC, buy=SOL, below=120, take_profit=150, stop_loss=100)
"""Buys at 120 dollars, and sells again at 150 or 100."""


def contexts(row: Any) -> list[object]:
    return [(event["type"], event.get("orderContext")) for event in row["events"]]


def parent_done(venue: Venue, alice: Trader, wish: Order = DIP) -> str:
    order = alice.places(wish)
    venue.price(SOL, "119")
    venue.settles()
    assert alice.sees(order)["rawState"] == "open"
    return order


def test_a_whole_life(venue: Venue, alice: Trader) -> None:
    dollars = alice.holds(USDC)
    order = alice.places(DIP)
    row = alice.sees(order)
    assert (row["orderType"], row["orderState"], row["triggerCondition"]) == ("otoco", "open", "below")
    assert [row[name] for name in ("triggerPriceUsd", "tpPriceUsd", "slPriceUsd")] == [120, 150, 100]
    account, output = alice.accounts[order], alice.outputs[order]
    assert (venue.units_in(account), venue.exists(output)) == (120_000_000, True)

    venue.price(SOL, "119")
    venue.settles()
    row = alice.sees(order)
    assert (row["rawState"], row["fillPercent"], row["outputAmount"]) == ("open", 0, None)
    assert (row["remainingInputAmount"], row["inputUsed"]) == ("0", "120000000")
    fill = row["events"][0]
    assert (fill["orderContext"], fill["outputMint"]) == ("buy_below", SOL.mint)
    bought = int(fill["outputAmount"])
    assert not venue.exists(account), "the parent closes the account that it emptied"
    assert venue.units_in(output) == bought, "what it bought is kept, and nothing else"
    assert dollars - alice.holds(USDC) == 120_000_000

    venue.price(SOL, "151")
    venue.settles()
    row = alice.sees(order)
    assert (row["rawState"], row["orderState"], row["fillPercent"]) == ("fill_success", "filled", 1)
    assert contexts(row) == [("fill", "take_profit"), ("fill", "buy_below"), ("deposit", None)]
    assert row["outputAmount"] == row["events"][0]["outputAmount"]
    assert alice.holds(USDC) == dollars - 120_000_000 + int(row["outputAmount"])
    assert int(row["outputAmount"]) == pytest.approx(bought * 151 * 0.999 / 1_000, rel=1e-6)
    assert not venue.exists(output)
    assert venue.audit()["ok"]


def test_the_stop_loss_sells_too(venue: Venue, alice: Trader) -> None:
    order = parent_done(venue, alice)
    venue.price(SOL, "99")
    venue.settles()
    assert contexts(alice.sees(order))[0] == ("fill", "stop_loss")


def test_children_stay_closed_until_the_parent_is_done(venue: Venue, alice: Trader) -> None:
    """Prices beyond both children, while the parent waits."""
    order = alice.places(otoco(sell=120 * USDC, buy=SOL, below=90, take_profit=140, stop_loss=80))
    venue.price(SOL, "200")
    venue.settles()
    row = alice.sees(order)
    assert (row["rawState"], len(row["events"])) == ("open", 1)


def test_a_price_that_jumps_through_parent_and_child(venue: Venue, alice: Trader) -> None:
    """The parent is filled at 95, below the stop loss of 100, which is judged at that price and sells at once."""
    order = alice.places(otoco(sell=120 * USDC, buy=SOL, below=120, take_profit=150, stop_loss=100))
    venue.price(SOL, "95")
    venue.settles()
    row = alice.sees(order)
    assert row["orderState"] == "filled"
    assert contexts(row) == [("fill", "stop_loss"), ("fill", "buy_below"), ("deposit", None)]


def test_a_parent_that_sells_sol_keeps_dollars(venue: Venue, alice: Trader) -> None:
    """Its children watch SOL and buy it back: above the price, or below."""
    order = alice.places(otoco(sell=1 * SOL, buy=USDC, above=160, take_profit=170, stop_loss=150))
    venue.price(SOL, "161")
    venue.settles()
    assert venue.units_in(alice.outputs[order]) == 161_000_000 - 161_000
    before = alice.holds(SOL)
    venue.price(SOL, "149")
    venue.settles()
    row = alice.sees(order)
    assert contexts(row) == [("fill", "buy_below"), ("fill", "take_profit"), ("deposit", None)]
    assert alice.holds(SOL) - before == int(row["outputAmount"]) + RENT
    assert venue.audit()["ok"]


# --- cancels and expiry, at each point


def test_a_cancel_before_the_parent_returns_the_deposit_and_both_rents(venue: Venue, alice: Trader) -> None:
    dollars, lamports = alice.holds(USDC), alice.holds(SOL)
    order = alice.places(DIP)
    assert lamports - alice.holds(SOL) >= 2 * RENT
    alice.withdraws(order, alice.cancels(order))
    assert alice.holds(USDC) == dollars
    assert lamports - alice.holds(SOL) < FEE_MAX
    assert not venue.exists(alice.accounts[order])
    assert not venue.exists(alice.outputs[order])
    row = alice.sees(order)
    assert contexts(row) == [("withdrawal", None), ("cancelled", None), ("deposit", None)]
    assert row["remainingInputAmount"] == "120000000", "it is not zeroed"
    assert venue.audit()["ok"]


def test_a_cancel_after_the_parent_returns_what_it_bought(venue: Venue, alice: Trader) -> None:
    order = parent_done(venue, alice)
    bought, before = venue.units_in(alice.outputs[order]), alice.holds(SOL)
    alice.withdraws(order, alice.cancels(order))
    assert 0 <= before + bought + RENT - alice.holds(SOL) < FEE_MAX
    row = alice.sees(order)
    assert contexts(row)[:2] == [("withdrawal", None), ("cancelled", None)]
    assert (row["events"][0]["mint"], row["events"][0]["amount"]) == (SOL.mint, str(bought))
    assert venue.audit()["ok"]


def test_a_cancel_after_a_part_of_the_parent_returns_both_in_one_transaction(venue: Venue, alice: Trader) -> None:
    venue.pool(USDC, most=50_000_000)
    order = alice.places(DIP)
    one_part_of(venue, order, alice, at="119", then="140")
    row = alice.sees(order)
    assert (row["rawState"], row["remainingInputAmount"], row["fillPercent"]) == ("open", "70000000", 0)
    bought, dollars, lamports = venue.units_in(alice.outputs[order]), alice.holds(USDC), alice.holds(SOL)
    alice.withdraws(order, alice.cancels(order))
    assert alice.holds(USDC) - dollars == 70_000_000
    assert alice.sees(order)["remainingInputAmount"] == "70000000", "it is not zeroed"
    assert 0 <= lamports + bought + 2 * RENT - alice.holds(SOL) < FEE_MAX
    row = alice.sees(order)
    assert [event["type"] for event in row["events"]] == ["withdrawal", "withdrawal", "cancelled", "fill", "deposit"]
    back = {event["mint"]: event["amount"] for event in row["events"][:2]}
    assert back == {USDC.mint: "70000000", SOL.mint: str(bought)}
    assert len({event["txSignature"] for event in row["events"][:2]}) == 1
    assert not venue.exists(alice.accounts[order])
    assert not venue.exists(alice.outputs[order])
    assert venue.audit()["ok"]


def test_nothing_arms_if_the_parent_expires_partly_filled(venue: Venue, alice: Trader) -> None:
    venue.freezes()
    venue.pool(USDC, most=50_000_000)
    order = alice.places(otoco(sell=120 * USDC, buy=SOL, below=120, take_profit=150, stop_loss=100, lives_ms=60_000))
    one_part_of(venue, order, alice, at="119", then="140")
    venue.advances(60)
    venue.price(SOL, "160")
    venue.settles()
    assert alice.state_of(order) == "expired"
    alice.withdraws(order, alice.cancels(order))
    assert alice.state_of(order) == "cancelled"
    assert venue.audit()["ok"]


def test_strangers_send_dust_to_both_accounts(venue: Venue, alice: Trader, bob: Trader) -> None:
    order = alice.places(DIP)
    bob.pays(alice.accounts[order], 5 * USDC)
    bob.pays(alice.outputs[order], 0.001 * SOL)
    dollars = alice.holds(USDC)
    venue.price(SOL, "119")
    venue.settles()
    assert alice.holds(USDC) - dollars == 5_000_000, "the parent's account is emptied for its owner"
    venue.price(SOL, "151")
    venue.settles()
    assert alice.state_of(order) == "filled"
    assert not venue.exists(alice.outputs[order])
    assert venue.audit()["ok"]


# --- updates


def test_everything_can_be_updated_before_the_parent_is_done(alice: Trader) -> None:
    order = alice.places(DIP)
    changes = {"triggerPriceUsd": 115, "slippageBps": 70, "tpPriceUsd": 160, "slPriceUsd": 90}
    assert alice.patch(f"/orders/price/{order}", {"orderType": "otoco", **changes}).ok() == {"id": order}
    row = alice.sees(order)
    assert {name: row[name] for name in changes} == changes


def test_only_the_children_can_be_updated_after_the_parent(venue: Venue, alice: Trader) -> None:
    order = parent_done(venue, alice)
    path = f"/orders/price/{order}"
    for changes in ({"triggerPriceUsd": 115}, {"slippageBps": 70}, {"triggerPriceUsd": 115, "tpPriceUsd": 160}):
        refused = alice.patch(path, {"orderType": "otoco", **changes})
        assert refused.error == (400, "Cannot update the parent of an OTOCO order that has executed")
    later = alice.sees(order)["expiresAt"] + 3_600_000
    alice.patch(path, {"orderType": "otoco", "slPriceUsd": 110, "expiresAt": later}).ok()
    venue.price(SOL, "109")
    venue.settles()
    assert contexts(alice.sees(order))[0] == ("fill", "stop_loss")


def test_the_prices_of_the_children_are_compared(alice: Trader) -> None:
    wish = otoco(sell=120 * USDC, buy=SOL, below=120, take_profit=100, stop_loss=100)
    refused = alice.creates(alice.body_for(wish, alice.crafts(wish)))
    assert list(refused.body["details"]) == ["tpPriceUsd"]


# --- what is told


def test_the_children_s_opening_tells_how_long_it_took(venue: Venue, alice: Trader) -> None:
    wish = otoco(sell=120 * USDC, buy=SOL, below=120, take_profit=150, stop_loss=100, lives_ms=1_800_000)
    order = parent_done(venue, alice, wish)
    shown = venue.ask("GET", f"/sandbox/orders/{order}").ok()
    reasons = [entry.get("reason") or "" for entry in shown["timeline"]]
    (told,) = [reason for reason in reasons if "unprotected" in reason]
    assert told.startswith("the parent is done, the children are open")
    assert "the order expires in 29 minutes" in told or "in 30 minutes" in told


def test_what_it_waits_for_is_what_is_armed(venue: Venue, alice: Trader) -> None:
    order = alice.places(DIP)

    def waits_for() -> str:
        shown: str = venue.ask("GET", f"/sandbox/orders/{order}").ok()["waitsFor"]
        return shown

    assert "≤ 120" in waits_for()
    assert "150" not in waits_for().partition(",")[0]
    venue.price(SOL, "119")
    venue.settles()
    assert waits_for().startswith("triggers at ≥ 150 or ≤ 100")


def test_a_rest_that_became_worthless_goes_back_and_the_children_open(venue: Venue, alice: Trader) -> None:
    """JUP falls to nothing while the first part of the parent lands: the rest could not be swapped."""
    venue.price(JUP, "1")
    venue.pool(JUP, most=11_900_000)
    wish = otoco(12 * JUP, USDC, below=120, take_profit=150, stop_loss=100, triggerMint=SOL.mint, slippageBps=10_000)
    order = alice.places(wish)
    venue.faults(landDelayMs=500)
    venue.price(SOL, "119")
    while alice.sees(order)["rawState"] != "executing":
        pass
    venue.price(JUP, "0.00001")
    venue.faults()
    venue.settles()
    row = alice.sees(order)
    assert (row["rawState"], row["remainingInputAmount"], row["inputUsed"]) == ("open", "0", "11900000")
    assert [event["type"] for event in row["events"]] == ["withdrawal", "fill", "deposit"]
    assert row["events"][0]["amount"] == "100000"
    assert not venue.exists(alice.accounts[order])
    cancelling = alice.cancels(order)
    assert alice.sees(order)["remainingInputAmount"] == "0"
    alice.withdraws(order, cancelling)
    assert alice.sees(order)["remainingInputAmount"] == "0", "the cancel took none of the deposit"
    assert venue.audit()["ok"]


@pytest.mark.parametrize("fields", [{"trailingBps": 100}])
def test_an_otoco_does_not_trail(alice: Trader, fields: dict[str, object]) -> None:
    refused = alice.creates(alice.body_for(DIP, alice.crafts(DIP)) | fields)
    assert refused.body["details"] == {"trailingBps": "Not a field of otoco orders"}


def test_dust_on_one_account_keeps_only_that_one_open(venue: Venue, alice: Trader, bob: Trader) -> None:
    """Twice dust comes to the input account while the parent lands; the output account was not touched."""
    order = alice.places(otoco(120 * USDC, JUP, below=120, take_profit=150, stop_loss=100, triggerMint=SOL.mint))
    for _ in range(2):
        venue.faults(landDelayMs=500)
        venue.price(SOL, "119")
        while alice.sees(order)["rawState"] != "executing":
            pass
        venue.faults()
        bob.pays(alice.accounts[order], 1 * USDC)
        venue.settles()
        venue.price(SOL, "140")
    venue.price(SOL, "119")
    venue.settles()
    assert alice.sees(order)["remainingInputAmount"] == "0"
    assert venue.exists(alice.accounts[order]), "two of its closes were rejected"
    alice.withdraws(order, alice.cancels(order))
    assert not venue.exists(alice.outputs[order]), "it is closed by the withdrawal"
    venue.settles()
    assert not venue.exists(alice.accounts[order]), "it is swept when the order has ended"
    assert venue.audit()["ok"]
