"""Stop orders: hidden until a trade is at their stop price or beyond, then limit orders that come last."""

from countermand.orders.book.model.ledger.amount import ZERO, Account
from countermand.orders.book.model.order import BUY, SELL, CancelReason, Kind, OrderStatus
from countermand.orders.book.model.quantities import Lots
from tests.orders.book.venue import ALICE, BOB, BTC, CAROL, ETHUSDC, USDC, Venue, btc, shows, usdc

DAVE = Account("0xdave")
STOP = Kind.STOP_LIMIT


def trade_at(venue: Venue, price: int, lots: int = 1) -> None:
    """Between two who do nothing else."""
    venue.sells(BOB, lots, price)
    venue.buys(CAROL, lots, price)


def test_an_untriggered_stop_order_is_hidden_and_paid_for(venue: Venue) -> None:
    order = venue.buys(ALICE, 10, 120, STOP, stop=110)
    assert venue.state(order) is OrderStatus.PENDING
    assert (venue.book(BUY), venue.locked(ALICE, USDC)) == ([], usdc(1_200))
    venue.sells(BOB, 10, 100)
    assert venue.trades() == []


def test_an_untriggered_stop_order_can_be_cancelled(venue: Venue) -> None:
    order = venue.sells(ALICE, 10, 80, STOP, stop=90)
    venue.cancels(ALICE, order)
    assert (venue.state(order), venue.locked(ALICE, BTC)) == (OrderStatus.CANCELLED, ZERO)
    trade_at(venue, 85)
    assert venue.state(order) is OrderStatus.CANCELLED


def test_a_trade_at_the_stop_price_triggers(venue: Venue) -> None:
    buy, sell = venue.buys(ALICE, 10, 109, STOP, stop=110), venue.sells(ALICE, 10, 91, STOP, stop=90)
    for price in (109, 91):
        trade_at(venue, price)
        assert [venue.state(order) for order in (buy, sell)] == [OrderStatus.PENDING, OrderStatus.PENDING]
    trade_at(venue, 110)
    assert [venue.state(order) for order in (buy, sell)] == [OrderStatus.OPEN, OrderStatus.PENDING]
    assert venue.book(BUY) == [(buy, 109, 10)]
    venue.cancels(ALICE, buy)
    trade_at(venue, 89)
    assert venue.book(SELL) == [(sell, 91, 10)]


def test_a_price_that_only_rests_triggers_nothing(venue: Venue) -> None:
    order = venue.buys(ALICE, 10, 120, STOP, stop=110)
    venue.buys(BOB, 10, 115)
    venue.sells(CAROL, 10, 116)
    assert venue.state(order) is OrderStatus.PENDING


def test_another_markets_trade_triggers_nothing(venue: Venue) -> None:
    order = venue.buys(ALICE, 10, 120, STOP, stop=110)
    venue.sells(BOB, 1, 115, market=ETHUSDC)
    venue.buys(CAROL, 1, 115, market=ETHUSDC)
    assert venue.state(order) is OrderStatus.PENDING


def test_a_stop_order_that_is_through_the_market_is_opened_at_once(venue: Venue) -> None:
    trade_at(venue, 100)
    order = venue.buys(ALICE, 10, 90, STOP, stop=100)
    assert venue.book(BUY) == [(order, 90, 10)]
    assert shows(venue.journal[-2].events) == ["BookOrderPlaced", "StopTriggered"]
    assert shows(venue.journal[-1].events) == ["BookOrderOpened", "BookOrderRested"]


def test_a_triggered_order_comes_last_at_its_price(venue: Venue) -> None:
    stop = venue.buys(ALICE, 10, 100, STOP, stop=105)
    earlier = venue.buys(BOB, 10, 100)
    venue.sells(CAROL, 1, 105)
    venue.buys(BOB, 1, 105)
    later = venue.buys(BOB, 10, 100)
    assert [order for order, _, _ in venue.book(BUY)] == [earlier, stop, later]


def test_a_triggered_order_takes_what_its_limit_allows(venue: Venue) -> None:
    stop = venue.buys(ALICE, 10, 106, STOP, stop=105)
    venue.sells(BOB, 5, 105)
    venue.sells(BOB, 4, 106)
    venue.sells(BOB, 4, 107)
    venue.buys(CAROL, 1, 105)
    assert venue.order(stop).executed == Lots(8)
    assert venue.book(BUY) == [(stop, 106, 2)]
    assert venue.locked(ALICE, USDC) == usdc(2 * 106)


def test_one_stop_order_triggers_the_next(venue: Venue) -> None:
    first = venue.sells(ALICE, 10, 90, STOP, stop=95)
    second = venue.sells(ALICE, 10, 80, STOP, stop=90)
    venue.buys(BOB, 1, 95)
    venue.buys(BOB, 10, 90)
    venue.buys(BOB, 10, 85)
    venue.sells(CAROL, 1, 95)
    assert [venue.state(order) for order in (first, second)] == [OrderStatus.FILLED, OrderStatus.FILLED]
    assert [trade.price.ticks for trade in venue.trades()] == [95, 90, 85]


def test_those_that_one_command_triggers_open_in_the_order_of_their_placement(venue: Venue) -> None:
    farther, nearer = venue.buys(ALICE, 1, 99, STOP, stop=110), venue.buys(ALICE, 1, 99, STOP, stop=105)
    venue.sells(BOB, 1, 105)
    venue.sells(BOB, 1, 112)
    venue.buys(CAROL, 2, 112)
    assert [order for order, _, _ in venue.book(BUY)] == [farther, nearer]


def test_every_trade_counts_and_not_only_the_last(venue: Venue) -> None:
    """One order trades at 105 and then at 112: on its way it passed a stop order to sell at 107."""
    order = venue.sells(ALICE, 1, 120, STOP, stop=107)
    venue.sells(BOB, 1, 105)
    venue.sells(BOB, 1, 112)
    venue.buys(CAROL, 2, 112)
    assert venue.state(order) is OrderStatus.OPEN


def test_a_price_that_turned_back_has_triggered_all_the_same(venue: Venue) -> None:
    """The first stop order to open moves the price away from the second."""
    venue.buys(BOB, 5, 70)
    first, second = venue.sells(ALICE, 5, 70, STOP, stop=90), venue.buys(ALICE, 5, 60, STOP, stop=90)
    trade_at(venue, 90)
    assert venue.exchange.markets[venue.order(first).terms.market].last is not None
    assert venue.trades()[-1].price.ticks == 70
    assert [venue.state(order) for order in (first, second)] == [OrderStatus.FILLED, OrderStatus.OPEN]


def test_a_triggered_order_stops_more_than_thirty_percent_from_where_it_was_placed(venue: Venue) -> None:
    venue.sells(BOB, 1, 100)
    stop = venue.buys(ALICE, 30, 200, STOP, stop=110)
    venue.sells(BOB, 10, 130)
    venue.sells(BOB, 10, 131)
    venue.sells(BOB, 1, 110)
    venue.buys(CAROL, 2, 110)
    order = venue.order(stop)
    assert (order.executed, order.cancel_reason) == (Lots(10), CancelReason.SLIPPAGE)
    assert venue.locked(ALICE, USDC) == ZERO


def test_without_a_price_at_placement_there_is_no_slippage(venue: Venue) -> None:
    stop = venue.buys(ALICE, 10, 200, STOP, stop=110)
    venue.sells(BOB, 11, 190)
    venue.buys(CAROL, 1, 190)
    assert venue.state(stop) is OrderStatus.FILLED


def test_the_last_trade_is_the_reference_where_no_order_stands_opposite(venue: Venue) -> None:
    trade_at(venue, 100)
    stop = venue.buys(ALICE, 10, 200, STOP, stop=110)
    venue.sells(BOB, 11, 131)
    venue.buys(CAROL, 1, 131)
    assert venue.order(stop).cancel_reason is CancelReason.SLIPPAGE


def test_a_restart_between_trigger_and_opening_loses_nothing(venue: Venue) -> None:
    """The trigger is committed with the trade: a writer that loads it opens the order."""
    venue.sells(ALICE, 10, 90, STOP, stop=95)
    venue.buys(BOB, 1, 95)
    seen = []
    run_due = venue._run_due
    venue._run_due = lambda: None  # type: ignore[method-assign]  # The process ends here.
    venue.sells(CAROL, 1, 95)
    loaded = venue.reloaded()
    seen.append(loaded.command_due(venue.now))
    assert seen == [venue.exchange.command_due(venue.now)]
    assert seen[0] is not None
    venue._run_due = run_due  # type: ignore[method-assign]
    venue.passes(0)
    assert venue.book(SELL) == [(1, 90, 10)]
    assert venue.locked(ALICE, BTC) == btc(10)
