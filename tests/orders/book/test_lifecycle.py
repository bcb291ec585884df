"""Every state with every event: what the table allows happens, and nothing else does."""

from typing import Final, get_args

import pytest

from countermand.orders.book.model.events import (
    BookOrderCancelled,
    BookOrderOpened,
    BookOrderPlaced,
    BookOrderReduced,
    BookOrderRested,
    OrderEvent,
    StopTriggered,
    Traded,
    TradeLeg,
)
from countermand.orders.book.model.ledger.amount import ZERO
from countermand.orders.book.model.lifecycle import (
    LIVE,
    TRANSITIONS,
    evolve,
    is_resting,
    place,
)
from countermand.orders.book.model.order import (
    BUY,
    BookOrder,
    BookTerms,
    CancelReason,
    Kind,
    Nonce,
    OrderId,
    OrderStatus,
    TradeId,
)
from countermand.orders.book.model.quantities import Lots, Rate, Ticks
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand.values.transitions import IllegalTransition, outcomes
from tests.orders.book.venue import ALICE, BOB, BTCUSDC, START

ID, OTHER = OrderId(3), OrderId(4)
LATER = Instant(START + 1_000)
TERMS = BookTerms(ALICE, BTCUSDC, BUY, Kind.LIMIT, Lots(10), Ticks(100))
PLACED = BookOrderPlaced(ID, "uuid", Nonce(1), b"", TERMS, Rate(200), Rate(400), None, ZERO)


def trade(lots: int, price: int = 100) -> Traded:
    legs = (TradeLeg(order, account, ZERO, ZERO, Rate(0), ZERO, ZERO) for order, account in ((ID, ALICE), (OTHER, BOB)))
    return Traded(TradeId(1), BTCUSDC, Ticks(price), Lots(lots), BUY, *legs)


EVENTS: Final[list[OrderEvent]] = [
    PLACED,
    StopTriggered(ID),
    BookOrderOpened(ID),
    BookOrderRested(ID, 7),
    trade(4),
    BookOrderReduced(ID, Lots(3), ZERO),
    BookOrderCancelled(ID, CancelReason.USER, ZERO),
]
ALLOWED: Final = {
    ("pending", "StopTriggered"): "pending",
    ("pending", "BookOrderOpened"): "wait",
    ("pending", "BookOrderCancelled"): "cancel",
    ("wait", "BookOrderRested"): "wait",
    ("wait", "Traded"): "wait",
    ("wait", "BookOrderReduced"): "wait",
    ("wait", "BookOrderCancelled"): "cancel",
}
"""The table once more, in other words. Each sample leaves something to be filled."""


def order(state: OrderStatus) -> BookOrder:
    return replace(place(PLACED, START), state=state)


def test_every_event_is_here() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(OrderEvent))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("state", OrderStatus)
def test_every_pair_of_state_and_event(state: OrderStatus, event: OrderEvent) -> None:
    before = order(state)
    expected = ALLOWED.get((state.value, type(event).__name__))
    if expected is None:
        with pytest.raises(IllegalTransition):
            evolve(before, event, LATER)
    else:
        after = evolve(before, event, LATER)
        assert (after.state.value, after.created_at, after.updated_at) == (expected, START, LATER)
        assert after.origin == after.remaining + after.executed


def test_every_state_can_be_reached_and_all_have_a_row() -> None:
    reached = {state for row in TRANSITIONS.values() for outcome in row.values() for state in outcomes(outcome)}
    assert reached | {OrderStatus.PENDING} == set(OrderStatus) == set(TRANSITIONS)


@pytest.mark.parametrize("state", [OrderStatus.FILLED, OrderStatus.CANCELLED])
def test_nothing_follows_an_end(state: OrderStatus) -> None:
    assert TRANSITIONS[state] == {}
    assert state not in LIVE


def test_the_trade_that_leaves_nothing_is_the_end() -> None:
    partly = evolve(order(OrderStatus.OPEN), trade(4, price=90), LATER)
    assert (partly.state, partly.remaining, partly.average) == (OrderStatus.OPEN, Lots(6), Ticks(90))
    done = evolve(partly, trade(6, price=100), LATER)
    assert (done.state, done.remaining, done.trades, done.average) == (OrderStatus.FILLED, Lots(0), 2, Ticks(96))


@pytest.mark.parametrize("event", [trade(11), BookOrderReduced(ID, Lots(10), ZERO)])
def test_no_more_is_taken_than_there_is(event: OrderEvent) -> None:
    with pytest.raises(AssertionError):
        evolve(order(OrderStatus.OPEN), event, LATER)


def test_an_order_rests_once_and_is_triggered_once() -> None:
    resting = evolve(order(OrderStatus.OPEN), BookOrderRested(ID, 7), LATER)
    assert (resting.rank, is_resting(resting)) == (7, True)
    with pytest.raises(AssertionError):
        evolve(resting, BookOrderRested(ID, 8), LATER)
    triggered = evolve(order(OrderStatus.PENDING), StopTriggered(ID), LATER)
    assert triggered.triggered_at == LATER
    with pytest.raises(AssertionError):
        evolve(triggered, StopTriggered(ID), LATER)


def test_stored_words_stay_as_old_databases_have_them() -> None:
    assert {state: state.value for state in OrderStatus} == {
        OrderStatus.PENDING: "pending",
        OrderStatus.OPEN: "wait",
        OrderStatus.FILLED: "done",
        OrderStatus.CANCELLED: "cancel",
    }
