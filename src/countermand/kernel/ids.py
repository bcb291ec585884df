"""Ids of orders and requests: the only randomness of the engine, so that a sandbox's seed can drive it."""

from random import Random, SystemRandom
from uuid import UUID

from countermand.values.identity import OrderId, RequestId
from countermand.values.instant import Instant


class Ids:
    """`seed` None: unpredictable."""

    def __init__(self, seed: int | None = None, used: int = 0) -> None:
        self.reseed(seed, used)

    def reseed(self, seed: int | None, used: int = 0) -> None:
        """`used` is the epoch that the shard was in: a restart does not give the same ids again."""
        self._random: Random = SystemRandom() if seed is None else Random(f"{seed} {used}")  # noqa: S311  A sandbox asked.

    def order_id(self, at: Instant) -> OrderId:
        """A version 7 UUID (RFC 9562): 48 bits of milliseconds, then 74 random ones."""
        random = self._random.getrandbits(74)
        number = (at & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (1 << 62) - 1
        return OrderId(str(UUID(int=number)))

    def request_id(self) -> RequestId:
        """A version 4 UUID."""
        return RequestId(str(UUID(int=self._random.getrandbits(128), version=4)))
