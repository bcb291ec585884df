"""What swaps need of the pool that makes them."""

from typing import Protocol

from countermand.services.liquidity.routing import Quote
from countermand.values.quantities import BaseUnits, Bps
from countermand.values.tokens import Token
from countermand.values.transactions import SwapRefused


class Pool(Protocol):
    """Its offers hold while prices stand still."""

    def offer(self, amount: BaseUnits, input_token: Token, output_token: Token) -> Quote | SwapRefused:
        """What it takes of an amount, and gives for that."""

    def offer_for(self, output: BaseUnits, input_token: Token, output_token: Token) -> Quote | SwapRefused:
        """The least that it takes to give so much."""

    def impact_of(self, input_token: Token) -> Bps:
        """How much less than the market it gives for this token now."""

    def takes_failure(self) -> bool:
        """Whether the swap made now must fail on chain, as only a sandbox ever says. Each yes uses one failure up."""

    async def prepare(self, input_token: Token, output_token: Token, output: BaseUnits) -> None:
        """Has the chain know both tokens' prices, and the pool hold so much. Raises `Unavailable`."""
