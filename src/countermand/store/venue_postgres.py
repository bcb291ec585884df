"""The stored identity of a venue: how it is served, on which chain its funds are, which tokens count."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import asyncpg

from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.orders.shards import DCA_SHARD, TRIGGER_SHARD
from countermand.store.connections import LOAD_S, Connection, Pool, asking, reading
from countermand.stored_rows import UNREADABLE, unreadable
from countermand.values.identity import OrderId

Root = Literal["sandbox", "venue"]

EMBEDDED: Final = "embedded"

_ROW: Final = "SELECT founded_as, served_as, chain FROM venue FOR UPDATE"
_SERVE: Final = "UPDATE venue SET founded_as = coalesce(founded_as, $1), served_as = $1, chain = $2"
# A sandbox that still runs is fenced out first, so that it invents no further price.
_FENCE: Final = "UPDATE shards SET epoch = epoch + 1 WHERE shard = $1"
_FORGET_PRICES: Final = "DELETE FROM prices"
_SET: Final = "INSERT INTO sandbox_settings (name, body) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_INCARNATION: Final = "SELECT token_incarnation FROM venue"
_RAISE_INCARNATION: Final = "UPDATE venue SET token_incarnation = token_incarnation + 1 RETURNING token_incarnation"
_LIVE: Final = "SELECT id::text, body FROM {table} WHERE shard = $1 AND live ORDER BY id"
_ORDERS: Final[Mapping[int, str]] = {TRIGGER_SHARD: "orders", DCA_SHARD: "dca_orders"}
"""The tables of orders that a vault holds, by shard."""


class VenueRefused(Exception):
    """This database cannot be served so. One line says why, and what can be done."""


class PostgresVenue:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def serve_as_sandbox(self, beginning: tuple[str, bytes]) -> None:
        """Remembers that the database is a sandbox's from now on. Raises `VenueRefused`, and changes nothing then.

        `beginning`: a setting, by its name and its body, that is there from this commit on, unless it was one before.
        """
        async with self._judged("sandbox", EMBEDDED) as (connection, before):
            if before != "sandbox":
                await connection.execute(_SET, *beginning)

    async def serve_as_venue(self, chain: str, is_filling: Callable[[int, OrderId, bytes], bool]) -> None:
        """The same for a venue, which forgets the prices of a sandbox.

        `chain` is `EMBEDDED` or a cluster's genesis hash. `is_filling` tells of an order of a shard, by its
        body, whether a swap of it is under way: only the sandbox's own pool can find out how that ended.
        """
        async with self._judged("venue", chain) as (connection, before):
            if before != "sandbox":
                return
            filling = 0
            for shard, table in _ORDERS.items():
                with reading("shards", shard):
                    await connection.execute(_FENCE, shard)
                with reading(table):
                    rows = await connection.fetch(_LIVE.format(table=table), shard, timeout=LOAD_S)
                filling += _count(is_filling, shard, rows)
            if filling:
                raise VenueRefused(
                    f"{filling} orders are being filled by the sandbox's pool; start the sandbox once more, and "
                    "stop it when POST /sandbox/settle says that all is settled"
                )
            with reading("prices"):
                await connection.execute(_FORGET_PRICES)

    async def token_incarnation(self) -> int:
        with asking():
            return _existing(await self._pool.fetchval(_INCARNATION))

    async def raise_token_incarnation(self) -> int:
        try:
            with asking():
                return _existing(await self._pool.fetchval(_RAISE_INCARNATION))
        except Unavailable as reason:
            raise CommitUnknown(str(reason)) from reason

    @asynccontextmanager
    async def _judged(self, root: Root, chain: str) -> AsyncIterator[tuple[Connection, Root | None]]:
        """A transaction in which the database may be served so, and how it was served before."""
        with asking():
            async with self._pool.acquire() as connection, connection.transaction():
                with reading("venue"):
                    row = await connection.fetchrow(_ROW)
                assert row is not None, "the seed's fingerprint is kept first"
                if row["founded_as"] is not None:
                    _check(row, root, chain)
                yield connection, row["served_as"]
                await connection.execute(_SERVE, root, chain)


def _count(is_filling: Callable[[int, OrderId, bytes], bool], shard: int, rows: Sequence[asyncpg.Record]) -> int:
    filling = 0
    for order_id, body in rows:
        try:
            filling += is_filling(shard, OrderId(order_id), body)
        except UNREADABLE as problem:
            raise unreadable(_ORDERS[shard], order_id, problem) from problem
    return filling


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


def _existing(value: Any) -> int:
    if value is None:
        raise Unavailable("the table venue has lost its row: restart the venue, which makes it again")
    return int(value)
