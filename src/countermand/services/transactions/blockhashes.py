"""A recent blockhash, asked of the chain at most every two seconds however many transactions are made."""

import asyncio
from collections.abc import Callable
from typing import Final

from solders.hash import Hash

from countermand.solana.port import Chain
from countermand.values.structs import Struct

FRESH_MS: Final = 2_000


class Recent(Struct, frozen=True):
    blockhash: Hash
    last_valid_height: int


class RecentBlockhash:
    def __init__(self, chain: Chain, wall_ms: Callable[[], int]) -> None:
        self._chain = chain
        self._wall_ms = wall_ms
        self._known: tuple[int, Recent] | None = None
        self._flight: asyncio.Task[Recent] | None = None

    async def get(self, within_ms: int = FRESH_MS) -> Recent:
        """One that was asked for at most so long ago. Raises `ChainUnavailable`."""
        if self._known is not None and 0 <= self._wall_ms() - self._known[0] <= within_ms:
            return self._known[1]
        if self._flight is None:
            self._flight = asyncio.create_task(self._fetch())
            # If all who waited have given up, its failure is not looked at elsewhere.
            self._flight.add_done_callback(lambda flight: flight.cancelled() or flight.exception())
        # A caller that gives up leaves the others their answer.
        return await asyncio.shield(self._flight)

    def invalidate(self) -> None:
        """The next one is asked for anew."""
        self._known = self._flight = None

    def saw_height(self, height: int) -> None:
        """A chain that has jumped past the blockhash takes no transaction with it."""
        if self._known is not None and height > self._known[1].last_valid_height:
            self.invalidate()

    async def _fetch(self) -> Recent:
        own, asked_at = asyncio.current_task(), self._wall_ms()
        try:
            latest = await self._chain.latest_blockhash()
            recent = Recent(Hash.from_string(latest.blockhash), latest.last_valid_block_height)
            if self._flight is own:
                self._known = asked_at, recent
            return recent
        finally:
            if self._flight is own:
                self._flight = None
