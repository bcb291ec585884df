"""Every state with every event: what the table allows happens, and nothing else does."""

from typing import Any, Final, get_args

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
    IllegalBookTransition,
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


def order(state: OrderStatus) -> BookOrder:
    return replace(place(PLACED, START), state=state)


def test_every_event_is_here() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(OrderEvent))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("state", OrderStatus)
def test_the_table_decides(state: OrderStatus, event: Any) -> None:
    before = order(state)
    allowed = TRANSITIONS[state].get(type(event))
    if allowed is None:
        with pytest.raises(IllegalBookTransition):
            evolve(before, event, LATER)
    else:
        after = evolve(before, event, LATER)
        assert (after.state, after.created_at, after.updated_at) == (allowed, START, LATER)
        assert after.origin == after.remaining + after.executed


@pytest.mark.parametrize("state", [OrderStatus.DONE, OrderStatus.CANCEL])
def test_nothing_follows_an_end(state: OrderStatus) -> None:
    assert TRANSITIONS[state] == {}
    assert state not in LIVE


def test_the_trade_that_leaves_nothing_is_the_end() -> None:
    partly = evolve(order(OrderStatus.WAIT), trade(4, price=90), LATER)
    assert (partly.state, partly.remaining, partly.average) == (OrderStatus.WAIT, Lots(6), Ticks(90))
    done = evolve(partly, trade(6, price=100), LATER)
    assert (done.state, done.remaining, done.trades, done.average) == (OrderStatus.DONE, Lots(0), 2, Ticks(96))


@pytest.mark.parametrize("event", [trade(11), BookOrderReduced(ID, Lots(10), ZERO)])
def test_no_more_is_taken_than_there_is(event: OrderEvent) -> None:
    with pytest.raises(AssertionError):
        evolve(order(OrderStatus.WAIT), event, LATER)


def test_an_order_rests_once_and_is_triggered_once() -> None:
    resting = evolve(order(OrderStatus.WAIT), BookOrderRested(ID, 7), LATER)
    assert (resting.rank, is_resting(resting)) == (7, True)
    with pytest.raises(AssertionError):
        evolve(resting, BookOrderRested(ID, 8), LATER)
    triggered = evolve(order(OrderStatus.PENDING), StopTriggered(ID), LATER)
    assert triggered.triggered_at == LATER
    with pytest.raises(AssertionError):
        evolve(triggered, StopTriggered(ID), LATER)
