"""Pairs of a take profit and a stop loss, and orders that are filled in parts."""

import pytest

from tests.end_to_end.trader import Trader, oco, one_part_of, single
from tests.end_to_end.venue import SOL, USDC, USDT, Venue

BILLION = 10**9


@pytest.mark.parametrize(("price", "context"), [("260", "take_profit"), ("140", "stop_loss")])
def test_either_leg_sells_all_and_ends_the_other(venue: Venue, alice: Trader, price: str, context: str) -> None:
    order = alice.places(oco(sell=1 * SOL, take_profit=255, stop_loss=145))
    row = alice.sees(order)
    assert (row["orderType"], row["triggerCondition"], row["triggerPriceUsd"]) == ("oco", None, None)
    assert (row["tpPriceUsd"], row["slPriceUsd"], row["tpSlippageBps"], row["slSlippageBps"]) == (255, 145, None, None)
    venue.price(SOL, price)
    venue.settles()
    row = alice.sees(order)
    assert (row["rawState"], row["orderState"], row["fillPercent"]) == ("fill_success", "filled", 1)
    assert [event.get("orderContext") for event in row["events"]] == [context, None]
    assert not venue.exists(alice.accounts[order])
    for other in ("100", "300"):
        venue.price(SOL, other)
        venue.settles()
    assert alice.sees(order) == row, "nothing more happens"
    assert venue.audit()["ok"]


@pytest.mark.parametrize(("buy_at", "context"), [("155", "buy_above"), ("118", "buy_below")], ids=["breakout", "dip"])
def test_a_pair_that_buys(venue: Venue, alice: Trader, buy_at: str, context: str) -> None:
    order = alice.places(oco(sell=100 * USDC, buy=SOL, take_profit=155, stop_loss=118))
    venue.price(SOL, buy_at)
    venue.settles()
    assert alice.sees(order)["events"][0]["orderContext"] == context


def test_a_pair_that_is_through_the_market_triggers_at_once(venue: Venue, alice: Trader) -> None:
    order = alice.places(oco(sell=1 * SOL, take_profit=140, stop_loss=100))
    venue.settles()
    assert alice.sees(order)["events"][0]["orderContext"] == "take_profit"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tpPriceUsd": 145, "slPriceUsd": 145}, "tpPriceUsd"),
        ({"tpPriceUsd": 144, "slPriceUsd": 145}, "tpPriceUsd"),
        ({"tpPriceUsd": None}, "tpPriceUsd"),
        ({"slPriceUsd": 0}, "slPriceUsd"),
        ({"tpSlippageBps": 10_001}, "tpSlippageBps"),
        ({"triggerPriceUsd": 200}, "triggerPriceUsd"),
        ({"slippageBps": 100}, "slippageBps"),
        ({"trailingBps": 100}, "trailingBps"),
        ({"triggerCondition": "above"}, "triggerCondition"),
    ],
)
def test_a_pair_that_is_not_placed(alice: Trader, fields: dict[str, object], field: str) -> None:
    wish = oco(sell=1 * SOL, take_profit=255, stop_loss=145)
    body = alice.body_for(wish, alice.crafts(wish)) | fields
    refused = alice.creates({name: value for name, value in body.items() if value is not None})
    assert refused.status == 400
    assert list(refused.body["details"]) == [field]
    assert alice.history() == []


def test_the_prices_of_a_pair_are_compared_after_merging(alice: Trader) -> None:
    order = alice.places(oco(sell=1 * SOL, take_profit=255, stop_loss=145))
    path = f"/orders/price/{order}"
    for fields in ({"tpPriceUsd": 145}, {"slPriceUsd": 255}, {"tpPriceUsd": 100, "slPriceUsd": 120}):
        refused = alice.patch(path, {"orderType": "oco", **fields})
        assert refused.status == 400
        assert refused.body["details"] == {"tpPriceUsd": "tpPriceUsd must be greater than slPriceUsd"}
    assert alice.patch(path, {"orderType": "oco", "tpPriceUsd": 300}).ok() == {"id": order}
    assert alice.patch(path, {"orderType": "oco", "slPriceUsd": 120, "slSlippageBps": 50}).ok() == {"id": order}
    row = alice.sees(order)
    assert [row[name] for name in ("tpPriceUsd", "slPriceUsd", "tpSlippageBps", "slSlippageBps")] == [
        300,
        120,
        None,
        50,
    ]


def test_an_update_that_puts_a_leg_through_the_market_triggers(venue: Venue, alice: Trader) -> None:
    order = alice.places(oco(sell=1 * SOL, take_profit=255, stop_loss=100))
    alice.patch(f"/orders/price/{order}", {"orderType": "oco", "slPriceUsd": 150}).ok()
    venue.settles()
    assert alice.sees(order)["events"][0]["orderContext"] == "stop_loss"


def test_a_cancelled_pair_gives_everything_back(venue: Venue, alice: Trader) -> None:
    before = alice.holds(USDC)
    order = alice.places(oco(sell=100 * USDC, buy=SOL, take_profit=255, stop_loss=100))
    alice.withdraws(order, alice.cancels(order))
    venue.price(SOL, "300")
    venue.settles()
    assert (alice.state_of(order), alice.holds(USDC)) == ("cancelled", before)


# --- parts


def test_a_pool_that_takes_little_fills_an_order_in_parts(venue: Venue, alice: Trader) -> None:
    venue.pool(SOL, most=400_000_000)
    before = alice.holds(USDC)
    order = alice.places(single(sell=1 * SOL, above=200))
    venue.price(SOL, "200")
    venue.settles()
    row = alice.sees(order)
    fills = [event for event in row["events"] if event["type"] == "fill"]
    assert len(fills) == 3
    assert (row["rawState"], row["fillPercent"], row["inputUsed"]) == ("fill_success", 1, str(BILLION))
    assert row["outputAmount"] == str(sum(int(fill["outputAmount"]) for fill in fills)) == "199800000"
    assert alice.holds(USDC) - before == 199_800_000
    assert not venue.exists(alice.accounts[order])


def test_after_a_part_both_legs_cover_the_rest(venue: Venue, alice: Trader) -> None:
    venue.pool(SOL, most=400_000_000)
    order = alice.places(oco(sell=1 * SOL, take_profit=200, stop_loss=100))
    one_part_of(venue, order, alice, at="201", then="150")
    row = alice.sees(order)
    assert (row["rawState"], row["inputUsed"], row["fillPercent"]) == ("open", "400000000", 0.4)
    assert row["remainingInputAmount"] == "600000000"
    venue.pool(SOL, most=10**9)
    venue.price(SOL, "90")
    venue.settles()
    row = alice.sees(order)
    assert (row["orderState"], row["inputUsed"]) == ("filled", str(BILLION))
    assert [event.get("orderContext") for event in row["events"]] == ["stop_loss", "take_profit", None]
    assert venue.audit()["ok"]


def test_a_cancel_after_a_part_returns_the_rest(venue: Venue, alice: Trader) -> None:
    venue.pool(USDC, most=60_000_000)
    before = alice.holds(USDC)
    order = alice.places(single(sell=100 * USDC, buy=SOL, below=120))
    one_part_of(venue, order, alice, at="119", then="150")
    assert alice.state_of(order) == "open"
    alice.withdraws(order, alice.cancels(order))
    row = alice.sees(order)
    assert [event["type"] for event in row["events"]] == ["withdrawal", "cancelled", "fill", "deposit"]
    assert [event.get("amount") for event in row["events"]] == ["40000000", None, None, "100000000"]
    assert before - alice.holds(USDC) == int(row["inputUsed"]) == 60_000_000
    assert row["remainingInputAmount"] == "40000000", "it is not zeroed"
    assert venue.audit()["ok"]


def test_an_order_that_expires_after_a_part_gives_the_rest_back(venue: Venue, alice: Trader) -> None:
    venue.freezes()
    venue.pool(USDC, most=60_000_000)
    before = alice.holds(USDC)
    order = alice.places(single(sell=100 * USDC, buy=SOL, below=120, lives_ms=60_000))
    one_part_of(venue, order, alice, at="119", then="150")
    venue.advances(60)
    row = alice.sees(order)
    assert (row["rawState"], row["inputUsed"]) == ("expired", "60000000")
    alice.withdraws(order, alice.cancels(order))
    assert before - alice.holds(USDC) == 60_000_000


def test_a_part_of_less_than_a_dollar_is_not_tried(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=100 * USDC, buy=SOL, below=120))
    venue.pool(USDC, most=999_999)
    venue.price(SOL, "119")
    venue.settles()
    row = alice.sees(order)
    assert (row["orderState"], row["inputUsed"]) == ("open", None)
    venue.pool(USDC, most=1_000_000)
    venue.price(SOL, "118")
    venue.settles()
    assert alice.state_of(order) == "filled", "a hundred parts"
    assert alice.sees(order)["inputUsed"] == "100000000"


@pytest.mark.parametrize(
    ("most", "back", "sell", "price"),
    [(99_990_001, 9_999, 100 * USDC, "119"), (999_950_001, 49_999, 1 * SOL, "200")],
    ids=["tokens", "lamports"],
)
def test_a_rest_that_is_worth_less_than_a_cent_goes_back(
    venue: Venue, alice: Trader, most: int, back: int, sell: object, price: str
) -> None:
    buys = price == "119"
    token = USDC if buys else SOL
    wish = single(sell=100 * USDC, buy=SOL, below=120) if buys else single(sell=1 * SOL, above=200)
    venue.pool(token, most=most)
    order = alice.places(wish)
    before = alice.holds(token)
    venue.price(SOL, price)
    venue.settles()
    row = alice.sees(order)
    assert (row["orderState"], row["inputUsed"]) == ("filled", str(most))
    assert (row["remainingInputAmount"], row["fillPercent"]) == ("0", 1)
    assert [event["type"] for event in row["events"]] == ["withdrawal", "fill", "deposit"]
    assert row["events"][0]["amount"] == str(back)
    assert row["events"][0]["txSignature"] == row["events"][1]["txSignature"], "in one transaction"
    rent = 0 if buys else 2_039_280
    assert alice.holds(token) - before == back + rent
    assert not venue.exists(alice.accounts[order])
    assert venue.audit()["ok"]


def test_the_pool_is_bounded_for_the_named_token_alone(venue: Venue) -> None:
    venue.pool(SOL, most=5, impact_bps=7)
    venue.pool(USDT, impact_bps=3)
    shown = venue.ask("GET", "/sandbox/liquidity").ok()
    assert shown[SOL.mint] == {"maxInput": "5", "impactBps": 7}
    assert shown[USDT.mint] == {"maxInput": None, "impactBps": 3}
    for wrong in ({}, {"maxInput": "-1"}, {"maxInput": 1.5}, {"impactBps": 10_001}, {"maxInput": "1", "x": 1}):
        assert venue.ask("PUT", "/sandbox/liquidity", {"SOL": wrong}).status == 400
    assert venue.ask("GET", "/sandbox/liquidity").ok() == shown
