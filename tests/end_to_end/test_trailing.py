"""Trailing stops: the trigger follows the market one way, and never goes back."""

import pytest

from tests.end_to_end.trader import Trader, single, trailing
from tests.end_to_end.venue import JUP, SOL, USDC, Venue

STOP = trailing(sell=1 * SOL, bps=1_000)
"""Sells ten percent below the highest price."""


def marks(alice: Trader, order: str) -> list[object]:
    row = alice.sees(order)
    return [row[name] for name in ("trailingBps", "highWatermark", "lowWatermark", "triggerPriceUsd")]


def test_a_stop_follows_the_price_up_and_not_down(venue: Venue, alice: Trader) -> None:
    venue.price(SOL, "150")
    order = alice.places(STOP)
    assert marks(alice, order) == [1_000, 150, None, 135]
    for price, high, trigger in (("160", 160, 144), ("145", 160, 144), ("200", 200, 180), ("181", 200, 180)):
        venue.price(SOL, price)
        venue.settles()
        assert marks(alice, order) == [1_000, high, None, trigger]
        assert alice.state_of(order) == "open"
    venue.price(SOL, "180")
    venue.settles()
    row = alice.sees(order)
    assert (row["orderState"], row["events"][0]["orderContext"]) == ("filled", "stop_loss")
    assert (row["highWatermark"], row["triggerPriceUsd"]) == (200, 180)
    assert venue.audit()["ok"]


def test_a_buy_follows_the_price_down(venue: Venue, alice: Trader) -> None:
    venue.price(SOL, "150")
    order = alice.places(trailing(sell=100 * USDC, buy=SOL, condition="above", bps=500))
    assert marks(alice, order) == [500, None, 150, 157.5]
    venue.price(SOL, "100")
    venue.price(SOL, "104")
    venue.settles()
    assert marks(alice, order) == [500, None, 100, 105]
    venue.price(SOL, "105")
    venue.settles()
    assert alice.sees(order)["events"][0]["orderContext"] == "buy_above"


def test_each_order_remembers_its_own_highest_price(venue: Venue, alice: Trader) -> None:
    venue.price(SOL, "200")
    first = alice.places(STOP)
    venue.price(SOL, "185")
    second = alice.places(STOP)
    venue.price(SOL, "190")
    assert marks(alice, first)[1:] == [200, None, 180]
    assert marks(alice, second)[1:] == [190, None, 171]
    venue.price(SOL, "175")
    venue.settles()
    assert [alice.state_of(order) for order in (first, second)] == ["filled", "open"]
    venue.price(SOL, "171")
    venue.settles()
    assert alice.state_of(second) == "filled"


def test_one_event_tells_of_all_that_trail(venue: Venue, alice: Trader) -> None:
    venue.price(SOL, "150")
    orders = [alice.places(trailing(sell=0.5 * SOL, bps=bps)) for bps in (500, 1_000, 2_000)]
    venue.price(SOL, "300")
    assert [marks(alice, order)[1] for order in orders] == [300] * 3
    venue.price(SOL, "269")
    venue.settles()
    assert [alice.state_of(order) for order in orders] == ["filled", "filled", "open"]


def test_the_price_moves_while_the_deposit_lands(venue: Venue, alice: Trader) -> None:
    venue.price(SOL, "150")
    body = alice.body_for(STOP, alice.crafts(STOP))
    venue.faults(dropTransactions=1_000)
    assert alice.creates(body).status == 500
    venue.price(SOL, "190")
    venue.price(SOL, "185")
    venue.faults()
    order = alice.creates(body).ok()["id"]
    assert marks(alice, order)[1:] == [190, None, 171]


def test_an_update_keeps_the_watermark(venue: Venue, alice: Trader) -> None:
    venue.price(SOL, "200")
    order = alice.places(STOP)
    venue.price(SOL, "190")
    path = f"/orders/price/{order}"
    assert alice.patch(path, {"orderType": "single", "trailingBps": 2_000}).ok() == {"id": order}
    assert marks(alice, order) == [2_000, 200, None, 160]
    refused = alice.patch(path, {"orderType": "single", "trailingBps": 500})
    assert refused.error == (400, "Trailing order would immediately trigger")
    refused = alice.patch(path, {"orderType": "single", "triggerPriceUsd": 100})
    assert refused.error == (400, "Cannot set trigger price on trailing stop loss order")
    alice.patch(path, {"orderType": "single", "slippageBps": 70}).ok()
    assert marks(alice, order) == [2_000, 200, None, 160]
    venue.price(SOL, "160")
    venue.settles()
    assert alice.state_of(order) == "filled"


def test_one_that_the_market_has_passed_may_get_more_slippage(venue: Venue, alice: Trader) -> None:
    """As one that stands still may: its trigger is not changed, and it is tried again at once."""
    venue.price(SOL, "150")
    order = alice.places(trailing(sell=1 * SOL, bps=500, slippageBps=100))
    venue.price(SOL, "100")
    venue.settles()
    assert alice.state_of(order) == "open"
    alice.patch(f"/orders/price/{order}", {"orderType": "single", "slippageBps": 10_000}).ok()
    venue.settles()
    assert alice.state_of(order) == "filled"


def test_what_stands_still_does_not_begin_to_trail(alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, above=500))
    refused = alice.patch(f"/orders/price/{order}", {"orderType": "single", "trailingBps": 500})
    assert refused.error == (400, "Cannot convert to trailing stop loss order")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"trailingBps": 49}, "trailingBps"),
        ({"trailingBps": 9_001}, "trailingBps"),
        ({"trailingBps": "500"}, "trailingBps"),
        ({"triggerCondition": "above"}, "triggerMint"),
        ({"triggerMint": JUP.mint}, "triggerMint"),
        ({"triggerCondition": None}, "triggerCondition"),
    ],
)
def test_one_that_is_not_placed(alice: Trader, fields: dict[str, object], field: str) -> None:
    body = alice.body_for(STOP, alice.crafts(STOP)) | fields
    refused = alice.creates({name: value for name, value in body.items() if value is not None})
    assert refused.status == 400
    assert field in refused.body["details"]


def test_a_repeated_create_is_known_by_its_distance(venue: Venue, alice: Trader) -> None:
    venue.price(SOL, "150")
    body = alice.body_for(STOP, alice.crafts(STOP))
    order = alice.creates(body).ok()["id"]
    venue.price(SOL, "170")
    again = alice.creates(body).ok()
    assert (again["id"], again["message"]) == (order, "Order already created")
    assert alice.creates(body | {"trailingBps": 900}).error == (400, "Duplicate deposit")


def test_a_cancelled_one_gives_everything_back(venue: Venue, alice: Trader) -> None:
    before = alice.holds(USDC)
    venue.price(SOL, "150")
    order = alice.places(trailing(sell=100 * USDC, buy=SOL, condition="above", bps=500))
    alice.withdraws(order, alice.cancels(order))
    venue.price(SOL, "300")
    venue.settles()
    assert (alice.state_of(order), alice.holds(USDC)) == ("cancelled", before)
    assert marks(alice, order)[2] == 150, "what came later is nothing to it"
