"""A venue without liquidity: its orders wait, and can be cancelled and withdrawn, but none is filled."""

from typing import Final

from solders.instruction import Instruction

from countermand.orders.trigger.ports import SwapRefused
from countermand.services.custody.routing import Quote, Swap
from countermand.values.identity import Address
from countermand.values.quantities import BaseUnits

NO_ROUTER: Final = "no router"


class NoRouter:
    """Implements `custody.routing.Router` by refusing every swap."""

    @property
    def authority(self) -> Address:
        raise AssertionError("a venue without a router signs no settlement")

    async def quote(self, swap: Swap) -> Quote | SwapRefused:  # noqa: ARG002
        return SwapRefused(NO_ROUTER)

    def settlement(self, swap: Swap, receives: BaseUnits) -> tuple[Instruction, ...]:  # noqa: ARG002
        raise AssertionError("a venue without a router settles nothing")

    def takes_failure(self) -> bool:
        return False
