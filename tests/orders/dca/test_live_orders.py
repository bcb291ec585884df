"""The recurring orders in memory: how many are active, and what time demands of them."""

from typing import Any

import pytest

from countermand.orders.dca.model import events
from countermand.orders.dca.model.commands import BeginRound, EndPause
from countermand.orders.dca.model.live_orders import LiveOrders
from countermand.orders.dca.model.order import State
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING
from countermand.values.transactions import AttemptKind
from tests.orders.dca.samples import ALICE, DEPOSITED, HOUR_MS, ID, MALLORY, PLACED_AT, TXID, attempt, order, place

LATER = Instant(PLACED_AT + 5)


@pytest.mark.parametrize("state", State)
def test_active_orders_are_counted_by_wallet(state: State) -> None:
    live = LiveOrders()
    live.adopt(order(state))
    ended = state in (State.COMPLETED, State.CANCELLED, State.DEPOSIT_FAILED)
    assert (live.active(ALICE), live.active(MALLORY)) == (int(not ended), 0)


@pytest.mark.parametrize(
    ("made", "event"),
    [
        (order(State.DEPOSITING), events.DepositFailed(TXID, None)),
        (
            order(State.EXECUTING, rounds_filled=2),
            events.FillLanded(TXID, DEPOSITED, DEPOSITED, NOTHING, closed=True),
        ),
        (
            order(State.WITHDRAWING, attempt=attempt(AttemptKind.WITHDRAWAL)),
            events.WithdrawalLanded(TXID, DEPOSITED, NOTHING, closed=True),
        ),
    ],
    ids=["failed", "completed", "cancelled"],
)
def test_an_order_that_ends_makes_room_for_another(made: Any, event: Any) -> None:
    live = LiveOrders()
    live.adopt(made)
    assert live.active(ALICE) == 1
    live.apply(ID, event, LATER)
    assert live.active(ALICE) == 0
    live.evict(ID)
    assert (live.active(ALICE), live.orders) == (0, {})


def test_what_is_due_is_due_since_now() -> None:
    live, now = LiveOrders(), Instant(PLACED_AT + 50 * HOUR_MS)
    live.adopt(order(next_fill_at=PLACED_AT))
    live.begin_due(now, 9)
    assert live.command_due(now) == live.due_before(BeginRound(ID), now) == (now, BeginRound(ID))
    assert live.due_before(BeginRound(ID), Instant(PLACED_AT - 1)) is None
    assert live.due_before(place(), Instant(PLACED_AT - 1)) is None


def test_the_pause_of_a_sweep_ends_by_time() -> None:
    live = LiveOrders()
    live.adopt(order(State.COMPLETED, sweep_due=True, retry_at=LATER))
    live.begin_due(LATER, 9)
    assert live.command_due(LATER) == (LATER, EndPause(ID))
