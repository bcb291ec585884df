"""What an order waits for, state by state: case A4."""

from typing import Any

import pytest

from countermand.orders.trigger.model.order import OrderGroup, State
from countermand.orders.trigger.model.waiting import waits_for
from countermand.orders.vaults.model.waiting import Waiting
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand.values.transactions import AttemptKind
from countermand.values.withdrawal import Withdrawal
from tests.orders.trigger.samples import PLACED_AT, REQUEST, attempt, craft, order


def within(state: State, **progress: Any) -> OrderGroup:
    group = order(state)
    return replace(group, progress=replace(group.progress, **progress))


@pytest.mark.parametrize(
    ("group", "waiting"),
    [
        (within(State.DEPOSITING), Waiting.DEPOSIT),
        (within(State.OPEN), Waiting.PRICE),
        (within(State.OPEN, retry_at=Instant(PLACED_AT + 1)), Waiting.PAUSE),
        (within(State.TRIGGERED), Waiting.SWAP),
        (within(State.EXECUTING), Waiting.FILL),
        (within(State.PARTLY_FILLED), Waiting.REST),
        (within(State.EXPIRED), Waiting.CANCEL),
        (within(State.WITHDRAWING, attempt=None, withdrawal=Withdrawal(REQUEST, craft())), Waiting.SIGNATURE),
        (within(State.WITHDRAWING, attempt=None, withdrawal=Withdrawal(REQUEST, None)), Waiting.ANOTHER_CANCEL),
        (within(State.WITHDRAWING, attempt=attempt(AttemptKind.WITHDRAWAL)), Waiting.WITHDRAWAL),
        (within(State.FILLED, attempt=None, sweep_due=True), Waiting.SWEEP),
        (within(State.CANCELLED, attempt=attempt(AttemptKind.SWEEP), sweep_due=True), Waiting.SWEEP),
        (within(State.FILLED, attempt=None, sweep_due=False), None),
        (within(State.CANCELLED, attempt=None, sweep_due=False), None),
        (within(State.DEPOSIT_FAILED), None),
    ],
    ids=lambda value: value.state.value if isinstance(value, OrderGroup) else str(value),
)
def test_what_an_order_waits_for(group: OrderGroup, waiting: Waiting | None) -> None:
    assert waits_for(group) is waiting
