"""A venue without liquidity: its orders wait, and can be cancelled and withdrawn, but none is filled."""

from collections.abc import Sequence
from typing import Final

from solders.instruction import Instruction

from countermand.services.liquidity.routing import Quote, RoutedSwap
from countermand.values.identity import Address
from countermand.values.quantities import BaseUnits
from countermand.values.transactions import SwapRefused

NO_ROUTER: Final = "no router"


class NoRouter:
    """Implements `services.liquidity.routing.Router` by refusing every swap."""

    @property
    def authority(self) -> Address:
        raise AssertionError("a venue without a router signs no settlement")

    async def quote(self, swap: RoutedSwap) -> Quote | SwapRefused:  # noqa: ARG002
        return SwapRefused(NO_ROUTER)

    def settlement(self, swap: RoutedSwap, quote: Quote, minimum: BaseUnits) -> tuple[Instruction, ...]:  # noqa: ARG002
        raise AssertionError("a venue without a router settles nothing")

    def settled_by(self, found: Sequence[Instruction], swap: RoutedSwap, minimum: BaseUnits) -> int:  # noqa: ARG002
        return 0

    def takes_failure(self) -> bool:
        return False
