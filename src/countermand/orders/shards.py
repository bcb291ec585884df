"""The shards of a venue, one for each family of orders that it keeps by itself, and which buckets each owns."""

from collections.abc import Mapping
from typing import Final

from countermand.kernel.ports import Unavailable
from countermand.values.bucket import ALL_BUCKETS, BUCKETS, Bucket, BucketRange

TRIGGER_SHARD: Final = 0
BOOK_SHARD: Final = 1
DCA_SHARD: Final = 2
CHAIN_SHARD: Final = 3
"""The index of the orders that live on the chain."""


class OwnedElsewhere(Unavailable):
    """What was asked is in a bucket that another shard owns. Nothing happened; to ask the owner is right."""

    def __init__(self, what: str, bucket: Bucket, owner: int) -> None:
        super().__init__(f"{what} is in bucket {bucket}, which shard {owner} owns")
        self.owner = owner


class BucketOwners:
    """Which shard owns which buckets. Each bucket has exactly one owner.

    Rows have the bucket of their wallet, and it alone says whose they are. The last byte of an order's id is only a
    hint, for a router that has not read the row.
    """

    def __init__(self, ranges: Mapping[int, BucketRange]) -> None:
        self._ranges = dict(ranges)
        owned = sorted(bucket for owned in self._ranges.values() for bucket in range(owned.first, owned.last + 1))
        assert owned == list(range(BUCKETS)), "each bucket has one owner"

    def range_of(self, shard: int) -> BucketRange:
        return self._ranges[shard]

    def owner_of(self, bucket: Bucket) -> int:
        return next(shard for shard, owned in self._ranges.items() if bucket in owned)


ONE_TRIGGER_SHARD: Final = BucketOwners({TRIGGER_SHARD: ALL_BUCKETS})
"""Today's venue: one shard owns all of the buckets."""

ONE_DCA_SHARD: Final = BucketOwners({DCA_SHARD: ALL_BUCKETS})
"""The same of recurring orders."""
