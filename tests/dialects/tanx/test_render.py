"""What tanX says about orders, trades and balances, byte for byte: from its documentation, not from our encoder."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from countermand.dialects.tanx import wire
from countermand.dialects.tanx.render import (
    Renderer,
    balance_of_currency,
    balance_row,
    change_percent,
    decimal,
    ticker,
)
from countermand.dialects.tanx.translate import orders_query
from countermand.orders.book.model.events import Traded, TradeLeg
from countermand.orders.book.model.ledger.amount import ZERO, Account, Amount, Currency
from countermand.orders.book.model.ledger.ledger import Balance
from countermand.orders.book.model.market import MarketSymbol, fee_of
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.model.order import (
    BookOrder,
    BookTerms,
    CancelReason,
    Kind,
    Nonce,
    OrderId,
    OrderStatus,
    Side,
    TradeId,
)
from countermand.orders.book.model.quantities import Lots, Rate, Ticks
from countermand.orders.book.ports import Turnover
from countermand.orders.book.service import BookTrade, MarketTicker
from countermand.settings import settle
from countermand.values.instant import Instant
from countermand.values.structs import replace

BY_SYMBOL = {market.symbol: market for market in MARKETS}
CEST = Renderer(BY_SYMBOL, timedelta(hours=2))
CET = Renderer(BY_SYMBOL, timedelta(hours=1))
ALICE, BOB = Account("0x" + "a" * 40), Account("0x" + "b" * 40)

SEED_ORDER = """{
    "id": 25768879,
    "uuid": "17be02d1-34ef-49df-9b92-264705047d99",
    "side": "buy",
    "ord_type": "limit",
    "price": "68733.81",
    "stop_price": null,
    "avg_price": "68733.81",
    "state": "wait",
    "market": "btcusdc",
    "created_at": "2024-05-31T09:02:00+02:00",
    "updated_at": "2024-05-31T09:02:03+02:00",
    "origin_volume": "0.0425",
    "remaining_volume": "0.0335",
    "executed_volume": "0.009",
    "maker_fee": "0.0004",
    "taker_fee": "0.0004",
    "trades_count": 2,
    "cancel_reason": null
}"""
"""The page's, but for the noise of a float in `executed_volume`."""


def the_seed_s_order(**changes: Any) -> BookOrder:
    return replace(
        BookOrder(
            id=OrderId(25768879),
            uuid="17be02d1-34ef-49df-9b92-264705047d99",
            nonce=Nonce(931),
            placement=b"",
            terms=BookTerms(ALICE, MarketSymbol("btcusdc"), Side.BUY, Kind.LIMIT, Lots(425), Ticks(6873381)),
            maker_fee=Rate(400),
            taker_fee=Rate(400),
            reference=None,
            state=OrderStatus.OPEN,
            created_at=Instant(1717138920_000),
            updated_at=Instant(1717138923_999),
            origin=Lots(425),
            executed=Lots(90),
            turnover=6873381 * 90,
            trades=2,
            rank=1,
        ),
        **changes,
    )


def text(shown: object) -> str:
    return msgspec.json.encode(shown).decode()


def compact(sample: str) -> str:
    return json.dumps(json.loads(sample), separators=(",", ":"))


def test_the_seed_s_order_byte_for_byte() -> None:
    assert text(CEST.order(the_seed_s_order())) == compact(SEED_ORDER)


@pytest.mark.parametrize(
    ("offset", "shown"),
    [
        ("+00:00", "2024-05-31T07:02:00+00:00"),
        ("-00:00", "2024-05-31T07:02:00+00:00"),
        ("+05:30", "2024-05-31T12:32:00+05:30"),
        ("-03:00", "2024-05-31T04:02:00-03:00"),
        ("+23:59", "2024-06-01T07:01:00+23:59"),
    ],
)
def test_times_have_a_numeric_offset(offset: str, shown: str) -> None:
    ahead = settle(tanx_utc_offset=offset).tanx_utc_offset
    assert Renderer(BY_SYMBOL, ahead).order(the_seed_s_order()).created_at == shown


def test_an_order_with_its_trades_is_the_same_order() -> None:
    shown = text(CEST.order_with_trades(the_seed_s_order(), ()))
    assert shown == compact(SEED_ORDER).removesuffix("}") + ',"trades":[]}'


def test_the_market_order_of_the_page_about_creation() -> None:
    """It has traded since: what was answered at its creation stays as it was."""
    terms = BookTerms(ALICE, MarketSymbol("btcusdt"), Side.BUY, Kind.MARKET, Lots(1), Ticks(3000000))
    order = the_seed_s_order(
        id=OrderId(37270840),
        uuid="d541658d-9559-43dc-ac39-e97ad0e5a454",
        terms=terms,
        maker_fee=Rate(1000),
        taker_fee=Rate(1000),
        state=OrderStatus.FILLED,
        origin=Lots(1),
        executed=Lots(1),
        turnover=3069004,
        trades=1,
        created_at=Instant(1681976678_000),
        updated_at=Instant(1681976679_000),
    )
    assert text(CEST.order_as_placed(order)) == compact(
        """{ "id": 37270840, "uuid": "d541658d-9559-43dc-ac39-e97ad0e5a454", "side": "buy", "ord_type": "market",
    "price": null, "stop_price": null, "avg_price": "0.0", "state": "pending", "market": "btcusdt",
    "created_at": "2023-04-20T09:44:38+02:00", "updated_at": "2023-04-20T09:44:38+02:00",
    "origin_volume": "0.0001", "remaining_volume": "0.0001", "executed_volume": "0.0",
    "maker_fee": "0.001", "taker_fee": "0.001", "trades_count": 0, "cancel_reason": null }"""
    )
    shown = CEST.order(order)
    assert (shown.state, shown.avg_price, shown.executed_volume) == ("done", "30690.04", "0.0001")
    assert shown.remaining_volume == "0.0"


def test_a_volume_that_prevention_took_off_was_there_at_the_creation() -> None:
    order = the_seed_s_order(origin=Lots(400))
    assert CEST.order(order).origin_volume == "0.04"
    assert CEST.order_as_placed(order).origin_volume == "0.0425"


def test_the_cancelled_order_of_the_page_about_an_order() -> None:
    order = the_seed_s_order(
        id=OrderId(23157052),
        uuid="a0b17d1f-0f2c-4c93-ad40-2e71077de499",
        terms=BookTerms(ALICE, MarketSymbol("btcusdc"), Side.BUY, Kind.MARKET, Lots(51), None),
        state=OrderStatus.CANCELLED,
        created_at=Instant(1667904789_000),
        updated_at=Instant(1667904794_000),
        origin=Lots(51),
        executed=Lots(0),
        turnover=0,
        trades=0,
        maker_fee=Rate(1000),
        taker_fee=Rate(1000),
        cancel_reason=CancelReason.SYSTEM,
    )
    assert text(CET.order_with_trades(order, ())) == compact(
        """{"id": 23157052, "uuid": "a0b17d1f-0f2c-4c93-ad40-2e71077de499", "side": "buy", "ord_type": "market",
   "price": null, "stop_price": null, "avg_price": "0.0", "state": "cancel", "market": "btcusdc",
   "created_at": "2022-11-08T11:53:09+01:00", "updated_at": "2022-11-08T11:53:14+01:00",
   "origin_volume": "0.0051", "remaining_volume": "0.0051", "executed_volume": "0.0",
   "maker_fee": "0.001", "taker_fee": "0.001", "trades_count": 0,
   "cancel_reason": "Order cancellation was initiated by system", "trades": [] }"""
    )


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (CancelReason.USER, "Order cancelled by user"),
        (CancelReason.SLIPPAGE, "Slippage greater than 30%. Order cancelled to prevent loss of funds"),
        (CancelReason.SYSTEM, "Order cancellation was initiated by system"),
        (CancelReason.FAILED, "Something went wrong, order was cancelled to prevent loss of funds"),
    ],
)
def test_the_reasons_of_the_seed_without_its_quotation_marks(reason: CancelReason, words: str) -> None:
    assert CEST.order(the_seed_s_order(state=OrderStatus.CANCELLED, cancel_reason=reason)).cancel_reason == words


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (OrderStatus.PENDING, "pending"),
        (OrderStatus.OPEN, "wait"),
        (OrderStatus.FILLED, "done"),
        (OrderStatus.CANCELLED, "cancel"),
    ],
)
def test_a_status_has_the_word_of_tanx(status: OrderStatus, word: wire.State) -> None:
    assert CEST.order(the_seed_s_order(state=status)).state == word
    assert orders_query(wire.OrdersParams(state=word), ALICE, BY_SYMBOL).state is status


def test_a_stop_order_shows_both_prices() -> None:
    terms = BookTerms(ALICE, MarketSymbol("usdcusdt"), Side.SELL, Kind.STOP_LIMIT, Lots(100), Ticks(9990), Ticks(10000))
    shown = CEST.order(the_seed_s_order(terms=terms, state=OrderStatus.PENDING))
    assert (shown.ord_type, shown.price, shown.stop_price) == ("stop_limit", "0.999", "1.0")


def test_the_book_s_orders_have_no_private_fields() -> None:
    terms = BookTerms(ALICE, MarketSymbol("ethusdc"), Side.SELL, Kind.LIMIT, Lots(10), Ticks(200000))
    order = the_seed_s_order(
        id=OrderId(100),
        uuid="6f11fcb2-1ef5-4fe3-852d-c73ddc28a8d1",
        terms=terms,
        maker_fee=Rate(1000),
        taker_fee=Rate(1000),
        created_at=Instant(1681894970_000),
        updated_at=Instant(1681894971_000),
        origin=Lots(10),
        executed=Lots(0),
        turnover=0,
        trades=0,
    )
    assert text(CEST.public_order(order)) == compact(
        """{ "id": 100, "uuid": "6f11fcb2-1ef5-4fe3-852d-c73ddc28a8d1", "side": "sell", "ord_type": "limit",
     "price": "2000.0", "avg_price": "0.0", "state": "wait", "market": "ethusdc",
     "created_at": "2023-04-19T11:02:50+02:00", "updated_at": "2023-04-19T11:02:51+02:00",
     "origin_volume": "0.001", "remaining_volume": "0.001", "executed_volume": "0.0",
     "maker_fee": "0.001", "taker_fee": "0.001", "trades_count": 0 }"""
    )


def a_trade(symbol: str, price: int, lots: int, rate: int, trade_id: int, buy_id: int, sell_id: int) -> Traded:
    """Alice buys from Bob, whose order rested."""
    market = BY_SYMBOL[MarketSymbol(symbol)]
    volume, total = market.volume(Lots(lots)), market.cost(Ticks(price), Lots(lots))
    buy = TradeLeg(OrderId(buy_id), ALICE, total, volume, Rate(rate), fee_of(volume, Rate(rate)), ZERO)
    sell = TradeLeg(OrderId(sell_id), BOB, volume, total, Rate(rate), fee_of(total, Rate(rate)), ZERO)
    return Traded(TradeId(trade_id), market.symbol, Ticks(price), Lots(lots), Side.BUY, buy, sell)


def test_the_trade_of_the_page_about_own_trades() -> None:
    trade = BookTrade(a_trade("btcusdt", 3069004, 1, 1000, 478272, 37270841, 37270800), Instant(1681976739_000))
    assert text(CEST.own_trade(trade, ALICE)) == compact(
        """{ "id": 478272, "price": "30690.04", "amount": "0.0001", "total": "3.069004", "fee_currency": "btc",
    "fee": "0.001", "fee_amount": "0.0000001", "market": "btcusdt", "created_at": "2023-04-20T09:45:39+02:00",
    "taker_type": "buy", "side": "buy", "order_id": 37270841 }"""
    )
    other = CEST.own_trade(trade, BOB)
    assert (other.side, other.taker_type, other.order_id) == ("sell", "buy", 37270800)
    assert (other.fee_currency, other.fee_amount) == ("usdt", "0.003069004")


def test_the_trade_of_the_page_about_the_market() -> None:
    trade = BookTrade(a_trade("ethusdc", 199000, 10, 1000, 40, 2, 1), Instant(1681894870_500))
    sample = """{ "id": 40, "price": 1990, "amount": 0.001, "total": 1.99, "market": "ethusdc",
                  "created_at": 1681894870, "taker_type": "buy" }"""
    assert text(CEST.public_trade(trade)) == compact(sample)


def test_balances_are_exact() -> None:
    balance = Balance(Amount(1959644 * 10**9), Amount(0))
    assert text(balance_of_currency(Currency("eth"), balance)) == (
        '{"currency":"eth","balance":"0.1959644","locked":"0.0","deposit_address":null}'
    )
    smallest = Balance(Amount(563542376240000001), Amount(1))
    assert text(balance_row(Currency("usdc"), smallest)) == (
        '{"currency":"usdc","balance":"56.3542376240000001","locked":"0.0000000000000001"}'
    )


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        (3011120, 2958051, "-1.76%"),
        (10000, 10123, "+1.23%"),
        (10000, 10000, "+0.00%"),
        (100000, 99999, "+0.00%"),
        (20000, 19999, "-0.01%"),
        (1, 1000, "+99900.00%"),
    ],
)
def test_a_change_has_a_sign_and_two_decimals(first: int, last: int, shown: str) -> None:
    assert change_percent(first, last) == shown


BTCUSDC = BY_SYMBOL[MarketSymbol("btcusdc")]


def test_the_ticker_of_the_page() -> None:
    """But for the page's numbers, which are not those of one day: the mean is the turnover by the volume."""
    day = Turnover(
        BTCUSDC.symbol, first=3011120, last=2958051, high=3040000, low=2910000, lots=43001, turnover=128450120000
    )
    assert text(ticker(BTCUSDC, MarketTicker(Instant(1681903275_900), day, Ticks(2958051)))) == compact(
        """{ "at": "1681903275",
    "ticker": { "at": "1681903275", "avg_price": "29871.42", "high": "30400.0", "last": "29580.51",
      "low": "29100.0", "open": "30111.2", "price_change_percent": "-1.76%",
      "volume": "128450.12", "amount": "4.3001" } }"""
    )


def test_a_day_without_trades_shows_the_last_price_of_all() -> None:
    quiet = ticker(BTCUSDC, MarketTicker(Instant(0), None, Ticks(2958051))).ticker
    assert (quiet.last, quiet.open, quiet.high, quiet.price_change_percent) == ("29580.51", "0.0", "0.0", "+0.00%")
    assert ticker(BTCUSDC, MarketTicker(Instant(0), None, None)).ticker.last == "0.0"


def test_a_decimal_has_no_exponent_and_a_digit_after_the_point() -> None:
    assert [decimal(1, 16), decimal(0, 4), decimal(10**32, 16)] == ["0.0000000000000001", "0.0", f"{10**16}.0"]
