"""How orders end: by their owner, by time, by an operator, by what they would have done."""

import pytest

from countermand.orders.book.model.commands import CancelBookOrders, Command, ExpireBookOrder, OpenBookOrder
from countermand.orders.book.model.events import BookOrderCancelled
from countermand.orders.book.model.ledger.amount import ZERO
from countermand.orders.book.model.market import SelfTrade
from countermand.orders.book.model.order import BUY, SELL, CancelReason, Kind, OrderId, OrderStatus, Side
from countermand.orders.book.model.quantities import Lots
from countermand.orders.book.model.refusals import BookRefusal, BookRefused
from countermand.values.structs import replace
from tests.orders.book.venue import ALICE, BOB, BTC, BTCUSDC, CAROL, ETHUSDC, MARKET, USDC, Venue, btc, shows, usdc

DAY_MS = 24 * 3_600_000


# --- cancel


def test_a_cancelled_order_leaves_the_book_and_its_money_is_free(venue: Venue) -> None:
    order = venue.buys(ALICE, 10, 100)
    venue.cancels(ALICE, order)
    assert (venue.state(order), venue.order(order).cancel_reason) == (OrderStatus.CANCELLED, CancelReason.USER)
    assert venue.book(BUY) == []
    assert venue.locked(ALICE, USDC) == ZERO


def test_a_partly_filled_order_keeps_what_it_executed_and_its_remainder(venue: Venue) -> None:
    order = venue.buys(ALICE, 425, 100)
    venue.sells(BOB, 90, 100)
    venue.cancels(ALICE, order)
    ended = venue.order(order)
    assert (ended.state, ended.executed, ended.remaining) == (OrderStatus.CANCELLED, Lots(90), Lots(335))
    assert venue.locked(ALICE, USDC) == ZERO


def test_a_cancelled_order_does_not_trade(venue: Venue) -> None:
    order = venue.buys(ALICE, 10, 100)
    venue.cancels(ALICE, order)
    venue.sells(BOB, 10, 100)
    assert venue.trades() == []


def test_what_has_ended_cannot_be_cancelled_and_no_other_order_suffers(venue: Venue) -> None:
    """Neither a filled nor a cancelled nor a strange id ever touches another order."""
    filled, cancelled, bystander = venue.buys(ALICE, 10, 100), venue.buys(ALICE, 10, 99), venue.buys(ALICE, 10, 98)
    venue.sells(BOB, 10, 100)
    venue.cancels(ALICE, cancelled)
    before = venue.book(BUY), venue.locked(ALICE, USDC)
    for order, why in ((filled, BookRefusal.ORDER_DONE), (cancelled, BookRefusal.ORDER_CANCELLED)):
        assert venue.cancels(ALICE, order) == BookRefused(why, venue.order(order))
        assert venue.ends(order) == BookRefused(why, venue.order(order))
    for stranger in (0, -1, 4_000, 2**63):
        assert venue.cancels(ALICE, stranger) == BookRefused(BookRefusal.ORDER_UNKNOWN)
    assert (venue.book(BUY), venue.locked(ALICE, USDC)) == before == ([(bystander, 98, 10)], usdc(980))


def test_another_accounts_order_is_unknown(venue: Venue) -> None:
    order = venue.buys(ALICE, 10, 100)
    assert venue.cancels(BOB, order) == BookRefused(BookRefusal.ORDER_UNKNOWN)
    venue.sells(CAROL, 10, 100)
    assert venue.cancels(BOB, order) == BookRefused(BookRefusal.ORDER_UNKNOWN), "nor may its end be told"


def test_the_first_of_a_trade_and_a_cancel_wins_the_race(venue: Venue) -> None:
    order = venue.sells(BOB, 10, 100)
    venue.buys(ALICE, 10, 100)
    assert venue.cancels(BOB, order) == BookRefused(BookRefusal.ORDER_DONE, venue.order(order))
    order = venue.sells(BOB, 10, 100)
    venue.cancels(BOB, order)
    assert venue.state(venue.buys(ALICE, 10, 100)) is OrderStatus.OPEN


def test_bulk_cancel_takes_the_oldest_of_one_account_in_one_market(venue: Venue) -> None:
    mine = [venue.buys(ALICE, 1, price) for price in (97, 99, 98)]
    stop = venue.sells(ALICE, 1, 50, Kind.STOP_LIMIT, stop=51)
    others = venue.buys(BOB, 1, 99), venue.buys(ALICE, 1, 99, market=ETHUSDC)
    assert venue.cancels_all(ALICE, limit=2) == mine[:2]
    assert venue.cancels_all(ALICE, SELL) == [stop]
    assert venue.cancels_all(ALICE) == mine[2:]
    assert venue.cancels_all(ALICE) == []
    assert [venue.state(order) for order in others] == [OrderStatus.OPEN, OrderStatus.OPEN]


def test_bulk_cancel_where_there_is_nothing_does_nothing(venue: Venue) -> None:
    assert venue.does(CancelBookOrders(ALICE, BTCUSDC, None, 100)) == ()


# --- the system


def test_an_operator_ends_an_order(venue: Venue) -> None:
    order = venue.buys(ALICE, 10, 100)
    venue.ends(order)
    assert venue.order(order).cancel_reason is CancelReason.SYSTEM


def test_an_order_ends_when_it_is_too_old(venue: Venue) -> None:
    venue.passes(1)
    resting, stop = venue.buys(ALICE, 10, 100), venue.sells(ALICE, 10, 50, Kind.STOP_LIMIT, stop=51)
    venue.passes(30 * DAY_MS - 1)
    younger = venue.buys(ALICE, 10, 99)
    assert venue.does(ExpireBookOrder(resting)) == BookRefused(BookRefusal.NOTHING_TO_DO)
    assert venue.state(resting) is OrderStatus.OPEN
    assert venue.exchange.next_due() == venue.now + 1
    venue.passes(1)
    for order in (resting, stop):
        assert venue.order(order).cancel_reason is CancelReason.SYSTEM
    assert venue.state(younger) is OrderStatus.OPEN
    assert (venue.locked(ALICE, USDC), venue.locked(ALICE, BTC)) == (usdc(990), ZERO)


def test_the_oldest_is_due_first_over_all_markets(venue: Venue) -> None:
    second, first = venue.buys(ALICE, 1, 100, market=ETHUSDC), venue.buys(ALICE, 1, 100)
    venue.cancels(ALICE, second)
    again = venue.buys(ALICE, 1, 100, market=ETHUSDC)
    venue.passes(30 * DAY_MS)
    events = [event for entry in venue.journal[-2:] for event in entry.events]
    ended = [event.order_id for event in events if isinstance(event, BookOrderCancelled)]
    assert ended == [first, again]


@pytest.mark.parametrize(
    "command", [ExpireBookOrder(OrderId(1)), OpenBookOrder(OrderId(1)), ExpireBookOrder(OrderId(9))]
)
def test_what_is_not_due_does_nothing(venue: Venue, command: Command) -> None:
    venue.buys(ALICE, 10, 100)
    assert venue.does(command) == BookRefused(BookRefusal.NOTHING_TO_DO)


def test_a_post_only_order_that_would_cross_ends_without_a_trade(venue: Venue) -> None:
    resting = venue.sells(BOB, 10, 100)
    order = venue.order(venue.buys(ALICE, 10, 100, Kind.LIMIT_MAKER))
    assert (order.state, order.cancel_reason, order.executed) == (OrderStatus.CANCELLED, CancelReason.SYSTEM, Lots(0))
    assert venue.book(SELL) == [(resting, 100, 10)]
    assert venue.locked(ALICE, USDC) == ZERO


def test_a_post_only_order_that_crosses_nothing_rests_and_is_a_maker(venue: Venue) -> None:
    venue.sells(BOB, 10, 101)
    order = venue.buys(ALICE, 10, 100, Kind.LIMIT_MAKER)
    venue.sells(CAROL, 10, 100)
    assert venue.state(order) is OrderStatus.FILLED
    assert venue.trades()[0].buy.rate == venue.order(order).maker_fee


def test_a_match_that_fails_ends_who_came_and_leaves_who_rested(venue: Venue) -> None:
    resting = venue.sells(BOB, 10, 100)
    order = venue.order(venue.buys(ALICE, 10, 100, match_fails=True))
    assert (order.state, order.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.FAILED)
    assert venue.book(SELL) == [(resting, 100, 10)]
    assert venue.locked(ALICE, USDC) == ZERO


def test_nothing_fails_where_nothing_matches(venue: Venue) -> None:
    venue.sells(BOB, 10, 101)
    assert venue.state(venue.buys(ALICE, 10, 100, match_fails=True)) is OrderStatus.OPEN


# --- self-trade prevention


def _venue(policy: SelfTrade) -> Venue:
    return Venue(markets=[replace(MARKET, self_trade=policy)])


def test_the_newest_ends_by_default_and_earlier_fills_stay(venue: Venue) -> None:
    first = venue.sells(BOB, 4, 99)
    own = venue.sells(ALICE, 10, 100)
    order = venue.order(venue.buys(ALICE, 10, 100))
    assert (order.executed, order.state, order.cancel_reason) == (Lots(4), OrderStatus.CANCELLED, CancelReason.SYSTEM)
    assert venue.state(first) is OrderStatus.FILLED
    assert venue.book(SELL) == [(own, 100, 10)]
    assert venue.locked(ALICE, USDC) == ZERO


def test_the_oldest_ends_and_the_newest_goes_on() -> None:
    venue = _venue(SelfTrade.CANCEL_OLDEST)
    own, other = venue.sells(ALICE, 10, 100), venue.sells(BOB, 4, 100)
    order = venue.buys(ALICE, 10, 100)
    assert venue.order(own).cancel_reason is CancelReason.SYSTEM
    assert [trade.sell.order_id for trade in venue.trades()] == [other]
    assert venue.book(BUY) == [(order, 100, 6)]
    assert venue.locked(ALICE, BTC) == ZERO
    venue.replays()


def test_both_end() -> None:
    venue = _venue(SelfTrade.CANCEL_BOTH)
    own = venue.sells(ALICE, 10, 100)
    order = venue.buys(ALICE, 4, 100)
    assert [venue.order(each).cancel_reason for each in (own, order)] == [CancelReason.SYSTEM] * 2
    assert (venue.book(BUY), venue.book(SELL), venue.trades()) == ([], [], [])
    venue.replays()


@pytest.mark.parametrize(("incoming", "bids", "asks"), [(14, [(100, 4)], []), (4, [], [(100, 6)]), (10, [], [])])
def test_both_lose_the_smaller_volume(incoming: int, bids: list[object], asks: list[object]) -> None:
    venue = _venue(SelfTrade.DECREMENT)
    own = venue.sells(ALICE, 10, 100)
    order = venue.buys(ALICE, incoming, 105)
    assert [(price - 5, lots) for _, price, lots in venue.book(BUY)] == bids
    assert [(price, lots) for _, price, lots in venue.book(SELL)] == asks
    assert venue.trades() == []
    larger = own if incoming < 10 else order
    if incoming != 10:
        # What prevention took off counts as never asked for.
        assert venue.order(larger).origin == Lots(abs(10 - incoming))
    assert venue.locked(ALICE, USDC) == usdc(105 * max(incoming - 10, 0))
    assert venue.locked(ALICE, BTC) == btc(max(10 - incoming, 0))
    venue.replays()


@pytest.mark.parametrize(("there", "state"), [(4, OrderStatus.CANCELLED), (10, OrderStatus.FILLED)])
@pytest.mark.parametrize("side", Side)
def test_a_market_order_that_is_decremented_has_nothing_locked_at_its_end(
    side: Side, there: int, state: OrderStatus
) -> None:
    venue = _venue(SelfTrade.DECREMENT)
    venue.places(ALICE, side.other, 10, 100)
    venue.places(BOB, side.other, there, 101 if side is BUY else 99)
    order = venue.order(venue.places(ALICE, side, 20, None, Kind.MARKET))
    assert (order.origin, order.executed, order.state) == (Lots(10), Lots(there), state)
    assert (venue.locked(ALICE, USDC), venue.locked(ALICE, BTC)) == (ZERO, ZERO)
    venue.replays()


def test_one_account_trades_with_itself_in_no_way() -> None:
    for policy in SelfTrade:
        venue = _venue(policy)
        venue.sells(ALICE, 10, 100)
        venue.sells(ALICE, 10, 101)
        venue.buys(ALICE, 15, 105)
        assert venue.trades() == []
        assert shows(venue.journal[-1].events)[:2] == ["BookOrderPlaced", "BookOrderOpened"]
        venue.replays()
