"""Which orders a price or an instant concerns, however they came to be as they are."""

from countermand.orders.trigger.model import events
from countermand.orders.trigger.model.commands import EndPause, ExpireOrder, TriggerOrders
from countermand.orders.trigger.model.live_orders import LiveOrders
from countermand.orders.trigger.model.order import OrderGroup, State
from countermand.orders.trigger.model.refusals import TriggerRefused
from countermand.values.identity import OrderId
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import UsdPrice
from tests.orders.trigger.samples import EXPIRES_AT, ID, PLACED_AT, SOL, leg, order, usd

NOW = Instant(PLACED_AT + 10)
RETRY_AT = Instant(PLACED_AT + 1_000)


def holding(group: OrderGroup) -> LiveOrders:
    orders = LiveOrders()
    orders.adopt(group)
    return orders


def triggered_by(orders: LiveOrders, price: UsdPrice, *, at_once: bool = False) -> list[OrderId]:
    crossed, more = orders.take_crossed(SOL, price, at_once=at_once)
    assert not more
    events = orders.decide(TriggerOrders(SOL, price, at_once, tuple(crossed)), Moment(NOW))
    assert not isinstance(events, TriggerRefused)
    orders.watch_again(crossed)
    return [order_id for order_id, _ in events]


def test_an_order_is_concerned_by_the_price_that_it_waits_for() -> None:
    assert triggered_by(holding(order()), usd(199)) == []
    assert triggered_by(holding(order()), usd(200)) == [ID]


def test_an_amended_order_is_concerned_by_its_new_price_only() -> None:
    orders = holding(order())
    orders.apply(ID, events.OrderAmended((leg(dollars=300),), EXPIRES_AT), NOW)
    assert triggered_by(orders, usd(299)) == []
    assert triggered_by(orders, usd(300)) == [ID]


def test_a_paused_order_is_concerned_by_a_price_that_acts_at_once() -> None:
    paused = order(retry_at=RETRY_AT)
    assert triggered_by(holding(paused), usd(250)) == []
    assert triggered_by(holding(paused), usd(250), at_once=True) == [ID]


def test_once_its_pause_is_over_any_price_concerns_it_again() -> None:
    orders = holding(order(retry_at=RETRY_AT))
    orders.apply(ID, events.PauseEnded(), NOW)
    assert triggered_by(orders, usd(250)) == [ID]


def test_an_order_that_fails_to_fill_pauses_and_is_watched_again() -> None:
    orders = holding(order(State.TRIGGERED))
    orders.apply(ID, events.FillFailed("no quote", RETRY_AT, None, close_rejected=False), NOW)
    assert triggered_by(orders, usd(250)) == []
    assert orders.command_due(Instant(RETRY_AT - 1)) is None
    assert orders.command_due(RETRY_AT) == (RETRY_AT, EndPause(ID))
    assert triggered_by(orders, usd(250), at_once=True) == [ID]


def test_no_price_concerns_an_order_that_is_not_open() -> None:
    for state in State:
        if state is not State.OPEN:
            assert triggered_by(holding(order(state)), usd(250), at_once=True) == [], state


def test_an_open_order_expires_when_it_is_due_by_now() -> None:
    orders = holding(order())
    later = Instant(EXPIRES_AT + 5)
    assert orders.command_due(Instant(EXPIRES_AT - 1)) is None
    orders.apply(ID, events.OrderAmended((leg(),), later), NOW)
    assert orders.command_due(EXPIRES_AT) is None
    assert orders.command_due(later) == (later, ExpireOrder(ID))
