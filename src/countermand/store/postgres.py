"""The store of trigger orders: PostgreSQL."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from countermand.orders.trigger.ports import TriggerRows, WatermarkRow
from countermand.orders.trigger.records import SHOWN
from countermand.store.connections import asking, connect, reading
from countermand.store.migrations import migrate
from countermand.store.snapshot import Snapshot
from countermand.store.trigger_rows import TRIGGER_FAMILY
from countermand.store.vault_postgres import VaultPostgres

__all__ = ["PostgresStore", "migrate"]

_WATERMARKS: Final = "SELECT mint, direction, body FROM watermarks WHERE shard = $1 ORDER BY mint, direction"
# A founding of the chain would truncate them, and a snapshot does not keep what is truncated.
_HOLD: Final = "LOCK TABLE chain_accounts, chain_transactions, chain_mentions IN ACCESS SHARE MODE"


class PostgresStore(VaultPostgres[TriggerRows]):
    """`orders.trigger.ports.Store`. Expects the schema to be there: `migrate` comes first."""

    prefix = ""
    instant = "expires_at"
    shown = SHOWN
    family = TRIGGER_FAMILY

    async def watermarks(self, shard: int) -> Sequence[WatermarkRow]:
        with reading("watermarks"):
            rows = await self._readers.fetch(_WATERMARKS, shard)
        return [WatermarkRow(*row) for row in rows]

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """One consistent view for as long as it is open, on a connection of its own. Commits go on meanwhile."""
        connection = await connect(self._dsn, "audit")
        try:
            with asking():
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    with suppress(asyncpg.UndefinedTableError):  # Then it is no venue's, which its reader finds.
                        async with connection.transaction():
                            await connection.execute(_HOLD)
                    yield Snapshot(connection)
        finally:
            connection.terminate()
