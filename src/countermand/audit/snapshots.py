"""The snapshots of a sandbox: whether each is there, and says what it holds."""

import re
from typing import Final

import asyncpg

from countermand.audit.findings import Audit
from countermand.audit.reading import canonical, is_instant
from countermand.orders.shards import TRIGGER_SHARD
from countermand.sandbox.snapshots import decode_body
from countermand.store.migrations import packaged
from countermand.store.snapshot import Snapshot
from countermand.store.snapshots_postgres import CHANGED, COPIED, SCHEMA

_SNAPSHOTS: Final = "SELECT name, number, layout, seq, taken_at, body FROM sandbox_snapshots ORDER BY number"
_TABLES: Final = """
SELECT schemaname::text, tablename::text FROM pg_catalog.pg_tables WHERE starts_with(schemaname, $1) ORDER BY 1, 2
"""
_SEQ: Final = "SELECT coalesce(max(seq), 0) FROM {schema}.shards WHERE shard = $1"
_SCHEMA: Final = re.compile(re.escape(SCHEMA) + r"([1-9][0-9]{0,17})")


async def check_snapshots(snapshot: Snapshot, found: Audit) -> None:
    there: dict[int, list[str]] = {}
    for schema, table in await snapshot.fetch(_TABLES, SCHEMA):
        if (match := _SCHEMA.fullmatch(schema)) is not None:
            there.setdefault(int(match[1]), []).append(table)
    for row in await snapshot.fetch(_SNAPSHOTS):
        tables = there.pop(row["number"], [])
        if row["layout"] > len(packaged()):
            found.differs("sandbox_snapshots", row["name"], f"no version of before has {row['layout']} migrations")
        elif row["layout"] == len(packaged()) and sorted(tables) != sorted((*COPIED, *CHANGED)):
            found.differs("sandbox_snapshots", row["name"], f"its tables in {SCHEMA}{row['number']} are not all there")
        elif canonical(decode_body, row["body"]) is None or not is_instant(row["taken_at"]):
            found.differs("sandbox_snapshots", row["name"], "what it says of the sandbox cannot be read")
        elif "shards" in tables:
            seq = await _seq_of(snapshot, f"{SCHEMA}{row['number']}")
            if seq not in (None, row["seq"]):
                found.differs("sandbox_snapshots", row["name"], f"it ends with entry {seq}, not with {row['seq']}")
    for number in there:
        found.differs("sandbox_snapshots", None, f"the row of the tables in {SCHEMA}{number} is missing")


async def _seq_of(snapshot: Snapshot, schema: str) -> int | None:
    """None: deleted or taken anew since the instant of the audit, which still shows its row but not its tables."""
    try:
        async with snapshot.connection.transaction():  # A savepoint: the audit goes on after an error.
            ((seq,),) = await snapshot.fetch(_SEQ.format(schema=schema), TRIGGER_SHARD)
    except asyncpg.UndefinedTableError:
        return None
    return int(seq)
