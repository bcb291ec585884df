"""What any client may ask about the markets, over an exchange in memory."""

import json
from typing import Any

import pytest

from countermand.curves import stark
from countermand.curves.ethereum import keccak
from countermand.dialects.tanx.coins import COINS
from tests.dialects.tanx.order_api import ALICE, BOB, NOW, OrderApi

MINUTE_MS = 60_000


@pytest.fixture
def api() -> OrderApi:
    api = OrderApi()
    for who in (ALICE, BOB):
        api.gives(who, eth=10, btc=1, usdc=10_000, usdt=10_000)
    return api


def asks(api: OrderApi, path: str, **params: Any) -> Any:
    """The client is not logged in."""
    return api.get(path, None, **params).ok()


def trades(api: OrderApi, price: float, volume: float = 0.1) -> None:
    """Bob sells to Alice."""
    api.creates(BOB, side="sell", price=price, volume=volume)
    api.creates(price=price, volume=volume)


def test_it_works(api: OrderApi) -> None:
    assert api.get("/sapi/v1/health", None).raw == '{"status":"success","message":"Working fine!","payload":""}'


def test_the_book_shows_orders_the_best_first_and_the_older_first(api: OrderApi) -> None:
    for side, price in (("buy", 1990), ("buy", 1991), ("buy", 1990), ("sell", 2001), ("sell", 2000)):
        api.creates(side=side, price=price, volume=0.1)
    api.creates(ord_type="stop_limit", stop_price=2100, volume=0.1)
    book = asks(api, "/sapi/v1/market/orderbook", market="ethusdc")
    assert [order["id"] for order in book["asks"]] == [5, 4]
    assert [order["id"] for order in book["bids"]] == [2, 1, 3]
    assert list(book["bids"][0]) == [
        *("id", "uuid", "side", "ord_type", "price", "avg_price", "state", "market", "created_at", "updated_at"),
        *("origin_volume", "remaining_volume", "executed_volume", "maker_fee", "taker_fee", "trades_count"),
    ]
    short = asks(api, "/sapi/v1/market/orderbook", market="ethusdc", asks_limit=1, bids_limit=2)
    assert (len(short["asks"]), len(short["bids"])) == (1, 2)


def test_a_market_is_needed(api: OrderApi) -> None:
    for path in ("orderbook", "trades", "kline"):
        missing, unknown = api.get(f"/sapi/v1/market/{path}"), api.get(f"/sapi/v1/market/{path}", market="BTCUSDC")
        assert missing.problem == (400, "please provide market, market is a mandatory field")
        assert unknown.problem == (400, "please enter a valid market")
    assert api.get("/sapi/v1/market/tickers", market="x").problem == (400, "please enter a valid market")
    for limit in (0, 201, "x"):
        got = api.get("/sapi/v1/market/orderbook", market="ethusdc", asks_limit=limit)
        assert got.problem[1].startswith("asks_limit: ")


def test_public_trades_name_no_account(api: OrderApi) -> None:
    trades(api, 1990)
    api.advances(5_000)
    trades(api, 1991.5)
    first, second = asks(api, "/sapi/v1/market/trades", market="ethusdc", order_by="asc")
    assert first == {
        "id": 1,
        "price": 1990,
        "amount": 0.1,
        "total": 199,
        "market": "ethusdc",
        "created_at": NOW // 1000,
        "taker_type": "buy",
    }
    assert asks(api, "/sapi/v1/market/trades", market="ethusdc") == [second, first]
    assert asks(api, "/sapi/v1/market/trades", market="ethusdc", limit=1) == [second]
    assert asks(api, "/sapi/v1/market/trades", market="ethusdc", timestamp=NOW // 1000 + 5) == [first]
    assert asks(api, "/sapi/v1/market/trades", market="btcusdc") == []


def test_tickers_of_all_markets_unless_one_is_named(api: OrderApi) -> None:
    trades(api, 1990)
    trades(api, 2000, 0.3)
    every = asks(api, "/sapi/v1/market/tickers", btcusdc="btcusdc")
    assert sorted(every) == ["btcusdc", "btcusdt", "ethusdc", "ethusdt", "usdcusdt"]
    one = asks(api, "/sapi/v1/market/tickers", market="ethusdc")
    assert one == {"ethusdc": every["ethusdc"]}
    assert one["ethusdc"]["ticker"] == {
        "at": str(NOW // 1000),
        "avg_price": "1997.5",
        "high": "2000.0",
        "last": "2000.0",
        "low": "1990.0",
        "open": "1990.0",
        "price_change_percent": "+0.50%",
        "volume": "799.0",
        "amount": "0.4",
    }


def test_candles_have_no_gap(api: OrderApi) -> None:
    trades(api, 1990)
    trades(api, 2000, 0.3)
    api.advances(3 * MINUTE_MS)
    trades(api, 1980.5)
    start = NOW // 1000
    assert asks(api, "/sapi/v1/market/kline", market="ethusdc", limit=5) == [
        [start, 1990, 2000, 1990, 2000, 0.4],
        [start + 60, 2000, 2000, 2000, 2000, 0],
        [start + 120, 2000, 2000, 2000, 2000, 0],
        [start + 180, 1980.5, 1980.5, 1980.5, 1980.5, 0.1],
    ]
    later = asks(api, "/sapi/v1/market/kline", market="ethusdc", limit=2)
    assert [candle[0] for candle in later] == [start + 120, start + 180]
    assert later[0][1:] == [2000, 2000, 2000, 2000, 0]
    assert asks(api, "/sapi/v1/market/kline", market="btcusdc") == []


@pytest.mark.parametrize(
    ("params", "first", "last"),
    [
        ({}, -29, 0),
        ({"limit": 3}, -2, 0),
        ({"start_time": -120, "limit": 2}, -2, -1),
        ({"start_time": -100}, -2, 0),
        ({"end_time": -60, "limit": 2}, -3, -2),
        ({"end_time": -59, "limit": 2}, -2, -1),
        ({"end_time": 9999, "limit": 2}, -1, 0),
        ({"start_time": -300, "end_time": -60, "limit": 1}, -5, -2),
    ],
)
def test_the_span_of_candles(api: OrderApi, params: dict[str, int], first: int, last: int) -> None:
    """In minutes from the one that has just begun; times in seconds from there."""
    begun = NOW // 1000
    trades(api, 1990)
    api.venue.made.clear()
    times = {name: value + begun if name.endswith("time") else value for name, value in params.items()}
    asks(api, "/sapi/v1/market/kline", market="ethusdc", **times)
    length, since, until = api.venue.asked_periods
    assert (length, (since - NOW) // MINUTE_MS, (until - 1 - NOW) // MINUTE_MS) == (MINUTE_MS, first, last)


def test_a_candle_says_the_same_wherever_the_span_ends(api: OrderApi) -> None:
    trades(api, 1990)
    api.advances(30_000)
    trades(api, 2000, 0.3)
    start = NOW // 1000
    whole = [start, 1990, 2000, 1990, 2000, 0.4]
    for times in ({}, {"end_time": start + 1}, {"start_time": start + 20, "end_time": start + 30}, {"limit": 1}):
        assert asks(api, "/sapi/v1/market/kline", market="ethusdc", **times) == [whole], times
    for end in (start + 20, start + 10, start):
        assert asks(api, "/sapi/v1/market/kline", market="ethusdc", start_time=start + 20, end_time=end) == [], end


def test_what_no_candle_can_be(api: OrderApi) -> None:
    def refused(**params: Any) -> str:
        words: str = api.get("/sapi/v1/market/kline", market="ethusdc", **params).problem[1]
        return words

    for period in (7, 0, -1):
        assert refused(period=period).startswith("period: Not a valid choice; it is one of 1, 5, 15")
    assert refused(limit=10_001) == "limit: Ensure this value is less than or equal to 10000."
    assert refused(start_time=0, end_time=NOW) == "end_time: There may be at most 10000 periods."
    assert asks(api, "/sapi/v1/market/kline", market="ethusdc", start_time=10**15, period=10080) == []


def test_coins_are_what_clients_look_for(api: OrderApi) -> None:
    got = api.post("/main/stat/v2/coins", None, None)
    coins = {coin["symbol"]: coin for coin in got.ok().values()}
    assert sorted(got.ok()) == ["bitcoin", "ethereum", "tether", "usdc"]
    eth, usdc = coins["eth"], coins["usdc"]
    assert eth["stark_asset_id"] == "0x2705737cd248ac819034b5de474c8f0368224f72a0fda9e031499d519992d9e"
    assert usdc["stark_asset_id"] == "0x2893294412a4c8f915f75892b395ebbf6859ec246ec365c3b1f56f47c3a0a5d"
    assert (eth["quanitization"], eth["decimal"], eth["blockchain_decimal"]) == ("10", "8", "18")
    assert (usdc["quanitization"], usdc["minimum_order"], usdc["token_contract"][:4]) == ("6", "0.01", "0xA0")
    assert all(isinstance(coin["maximum_order"], str) for coin in coins.values())


def test_an_asset_s_id_follows_from_its_contract() -> None:
    """StarkEx's rule, and the reason to believe those that are published nowhere."""
    for coin in COINS.values():
        selector = keccak(b"ERC20Token(address)" if coin.contract else b"ETH()")[:4]
        info = selector + (bytes(12) + bytes.fromhex(coin.contract[2:]) if coin.contract else b"")
        quantum = 10 ** (coin.blockchain_decimals - coin.quantum_decimals)
        assert coin.asset_id == int.from_bytes(keccak(info + quantum.to_bytes(32))) % 2**250 < stark.FIELD


def test_networks_and_the_list_of_markets(api: OrderApi) -> None:
    payload = api.post("/main/stat/v2/app-and-markets", None, None).ok()
    assert payload["network_config"]["ETHEREUM"]["allowed_tokens_for_fast_wd"] == []
    markets = {market["id"]: market for market in payload["markets"]}
    assert list(markets) == ["btcusdc", "ethusdc", "btcusdt", "ethusdt", "usdcusdt"]
    assert (markets["usdcusdt"]["price_precision"], markets["usdcusdt"]["amount_precision"]) == (4, 2)
    assert (markets["btcusdc"]["name"], markets["btcusdc"]["taker_fee"]) == ("BTC/USDC", "0.0004")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/sapi/v1/user/pnl", "Profit"),
        ("/sapi/v1/deposits", "deposits"),
        ("/sapi/v1/deposits/all", "deposits"),
        ("/main/user/create_vault", "deposits"),
        ("/sapi/v1/payment/withdrawals", "withdrawals"),
        ("/sapi/v1/payment/fast-withdrawals/v2/process", "withdrawals"),
        ("/sapi/v1/internal_transfers/v2", "transfers"),
        ("/sapi/v1/internal_transfers/v2/6462569061361987", "transfers"),
    ],
)
def test_what_is_not_here_yet_says_so(api: OrderApi, method: str, path: str, word: str) -> None:
    got = api.ask(method, path, body=b'{"amount": 1}')
    assert got.problem[0] == 501
    assert word in got.problem[1]


def test_a_book_that_was_asked_for_by_a_body_is_the_same(api: OrderApi) -> None:
    api.creates()
    by_body = api.ask("GET", "/sapi/v1/market/orderbook", None, body=json.dumps({"market": "ethusdc"}))
    assert by_body == api.get("/sapi/v1/market/orderbook", None, market="ethusdc")
