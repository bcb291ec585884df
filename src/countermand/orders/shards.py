"""The shards of a venue, one for each family of orders that it keeps by itself."""

from typing import Final

TRIGGER_SHARD: Final = 0
BOOK_SHARD: Final = 1
