"""What each transaction of an on-chain order needs of the chain: a blockhash, a price, a number of compute units."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from countermand.services.transactions.landing import asks_the_chain
from countermand.solana.errors import BLOCKHASH_NOT_FOUND
from countermand.solana.port import FEE_ADDRESSES_MAX, Blockhash, Chain, ChainRecords, Simulation
from countermand.solana.programs.compile import Budget, unsigned_transaction
from countermand.values.identity import Address

AUTO_PRICE_MAX: Final = 500_000
"""Micro-lamports per compute unit: more is never offered unless it is asked for."""
UNITS_MAX: Final = 1_400_000
UNITS_UNKNOWN: Final = 200_000
"""The limit of a transaction that fails when it is simulated now, such as one whose maker has yet to be funded."""
_FRESH_MS: Final = 400
"""A slot: so old may a blockhash be when it is used again."""


@dataclass(frozen=True, slots=True)
class Recent:
    blockhash: Blockhash
    last_valid_height: int


Compose = Callable[[Budget, Blockhash], bytes]
"""The message of a transaction with this budget and blockhash."""


@dataclass(frozen=True, slots=True)
class BuiltMessage:
    """A message that is ready to be signed."""

    message: bytes
    last_valid_height: int


class TransactionBuilder:
    """All methods may raise `Unavailable`. `auto_price`, micro-lamports, if given, is used instead of recent fees."""

    def __init__(
        self, chain: Chain, records: ChainRecords, wall_ms: Callable[[], int], auto_price: int | None = None
    ) -> None:
        self._chain = chain
        self._records = records
        self._wall_ms = wall_ms
        self._auto_price = auto_price
        self._known: tuple[int, Recent] | None = None

    def forget(self) -> None:
        """The chain has leapt: the next blockhash is asked for anew."""
        self._known = None

    @asks_the_chain
    async def recent(self) -> Recent:
        if self._known is not None and 0 <= self._wall_ms() - self._known[0] <= _FRESH_MS:
            return self._known[1]
        asked_at = self._wall_ms()
        latest = await self._chain.latest_blockhash()
        recent = Recent(latest.blockhash, latest.last_valid_block_height)
        self._known = asked_at, recent
        return recent

    @asks_the_chain
    async def price(self, writes: Sequence[Address]) -> int:
        """`auto`: the 95th percentile of what it recently took to write these accounts, at most `AUTO_PRICE_MAX`."""
        if self._auto_price is not None:
            return self._auto_price
        fees = sorted(await self._records.recent_prioritization_fees(writes[:FEE_ADDRESSES_MAX]))
        if not fees:
            return 0
        # The nearest rank: the smallest that at least 95 of a hundred do not exceed.
        return min(fees[(95 * len(fees) + 99) // 100 - 1], AUTO_PRICE_MAX)

    async def composed(self, compose: Compose, price: int, units: int | None = None) -> BuiltMessage:
        """`units` None: what it takes when simulated now, and a tenth more."""
        if units is None:
            units = await self._units(compose, price)
        recent = await self.recent()
        return BuiltMessage(compose(Budget(units, price), recent.blockhash), recent.last_valid_height)

    async def _units(self, compose: Compose, price: int) -> int:
        simulation = await self._simulated(compose, price)
        if simulation.error == BLOCKHASH_NOT_FOUND:  # The chain has leapt since we asked for it.
            self.forget()
            simulation = await self._simulated(compose, price)
        if simulation.error is not None:
            return UNITS_UNKNOWN
        return min(simulation.units_consumed * 11 // 10, UNITS_MAX)

    @asks_the_chain
    async def _simulated(self, compose: Compose, price: int) -> Simulation:
        recent = await self.recent()
        message = compose(Budget(UNITS_MAX, price), recent.blockhash)
        return await self._chain.simulate(unsigned_transaction(message))


def unsigned_text(message: bytes) -> str:
    """The transaction with all signature slots empty, base64."""
    return base64.b64encode(unsigned_transaction(message)).decode()
