"""API keys in PostgreSQL: their digests, and what they may do."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from countermand.api_keys import ApiKey, Scope
from countermand.store.connections import Pool, asking

_ADD: Final = "INSERT INTO api_keys (digest, scopes, tier, owner, created_at) VALUES ($1, $2, $3, $4, $5)"
_ALL: Final = "SELECT digest, scopes, tier, owner, created_at FROM api_keys ORDER BY created_at, digest"
_FIND: Final = "SELECT digest, scopes, tier, owner, created_at FROM api_keys WHERE digest = $1"
_REVOKE: Final = "DELETE FROM api_keys WHERE digest = $1"


class PostgresKeys:
    """Implements `api_keys.KeyStore`. What is asked here is committed when it is answered."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, key: ApiKey) -> None:
        scopes = [scope.value for scope in key.scopes]
        with asking():
            await self._pool.execute(_ADD, key.digest, scopes, key.tier, key.owner, key.created_at)

    async def all(self) -> Sequence[ApiKey]:
        """The oldest first."""
        with asking():
            return [_key(row) for row in await self._pool.fetch(_ALL)]

    async def find(self, digest: bytes) -> ApiKey | None:
        with asking():
            row = await self._pool.fetchrow(_FIND, digest)
        return None if row is None else _key(row)

    async def revoke(self, digest: bytes) -> None:
        with asking():
            await self._pool.execute(_REVOKE, digest)


def _key(row: asyncpg.Record) -> ApiKey:
    scopes = tuple(Scope(each) for each in row["scopes"])
    return ApiKey(row["digest"], scopes, row["tier"], row["owner"], row["created_at"])
