"""The rows of the shards, and rows that belong to no shard."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.audit.findings import Audit
from countermand.kernel.ports import Epoch
from countermand.orders.shards import (
    BOOK_SHARD,
    CHAIN_SHARD,
    DCA_SHARD,
    ONE_DCA_SHARD,
    ONE_TRIGGER_SHARD,
    TRIGGER_SHARD,
    BucketOwners,
)
from countermand.store.snapshot import Snapshot

_LOADS_MAX: Final = 10**12
"""A load each millisecond would take thirty years for so many."""

_KEYS: Final[Mapping[int, Mapping[str, str]]] = MappingProxyType(
    {
        TRIGGER_SHARD: MappingProxyType(
            {
                "orders": "id::text",
                "crafts": "request_id::text",
                "watermarks": "mint || ' ' || direction",
            }
        ),
        DCA_SHARD: MappingProxyType(
            {
                "dca_orders": "id::text",
                "dca_crafts": "request_id::text",
            }
        ),
        CHAIN_SHARD: MappingProxyType(
            {
                "onchain_orders": "address || ' ' || opened_by || ' ' || nth::text",
                "onchain_trades": "address || ' ' || opened_by || ' ' || nth::text || ' ' || n::text",
                "onchain_cursors": "program",
            }
        ),
        BOOK_SHARD: MappingProxyType(
            {
                "book_orders": "id::text",
                "book_trades": "id::text",
                "book_balances": "account || ' ' || currency",
                "book_counters": "shard::text",
                "book_drafts": "nonce::text",
            }
        ),
    }
)
"""By shard: the tables of its family, and what names a row in each."""
_OF_ALL: Final[Mapping[str, str]] = MappingProxyType({"journal": "seq::text", "events": "seq::text || '/' || n::text"})
"""The tables that every shard has rows in."""
_STRAYS: Final = "SELECT shard, {key} AS key FROM {table} WHERE shard <> ALL ($1::integer[]) ORDER BY 1, 2 LIMIT 100"
_IN_BUCKETS: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {TRIGGER_SHARD: ("orders", "crafts"), DCA_SHARD: ("dca_orders", "dca_crafts")}
)
"""By shard: the tables whose rows are owned by their buckets."""
_UNOWNED: Final = """
SELECT bucket, {key} AS key FROM {table} WHERE shard = $1 AND bucket NOT BETWEEN $2 AND $3 ORDER BY 1, 2 LIMIT 100
"""
_ANY: Final = "SELECT EXISTS (SELECT FROM {table} WHERE shard = $1)"
_OPENED: Final = "SELECT shard, opened FROM shards ORDER BY shard"


async def check_shards(
    snapshot: Snapshot, *, served: bool, found: Audit, owners: BucketOwners = ONE_TRIGGER_SHARD
) -> Mapping[int, Epoch]:
    """The shards that are there. `served`: a venue has begun to work on this database, which makes all of them."""
    epochs = dict(await snapshot.shards())
    opened = {row["shard"]: row["opened"] for row in await snapshot.fetch(_OPENED)}
    for shard, epoch in epochs.items():
        if shard not in _KEYS:
            found.differs("shards", shard, "a venue has no such shard")
        elif not (1 <= opened[shard] <= epoch.number <= _LOADS_MAX and 1 <= epoch.incarnation <= _LOADS_MAX):
            what = f"epoch {epoch.number}, opened in {opened[shard]}, of incarnation {epoch.incarnation}"
            found.differs("shards", shard, f"{what}, makes no sense")
    for shard in _KEYS:
        if shard not in epochs and (served or await _has_rows(snapshot, shard)):
            found.differs("shards", shard, "the row is missing")
    await _find_strays(snapshot, found)
    await _find_unowned(snapshot, owners, found)
    return epochs


async def _has_rows(snapshot: Snapshot, shard: int) -> bool:
    for table in (*_OF_ALL, *_KEYS[shard]):
        ((any_row,),) = await snapshot.fetch(_ANY.format(table=table), shard)
        if any_row:
            return True
    return False


async def _find_strays(snapshot: Snapshot, found: Audit) -> None:
    tables = [(table, key, [shard]) for shard, keys in _KEYS.items() for table, key in keys.items()]
    for table, key, shards in [*((table, key, list(_KEYS)) for table, key in _OF_ALL.items()), *tables]:
        for shard, name in await snapshot.fetch(_STRAYS.format(key=key, table=table), shards):
            found.differs(table, name, f"the row belongs to shard {shard}, which is none of this table's")


async def _find_unowned(snapshot: Snapshot, owners: BucketOwners, found: Audit) -> None:
    """Rows that their shard does not load, since it does not own their buckets."""
    for shard, tables in _IN_BUCKETS.items():
        owned = (owners if shard == TRIGGER_SHARD else ONE_DCA_SHARD).range_of(shard)
        for table in tables:
            statement = _UNOWNED.format(key=_KEYS[shard][table], table=table)
            for bucket, name in await snapshot.fetch(statement, shard, owned.first, owned.last):
                found.differs(table, name, f"it is in bucket {bucket}, which shard {shard} does not own")
