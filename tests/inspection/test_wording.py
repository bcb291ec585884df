"""What an order waits for can be said, in whatever state it is."""

import pytest

from countermand.inspection.wording import IN_OTHER_WORDS, WORDS
from countermand.orders.dca.model import order as dca
from countermand.orders.dca.model.waiting import waits_for as dca_waits_for
from countermand.orders.trigger.model import order as trigger
from countermand.orders.trigger.model.waiting import waits_for
from countermand.orders.vaults.model.order import Phase
from countermand.orders.vaults.model.waiting import Waiting
from tests.orders.dca import samples as dca_samples
from tests.orders.trigger import samples

ENDED = (Phase.DEPOSIT_FAILED, Phase.CANCELLED, Phase.FILLED)


def test_every_wait_has_words() -> None:
    assert {*WORDS, *IN_OTHER_WORDS} == set(Waiting)


@pytest.mark.parametrize("state", trigger.State)
def test_a_trigger_order_that_has_not_ended_waits_for_something(state: trigger.State) -> None:
    assert (waits_for(samples.order(state)) is None) == (state.phase in ENDED)


@pytest.mark.parametrize("state", dca.State)
def test_a_recurring_order_that_has_not_ended_waits_for_something(state: dca.State) -> None:
    assert (dca_waits_for(dca_samples.order(state)) is None) == (state.phase in ENDED)
