"""The life of an order that the price decides: what is taken, what is given, and what its history says."""

import pytest

from tests.end_to_end.trader import Order, Trader, single
from tests.end_to_end.venue import JUP, PRICES, SOL, USDC, Funds, Token, Venue

RENT = 2_039_280
"""Of an order's token account, in lamports. The user lends it."""


def test_an_order_fills_when_its_price_comes(venue: Venue, alice: Trader) -> None:
    lamports, usdc = alice.holds(SOL), alice.holds(USDC)
    order = alice.places(single(sell=1 * SOL, above=200))
    assert alice.state_of(order) == "open"
    assert alice.holds(SOL) == lamports - 10**9 - RENT - fee(alice, order)

    venue.price(SOL, "199.999999999999")
    venue.settles()
    assert alice.state_of(order) == "open"

    venue.price(SOL, "200")
    venue.settles()
    assert alice.state_of(order) == "filled"
    assert alice.holds(USDC) == usdc + 199_800_000  # 200 dollars, less 0.1 %.
    assert alice.holds(SOL) == lamports - 10**9 - fee(alice, order)
    assert not venue.exists(alice.accounts[order])


@pytest.mark.parametrize(
    ("order", "moves", "gives", "context"),
    [
        (single(sell=1 * SOL, above=160), {SOL: "160"}, 159_840_000, "take_profit"),
        (single(sell=1 * SOL, below=140), {SOL: "140"}, 139_860_000, "stop_loss"),
        (single(sell=200 * USDC, buy=SOL, below=100), {SOL: "100"}, 1_998_000_000, "buy_below"),
        (single(sell=200 * USDC, buy=SOL, above=200), {SOL: "200"}, 999_000_000, "buy_above"),
        (single(sell=100 * JUP, above=1), {JUP: "1"}, 99_900_000, "take_profit"),
        (single(sell=100 * JUP, buy=SOL, below=0.3), {JUP: "0.3"}, 199_800_000, "stop_loss"),
        (single(sell=1 * SOL, buy=JUP, below=0.25, trigger=JUP), {JUP: "0.25"}, 599_400_000, "buy_below"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_a_fill_gives(
    venue: Venue, alice: Trader, order: Order, moves: dict[Token, str], gives: int, context: str
) -> None:
    placed = alice.places(order)
    sold, bought = alice.holds(order.sell.token), alice.holds(order.buy)
    venue.prices(moves)
    venue.settles()
    row = alice.sees(placed)
    assert (row["orderState"], row["rawState"]) == ("filled", "fill_success")
    assert (row["outputAmount"], row["inputUsed"]) == (str(gives), str(order.sell.units))
    assert (row["remainingInputAmount"], row["fillPercent"]) == ("0", 1)
    assert row["events"][0]["orderContext"] == context
    # The rent comes back when the order's account is closed.
    assert alice.holds(order.buy) - bought == gives + (RENT if order.buy == SOL else 0)
    assert alice.holds(order.sell.token) - sold == (RENT if order.sell.token == SOL else 0)


def test_the_row_of_an_order(venue: Venue, alice: Trader) -> None:
    craft = alice.crafts(single(sell=1 * SOL, above=200, slippage_bps=100))
    body = alice.body_for(single(sell=1 * SOL, above=200, slippage_bps=100), craft)
    created = alice.creates(body).ok()
    row = alice.sees(created["id"])
    created_at, updated_at = row.pop("createdAt"), row.pop("updatedAt")
    assert 0 <= updated_at - created_at < 5_000
    assert row == {
        "id": created["id"],
        "orderType": "single",
        "orderState": "open",
        "rawState": "open",
        "userPubkey": alice.wallet,
        "privyWalletPubkey": alice.vault,
        "inputMint": "So11111111111111111111111111111111111111112",
        "initialInputAmount": "1000000000",
        "remainingInputAmount": "1000000000",
        "outputMint": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
        "triggerMint": "So11111111111111111111111111111111111111112",
        "triggerCondition": "above",
        "triggerPriceUsd": 200,
        "slippageBps": 100,
        "expiresAt": body["expiresAt"],
        "triggeredAt": None,
        "outputAmount": None,
        "inputUsed": None,
        "fillPercent": 0,
        "trailingBps": None,
        "highWatermark": None,
        "lowWatermark": None,
        "tpPriceUsd": None,
        "slPriceUsd": None,
        "tpSlippageBps": None,
        "slSlippageBps": None,
        "events": [
            {
                "type": "deposit",
                "timestamp": updated_at,
                "txSignature": created["txSignature"],
                "mint": "So11111111111111111111111111111111111111112",
                "amount": "1000000000",
                "state": "success",
            }
        ],
    }
    assert list(created) == ["id", "txSignature", "depositConfirmed"]
    assert created["depositConfirmed"] is True
    assert list(craft) == [
        "transaction", "requestId", "receiverAddress", "mint", "amount", "tokenDecimals", "inputTokenAccount",
    ]  # fmt: skip
    assert (craft["receiverAddress"], craft["amount"], craft["tokenDecimals"]) == (alice.vault, "1000000000", 9)


def test_the_events_of_a_fill_and_of_a_cancel(venue: Venue, alice: Trader) -> None:
    filled = alice.places(single(sell=1 * SOL, above=200))
    venue.price(SOL, "200")
    venue.settles()
    row = alice.sees(filled)
    fill, deposit = row["events"]
    assert list(fill) == [
        "type", "timestamp", "txSignature", "outputMint", "outputAmount", "orderContext", "state",
    ]  # fmt: skip
    assert (fill["outputMint"], fill["outputAmount"]) == (USDC.mint, "199800000")
    assert deposit["timestamp"] <= row["triggeredAt"] <= fill["timestamp"]

    cancelled = alice.places(single(sell=20 * USDC, buy=SOL, below=100))
    signature = alice.withdraws(cancelled, alice.cancels(cancelled))["txSignature"]
    withdrawal, event, deposit = alice.sees(cancelled)["events"]
    at = withdrawal["timestamp"]
    assert event == {"type": "cancelled", "timestamp": at, "state": "success"}
    assert withdrawal == {
        "type": "withdrawal",
        "timestamp": at,
        "txSignature": signature,
        "mint": USDC.mint,
        "amount": "20000000",
        "state": "success",
    }
    assert deposit["type"] == "deposit"


def test_an_order_through_the_market_fills_at_once(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, above=150))
    venue.settles()
    assert alice.state_of(order) == "filled"


def test_an_update_through_the_market_fills_at_once(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, above=200))
    assert alice.amends(order, triggerPriceUsd=149.5).ok() == {"id": order}
    venue.settles()
    assert alice.state_of(order) == "filled"


def test_an_update_changes_what_it_names(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, above=200, slippage_bps=100))
    later = venue.now() + 7_200_000
    assert alice.amends(order, slippageBps=150).ok() == {"id": order}
    assert alice.amends(order, expiresAt=later).ok() == {"id": order}
    assert alice.amends(order, triggerPriceUsd="210.50").ok() == {"id": order}
    row = alice.sees(order)
    assert (row["triggerPriceUsd"], row["slippageBps"], row["expiresAt"]) == (210.5, 150, later)
    venue.price(SOL, "200")
    venue.settles()
    assert alice.state_of(order) == "open"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "body"),
        ({"orderType": "oco", "tpPriceUsd": 300}, "orderType"),
        ({"tpPriceUsd": 300}, "tpPriceUsd"),
        ({"expiresAt": 1_700_000_000_000}, "expiresAt"),
        ({"slippageBps": 10_001}, "slippageBps"),
        ({"slippageBps": -1}, "slippageBps"),
        ({"slippageBps": 1.5}, "slippageBps"),
        ({"triggerPriceUsd": 0}, "triggerPriceUsd"),
        ({"triggerPriceUsd": -5}, "triggerPriceUsd"),
        ({"triggerPriceUsd": "1e9999999"}, "triggerPriceUsd"),
        ({"triggerPriceUsd": 1e-13}, "triggerPriceUsd"),
        ({"orderType": "trailing", "triggerPriceUsd": 1}, "orderType"),
    ],
)
def test_an_update_that_makes_no_sense_changes_nothing(
    venue: Venue, alice: Trader, fields: dict[str, object], named: str
) -> None:
    order = alice.places(single(sell=1 * SOL, above=200))
    before = alice.sees(order)
    refused = alice.patch(f"/orders/price/{order}", {"orderType": "single"} | fields)
    assert refused.error == (400, "Request validation failed")
    assert list(refused.body["details"]) == [named]
    assert alice.sees(order) == before


def test_one_price_fills_many(venue: Venue, alice: Trader, bob: Trader) -> None:
    orders = [
        (trader, trader.places(single(sell=0.2 * SOL, above=190 + n))) for n in range(4) for trader in (alice, bob)
    ]
    venue.price(SOL, "192")
    venue.settles()
    assert [trader.state_of(order) for trader, order in orders] == ["filled"] * 6 + ["open"] * 2


def test_the_history_is_the_wallets_own(venue: Venue, alice: Trader, bob: Trader) -> None:
    orders = [alice.places(single(sell=1 * SOL, above=price)) for price in (200, 210, 220)]
    bobs = bob.places(single(sell=20 * USDC, buy=JUP, below=0.25))
    alice.withdraws(orders[1], alice.cancels(orders[1]))
    alice.cancels(orders[2])

    def ids(trader: Trader, **query: object) -> list[str]:
        return [row["id"] for row in trader.history(**query)]

    assert ids(bob) == [bobs]
    assert ids(alice) == [orders[2], orders[1], orders[0]]  # By the last update.
    assert ids(alice, sort="created_at", dir="asc") == orders
    assert ids(alice, state="active") == [orders[2], orders[0]]
    assert ids(alice, state="past") == [orders[1]]
    assert ids(alice, mint=USDC.mint) == [orders[2], orders[1], orders[0]]
    assert ids(alice, mint=JUP.mint) == []
    page = alice.get("/orders/history?limit=1&offset=1&sort=created_at&dir=asc").ok()
    assert page["pagination"] == {"total": 3, "limit": 1, "offset": 1}
    assert [row["id"] for row in page["orders"]] == [orders[1]]
    for query in ("limit=0", "limit=101", "limit=x", "offset=-1", "state=open", "sort=id", "dir=up", "mint=x"):
        refused = alice.get(f"/orders/history?{query}")
        assert refused.error == (400, "Request validation failed")
        assert list(refused.body["details"]) == [query.split("=")[0]]


def test_a_token_of_the_users_own(venue: Venue, alice: Trader) -> None:
    before = {token["mint"] for token in venue.sandbox()["tokens"]}
    added = venue.ask("POST", "/sandbox/tokens", {"symbol": "BONK", "decimals": 5, "price": "0.002"}).ok()["tokens"]
    (token,) = [token for token in added if token["mint"] not in before]
    assert (token["symbol"], token["decimals"], token["price"]) == ("BONK", 5, "0.002")
    bonk = Token("BONK", token["mint"], 5)
    alice.has(Funds(bonk, 10_000 * 10**5))
    order = alice.places(single(sell=Funds(bonk, 10_000 * 10**5), above=0.004))
    before_usdc = alice.holds(USDC)
    venue.price(bonk, "0.004")
    venue.settles()
    assert alice.holds(USDC) - before_usdc == 39_960_000
    assert alice.state_of(order) == "filled"


def test_prices_are_there_for_who_asks(venue: Venue) -> None:
    venue.price(SOL, "147.478934073833")
    answer = venue.ask("GET", f"/price/v3?ids={SOL.mint},{JUP.mint},unknown")
    assert b'"usdPrice":147.478934073833,' in answer.raw  # Every digit.
    prices = answer.ok()
    assert list(prices) == [SOL.mint, JUP.mint]
    assert prices[JUP.mint]["usdPrice"] == float(PRICES[JUP])
    assert prices[SOL.mint]["decimals"] == 9


def fee(trader: Trader, order: str) -> int:
    """The network's, of the order's deposit: what the chain says that it took."""
    deposit = trader.sees(order)["events"][-1]["txSignature"]
    taken = trader.venue.rpc("getTransaction", deposit, {"encoding": "json", "maxSupportedTransactionVersion": 0})
    network_fee: int = taken["meta"]["fee"]
    return network_fee
