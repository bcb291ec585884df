"""Which taker trades with which maker, at which price, and who pays what."""

import pytest

from countermand.orders.book.model.events import BookOrderOpened, BookOrderPlaced, BookOrderRested
from countermand.orders.book.model.exchange import Exchange
from countermand.orders.book.model.ledger.amount import ZERO, Amount
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.model.order import BUY, SELL, BookTerms, CancelReason, Kind, Nonce, OrderId, OrderStatus
from countermand.orders.book.model.quantities import Lots, Rate, Ticks
from tests.orders.book.venue import ALICE, BOB, BTC, BTCUSDC, CAROL, ETHUSDC, UNIT, USDC, Venue, btc, shows, usdc

MILLION = Amount(10**6 * UNIT)


def test_an_order_that_meets_no_maker_rests_with_its_money_locked(venue: Venue) -> None:
    order = venue.buys(ALICE, 425, 6_873_381)
    assert venue.state(order) is OrderStatus.OPEN
    assert venue.book(BUY) == [(order, 6_873_381, 425)]
    assert venue.locked(ALICE, USDC) == usdc(6_873_381 * 425)
    assert venue.available(ALICE, USDC) == MILLION - usdc(6_873_381 * 425)


def test_a_sell_order_locks_what_it_sells(venue: Venue) -> None:
    venue.sells(ALICE, 425, 6_873_381)
    assert (venue.locked(ALICE, BTC), venue.locked(ALICE, USDC)) == (btc(425), ZERO)


def test_a_partial_fill_leaves_both_where_they_belong(venue: Venue) -> None:
    resting = venue.buys(ALICE, 425, 6_873_381)
    venue.sells(BOB, 40, 6_873_381)
    venue.sells(BOB, 50, 6_000_000)
    order = venue.order(resting)
    assert (order.origin, order.executed, order.remaining) == (Lots(425), Lots(90), Lots(335))
    assert (order.trades, order.average, order.state) == (2, Ticks(6_873_381), OrderStatus.OPEN)
    assert venue.book(BUY) == [(resting, 6_873_381, 335)]
    assert venue.book(SELL) == []


def test_the_price_is_the_makers_and_the_difference_is_unlocked_at_the_fill(venue: Venue) -> None:
    venue.sells(BOB, 10, 100_00)
    venue.buys(ALICE, 30, 110_00)
    assert venue.trades()[0].price == Ticks(100_00)
    # 20 lots rest at 110 dollars. Ten were paid at 100; what 110 would have cost is not locked any more.
    assert venue.locked(ALICE, USDC) == usdc(20 * 110_00)
    assert venue.available(ALICE, USDC) == MILLION - usdc(20 * 110_00) - usdc(10 * 100_00)
    assert venue.trades()[0].buy.unlocked == usdc(10 * 10_00)


def test_time_decides_between_equal_prices_and_price_before_time(venue: Venue) -> None:
    late_but_better = venue.sells(BOB, 10, 100), venue.sells(CAROL, 10, 100), venue.sells(BOB, 10, 99)
    venue.buys(ALICE, 25, 100)
    first, second, better = late_but_better
    assert [trade.sell.order_id for trade in venue.trades()] == [better, first, second]
    assert venue.book(SELL) == [(second, 100, 5)]


def test_a_partly_filled_maker_keeps_its_place(venue: Venue) -> None:
    first, second = venue.sells(BOB, 10, 100), venue.sells(CAROL, 10, 100)
    venue.buys(ALICE, 4, 100)
    venue.buys(ALICE, 8, 100)
    assert [trade.sell.order_id for trade in venue.trades()] == [first, first, second]


def test_a_maker_that_comes_back_comes_last(venue: Venue) -> None:
    first, second = venue.sells(BOB, 10, 100), venue.sells(CAROL, 10, 100)
    venue.cancels(BOB, first)
    again = venue.sells(BOB, 10, 100)
    assert [order for order, _, _ in venue.book(SELL)] == [second, again]


def test_each_pays_its_fee_in_what_it_receives(venue: Venue) -> None:
    """The maker 0.0002, the taker 0.0004; the buyer in bitcoin, the seller in dollars."""
    venue.sells(BOB, 10_000, 30_000_00)
    venue.buys(ALICE, 10_000, 30_000_00)
    trade = venue.trades()[0]
    assert (trade.taker, trade.buy.rate.millionths, trade.sell.rate.millionths) == (BUY, 400, 200)
    assert trade.buy.fee == venue.fees(BTC) == Amount(UNIT * 4 // 10_000)
    assert trade.sell.fee == venue.fees(USDC) == Amount(6 * UNIT)
    assert venue.available(ALICE, BTC) == MILLION + btc(10_000) - trade.buy.fee
    assert venue.available(BOB, USDC) == MILLION + usdc(10_000 * 30_000_00) - trade.sell.fee


def test_the_fee_follows_who_came_and_not_the_side(venue: Venue) -> None:
    venue.buys(ALICE, 10_000, 30_000_00)
    venue.sells(BOB, 10_000, 30_000_00)
    trade = venue.trades()[0]
    assert (trade.taker, trade.buy.rate.millionths, trade.sell.rate.millionths) == (SELL, 200, 400)
    assert venue.fees(BTC) == Amount(UNIT * 2 // 10_000)
    assert venue.fees(USDC) == Amount(12 * UNIT)


def test_the_smallest_trade_has_an_exact_fee(venue: Venue) -> None:
    """One lot at one cent: 10⁻⁶ dollars, of which 0.0004 are 4 × 10⁻¹⁰."""
    venue.buys(ALICE, 1, 1)
    venue.sells(BOB, 1, 1)
    assert venue.trades()[0].sell.fee == Amount(4 * 10**6)
    assert venue.trades()[0].buy.fee == Amount(2 * 10**8)


def test_the_average_is_rounded_down_to_a_tick(venue: Venue) -> None:
    venue.sells(BOB, 1, 100)
    venue.sells(BOB, 2, 101)
    order = venue.order(venue.buys(ALICE, 3, 101))
    assert (order.turnover, order.average) == (302, Ticks(100))


def test_an_order_without_a_trade_has_no_average(venue: Venue) -> None:
    assert venue.order(venue.buys(ALICE, 1, 100)).average is None


def test_ids_and_trades_are_counted_without_a_gap_over_all_markets(venue: Venue) -> None:
    placed = [venue.sells(BOB, 5, 100), venue.sells(BOB, 5, 100, market=ETHUSDC)]
    venue.tries(ALICE, BUY, 0, 100)
    placed += [venue.buys(ALICE, 5, 100, market=ETHUSDC), venue.buys(ALICE, 7, 100)]
    assert placed == [1, 2, 3, 4]
    assert [trade.trade_id for trade in venue.trades()] == [1, 2]


def test_markets_do_not_meet(venue: Venue) -> None:
    venue.sells(BOB, 5, 100, market=ETHUSDC)
    venue.buys(ALICE, 5, 100)
    assert venue.trades() == []


def test_an_order_that_fills_at_once_was_accepted_before(venue: Venue) -> None:
    venue.sells(BOB, 5, 100)
    venue.buys(ALICE, 5, 100)
    assert shows(venue.journal[-1].events) == ["BookOrderPlaced", "BookOrderOpened", "Traded"]


def test_an_order_that_would_rest_across_the_book_stops_us(venue: Venue) -> None:
    venue.sells(BOB, 5, 100)
    terms = BookTerms(ALICE, BTCUSDC, BUY, Kind.LIMIT, Lots(5), Ticks(100))
    placed = BookOrderPlaced(OrderId(2), "uuid", Nonce(99), b"", terms, Rate(0), Rate(0), None, usdc(500))
    wrong = Exchange(venue.markets, venue.new_book)
    for event in [event for entry in venue.journal for event in entry.events] + [placed, BookOrderOpened(OrderId(2))]:
        wrong.apply(event, venue.now)
    with pytest.raises(AssertionError, match="crosses the book"):
        wrong.apply(BookOrderRested(OrderId(2), 2), venue.now)


def test_rates_are_fixed_at_creation(venue: Venue) -> None:
    order = venue.order(venue.buys(ALICE, 5, 100))
    market: Market = venue.markets[0]
    assert (order.maker_fee, order.taker_fee) == (market.maker_fee, market.taker_fee)


# --- market orders


def test_a_market_order_takes_what_is_there_and_its_rest_ends(venue: Venue) -> None:
    venue.sells(BOB, 10, 100)
    order = venue.order(venue.buys(ALICE, 25, None, Kind.MARKET))
    assert (order.state, order.executed, order.remaining) == (OrderStatus.CANCELLED, Lots(10), Lots(15))
    assert order.cancel_reason is CancelReason.SYSTEM
    assert venue.locked(ALICE, USDC) == ZERO
    assert venue.available(ALICE, USDC) == MILLION - usdc(10 * 100)


def test_a_market_order_that_finds_all_is_done_and_keeps_nothing_locked(venue: Venue) -> None:
    venue.sells(BOB, 10, 100)
    venue.sells(BOB, 10, 120)
    order = venue.buys(ALICE, 15, None, Kind.MARKET)
    assert venue.state(order) is OrderStatus.FILLED
    assert venue.available(ALICE, USDC) == MILLION - usdc(10 * 100 + 5 * 120)
    assert venue.locked(ALICE, USDC) == ZERO


def test_a_market_order_in_an_empty_book_ends(venue: Venue) -> None:
    for order in (venue.buys(ALICE, 1, None, Kind.MARKET), venue.sells(ALICE, 1, None, Kind.MARKET)):
        assert venue.order(order).cancel_reason is CancelReason.SYSTEM
        assert venue.order(order).executed == Lots(0)


def test_a_market_order_takes_no_price_beyond_its_worst(venue: Venue) -> None:
    venue.sells(BOB, 10, 100)
    venue.sells(BOB, 10, 101)
    bought = venue.order(venue.buys(ALICE, 20, 100, Kind.MARKET))
    assert (bought.executed, bought.cancel_reason) == (Lots(10), CancelReason.SYSTEM)
    venue.buys(CAROL, 10, 90)
    venue.buys(CAROL, 10, 89)
    sold = venue.order(venue.sells(ALICE, 20, 90, Kind.MARKET))
    assert (sold.executed, sold.cancel_reason) == (Lots(10), CancelReason.SYSTEM)


def test_a_worst_price_may_be_anything(venue: Venue) -> None:
    venue.sells(BOB, 10, 100)
    assert venue.state(venue.buys(ALICE, 10, 10**30, Kind.MARKET)) is OrderStatus.FILLED


def test_a_market_order_stops_before_the_first_match_more_than_thirty_percent_away(venue: Venue) -> None:
    for price in (100, 130, 131):
        venue.sells(BOB, 10, price)
    order = venue.order(venue.buys(ALICE, 30, None, Kind.MARKET))
    assert (order.executed, order.cancel_reason) == (Lots(20), CancelReason.SLIPPAGE)
    assert venue.locked(ALICE, USDC) == ZERO


def test_slippage_downwards_is_judged_alike(venue: Venue) -> None:
    for price in (100, 70, 69):
        venue.buys(BOB, 10, price)
    order = venue.order(venue.sells(ALICE, 30, None, Kind.MARKET))
    assert (order.executed, order.cancel_reason) == (Lots(20), CancelReason.SLIPPAGE)


def test_a_limit_order_goes_as_far_as_its_limit(venue: Venue) -> None:
    for price in (100, 131):
        venue.sells(BOB, 10, price)
    assert venue.state(venue.buys(ALICE, 20, 200)) is OrderStatus.FILLED


def test_a_market_order_short_of_money_buys_what_it_can_pay_in_full(poor: Venue) -> None:
    poor.credits(BOB, BTC, btc(20))
    poor.credits(ALICE, USDC, usdc(1_500))
    poor.sells(BOB, 10, 100)
    poor.sells(BOB, 10, 101)
    order = poor.order(poor.buys(ALICE, 20, None, Kind.MARKET))
    assert (order.executed, order.cancel_reason) == (Lots(10), CancelReason.SYSTEM)
    assert (poor.available(ALICE, USDC), poor.locked(ALICE, USDC)) == (usdc(500), ZERO)


def test_the_venue_opens_with_these_markets() -> None:
    shown = [(market.symbol, market.price_decimals, market.volume_decimals, market.taker_fee) for market in MARKETS]
    assert shown == [
        ("btcusdc", 2, 4, Rate(400)),
        ("ethusdc", 2, 4, Rate(400)),
        ("btcusdt", 2, 4, Rate(400)),
        ("ethusdt", 2, 4, Rate(400)),
        ("usdcusdt", 4, 2, Rate(400)),
    ]
