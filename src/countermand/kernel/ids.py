"""Ids of orders and requests: the only randomness of the engine, so that a sandbox's seed can drive it."""

from random import Random, SystemRandom
from uuid import UUID

from countermand.values.bucket import Bucket
from countermand.values.identity import OrderId, RequestId
from countermand.values.instant import Instant


class Ids:
    """`seed` None: unpredictable."""

    def __init__(self, seed: int | None = None, used: int = 0) -> None:
        self.reseed(seed, used)

    def reseed(self, seed: int | None, used: int = 0) -> None:
        """`used` is the epoch that the shard was in: a restart does not give the same ids again."""
        self.seed = seed
        self._random: Random = SystemRandom() if seed is None else Random(f"{seed} {used}")  # noqa: S311  A sandbox asked.

    def order_id(self, at: Instant, bucket: Bucket) -> OrderId:
        """A version 7 UUID (RFC 9562): 48 bits of milliseconds, 66 random ones, and the bucket as its last byte."""
        return OrderId(_version_7(at, self._random.getrandbits(66) << 8 | bucket))

    def nonce(self, at: Instant) -> str:
        """A version 7 UUID: 48 bits of milliseconds, 74 random ones."""
        return _version_7(at, self._random.getrandbits(74))

    def request_id(self) -> RequestId:
        """A version 4 UUID."""
        return RequestId(str(UUID(int=self._random.getrandbits(128), version=4)))


def _version_7(at: Instant, low: int) -> str:
    """`low`: the 74 bits that are not the time, the version or the variant."""
    number = (at & (1 << 48) - 1) << 80 | 0x7 << 76 | (low >> 62) << 64 | 0b10 << 62 | low & (1 << 62) - 1
    return str(UUID(int=number))
