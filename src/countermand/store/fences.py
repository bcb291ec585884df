"""The fences: rows that say who may write. Each writer takes them from the one before it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from msgspec import Struct

from countermand.kernel.ports import Unavailable
from countermand.store.connections import Connection, Pool, asking, connect, reading
from countermand.stored_rows import StoredRowUnreadable

HOLDER_S: Final = 3
"""How long a batch of an older epoch may take that is still inside PostgreSQL, before its backend is ended."""
TAKES_MAX: Final = 5
_PAUSE_S: Final = 0.5

_END_HOLDERS: Final = "SELECT count(pg_terminate_backend(pid)) FROM unnest(pg_blocking_pids($1)) AS pid"
_TAKE_CHAIN: Final = "UPDATE chain_ledger SET epoch = epoch + 1, opened = epoch + 1 RETURNING opened"
_TAKE_SHARDS: Final = """
INSERT INTO shards (shard, epoch, opened, seq, head, last_at)
SELECT shard, 1, 1, 0, '', 0 FROM unnest($1::integer[]) WITH ORDINALITY AS wanted (shard, nth) ORDER BY nth
ON CONFLICT (shard) DO UPDATE SET epoch = shards.epoch + 1, opened = shards.epoch + 1
RETURNING shard, opened
"""

_log: Final = structlog.get_logger("countermand")


class Taken(Struct, frozen=True):
    """The epochs in which this process took the fences: of the chain's ledger, and of each shard."""

    chain: int
    shards: Mapping[int, int]


async def take_all(dsn: str, pool: Pool, shards: Sequence[int]) -> Taken:
    """Takes all fences of a database in one transaction: of several starters, the last one then has all of them.

    If each fence were taken by itself, two starters could take one each, and both would be replaced.
    Raises `Unavailable` after `TAKES_MAX` tries, and `StoredRowUnreadable` for a fence that cannot be moved.
    """
    for attempt in range(1, TAKES_MAX + 1):
        try:
            return await _take_all(dsn, pool, shards)
        except Unavailable as problem:
            if attempt == TAKES_MAX:
                raise
            _log.warning("the database could not be taken, again in a moment", attempt=attempt, reason=str(problem))
            await asyncio.sleep(_PAUSE_S)
    raise AssertionError


async def _take_all(dsn: str, pool: Pool, shards: Sequence[int]) -> Taken:
    with asking():
        async with pool.acquire() as connection, connection.transaction():
            with reading("chain_ledger"):
                chain = await alone(dsn, connection, lambda: connection.fetchval(_TAKE_CHAIN))
            if chain is None:
                raise StoredRowUnreadable("chain_ledger", None, "its only row is missing")
            with reading("shards"):
                rows = await alone(dsn, connection, lambda: connection.fetch(_TAKE_SHARDS, shards))
    return Taken(chain, {row["shard"]: row["opened"] for row in rows})


def went_back(what: str, at: tuple[int, int], known: tuple[int, int]) -> str:
    """`at` and `known`: an epoch, and the newest entry in it."""
    return f"{what} is at {at[1]} of epoch {at[0]}, and {known[1]} of epoch {known[0]} was committed"


async def alone(dsn: str, connection: Connection, ask: Callable[[], Awaitable[Any]]) -> Any:
    """Moves a fence on this connection, once the transaction that holds it lets go or is made to."""
    asked = asyncio.ensure_future(ask())
    try:
        try:
            async with asyncio.timeout(HOLDER_S):
                return await asyncio.shield(asked)
        except TimeoutError:
            await _end_holders(dsn, connection.get_server_pid())
            async with asyncio.timeout(HOLDER_S):
                return await asked
    finally:
        # Its end is waited for: the transaction around it cannot be rolled back while a query is under way.
        asked.cancel()
        await asyncio.wait([asked])


async def _end_holders(dsn: str, waiting: int) -> None:
    """Ends the backends that the backend `waiting` waits for."""
    helper = await connect(dsn, "new writer")
    try:
        await helper.execute(_END_HOLDERS, waiting, timeout=HOLDER_S)
    finally:
        helper.terminate()
