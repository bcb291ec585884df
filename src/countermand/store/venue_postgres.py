"""What a database remembers of how it is served: as a sandbox or as a venue, and on which chain its funds are."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal

import asyncpg

from countermand.engine.shards import TRIGGER_SHARD
from countermand.store.connections import Connection, asking

Root = Literal["sandbox", "venue"]

EMBEDDED: Final = "embedded"

_ROW: Final = "SELECT founded_as, served_as, chain FROM venue FOR UPDATE"
_SERVE: Final = "UPDATE venue SET founded_as = coalesce(founded_as, $1), served_as = $1, chain = $2"
# A sandbox that still runs is fenced out first, so that it invents no further price.
_FENCE: Final = "UPDATE shards SET epoch = epoch + 1 WHERE shard = $1"
_FORGET_PRICES: Final = "DELETE FROM prices"
_LIVE: Final = "SELECT body FROM orders WHERE shard = $1 AND live ORDER BY id"


class VenueRefused(Exception):
    """This database cannot be served so. One line says why, and what can be done."""


class PostgresVenue:
    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def serve_as_sandbox(self) -> None:
        """Remembers that the database is a sandbox's from now on. Raises `VenueRefused`, and changes nothing then."""
        async with self._judged("sandbox", EMBEDDED):
            pass

    async def serve_as_venue(self, chain: str, is_filling: Callable[[bytes], bool]) -> None:
        """The same for a venue, which forgets the prices of a sandbox.

        `chain` is `EMBEDDED` or a cluster's genesis hash. `is_filling` tells of an order's body whether a swap of it is
        under way: only the sandbox's own pool can find out how that ended.
        """
        async with self._judged("venue", chain) as (connection, before):
            if before != "sandbox":
                return
            await connection.execute(_FENCE, TRIGGER_SHARD)
            bodies = await connection.fetch(_LIVE, TRIGGER_SHARD)
            if filling := sum(is_filling(body) for (body,) in bodies):
                raise VenueRefused(
                    f"{filling} orders are being filled by the sandbox's pool; start the sandbox once more, and "
                    "stop it when POST /sandbox/settle says that all is settled"
                )
            await connection.execute(_FORGET_PRICES)

    @asynccontextmanager
    async def _judged(self, root: Root, chain: str) -> AsyncIterator[tuple[Connection, Root | None]]:
        """A transaction in which the database may be served so, and how it was served before."""
        with asking():
            async with self._pool.acquire() as connection, connection.transaction():
                row = await connection.fetchrow(_ROW)
                assert row is not None, "the seed's fingerprint is kept first"
                if row["founded_as"] is not None:
                    _check(row, root, chain)
                yield connection, row["served_as"]
                await connection.execute(_SERVE, root, chain)


def _check(row: asyncpg.Record, root: Root, chain: str) -> None:
    if row["chain"] != chain:
        raise VenueRefused(
            f"the orders in this database have their funds on another chain ({row['chain']}, not {chain}); "
            "give the --chain and --rpc-url that it began with, or use another database"
        )
    if root == "sandbox" and row["founded_as"] == "venue":
        raise VenueRefused(
            "this database began as a venue, and a sandbox would invent money in it; "
            "add --no-sandbox, or give another --data or --database-url"
        )
