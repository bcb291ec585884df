"""Transactions that were built for users, in PostgreSQL: by the hash of their message."""

from collections.abc import Mapping, Sequence
from typing import Final

from countermand.services.transactions.client_transactions import BuildRow
from countermand.store.connections import LOAD_S, Pool, asking, committing

_ADD: Final = """
INSERT INTO builds (digest, request_id, last_valid_height, body)
SELECT * FROM unnest($1::bytea[], $2::uuid[], $3::bigint[], $4::bytea[])
ON CONFLICT (digest) DO NOTHING
"""
_FIND: Final = "SELECT digest, body FROM builds WHERE digest = ANY ($1)"
_NEWEST: Final = """
SELECT body FROM builds
WHERE last_valid_height >= (SELECT max(last_valid_height) FROM builds) - $1::bigint AND body <> ''
"""
_DELETE: Final = "DELETE FROM builds WHERE last_valid_height < $1"
_CLEAR: Final = "DELETE FROM builds"


class PostgresBuilds:
    """`services.transactions.client_transactions.BuildStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, rows: Sequence[BuildRow]) -> None:
        with committing("what was built"):
            await self._pool.execute(
                _ADD,
                [row.digest for row in rows],
                [row.request_id for row in rows],
                [row.last_valid_height for row in rows],
                [row.body for row in rows],
            )

    async def find(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        with asking():
            return {row["digest"]: row["body"] for row in await self._pool.fetch(_FIND, digests)}

    async def newest(self, blocks: int) -> Sequence[bytes]:
        with asking():
            rows = await self._pool.fetch(_NEWEST, blocks)
        return [row["body"] for row in rows]

    async def delete_below(self, height: int) -> None:
        with asking():
            await self._pool.execute(_DELETE, height)

    async def clear(self) -> None:
        with asking():
            await self._pool.execute(_CLEAR, timeout=LOAD_S)
