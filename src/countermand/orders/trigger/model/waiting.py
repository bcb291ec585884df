"""What a trigger order waits for."""

from collections.abc import Mapping
from typing import Final

from countermand.orders.trigger.model.order import OrderGroup, State
from countermand.orders.vaults.model.order import StateOfPhase
from countermand.orders.vaults.model.waiting import Waiting, waiting_of

_RESTING: Final[Mapping[StateOfPhase, Waiting]] = {
    State.OPEN: Waiting.PRICE,
    State.TRIGGERED: Waiting.SWAP,
    State.PARTLY_FILLED: Waiting.REST,
    State.EXPIRED: Waiting.CANCEL,
}


def waits_for(group: OrderGroup) -> Waiting | None:
    """None: it has ended."""
    return waiting_of(group, _RESTING)
