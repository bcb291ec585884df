"""What a recurring order waits for."""

from collections.abc import Mapping
from typing import Final

from countermand.orders.dca.model.order import DcaOrder, State
from countermand.orders.vaults.model.order import StateOfPhase
from countermand.orders.vaults.model.waiting import Waiting, waiting_of

_RESTING: Final[Mapping[StateOfPhase, Waiting]] = {State.ACTIVE: Waiting.ROUND, State.ROUND_DUE: Waiting.SWAP}


def waits_for(order: DcaOrder) -> Waiting | None:
    """None: it has ended."""
    return waiting_of(order, _RESTING)
