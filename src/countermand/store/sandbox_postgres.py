"""What a venue remembers of itself, in PostgreSQL: a sandbox's settings and tokens, and whose vaults these are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from countermand.store.connections import asking

_SET: Final = """
INSERT INTO sandbox_settings (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = EXCLUDED.body
"""
_TOKENS: Final = "SELECT mint, symbol, decimals, program FROM sandbox_tokens ORDER BY position"
_ADD: Final = "INSERT INTO sandbox_tokens (mint, symbol, decimals, program) VALUES ($1, $2, $3, $4)"
_KEEP: Final = """
INSERT INTO venue (seed_fingerprint) VALUES ($1)
ON CONFLICT (one) DO UPDATE SET seed_fingerprint = venue.seed_fingerprint
RETURNING seed_fingerprint
"""


@dataclass(frozen=True, slots=True)
class TokenRow:
    mint: str
    symbol: str
    decimals: int
    program: str


class PostgresSandboxStore:
    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def setting(self, name: str) -> bytes | None:
        with asking():
            body: Any = await self._pool.fetchval("SELECT body FROM sandbox_settings WHERE name = $1", name)
        return None if body is None else bytes(body)

    async def set(self, name: str, body: bytes) -> None:
        with asking():
            await self._pool.execute(_SET, name, body)

    async def tokens(self) -> Sequence[TokenRow]:
        """In the order in which they were added."""
        with asking():
            rows = await self._pool.fetch(_TOKENS)
        return [TokenRow(row["mint"], row["symbol"], row["decimals"], row["program"]) for row in rows]

    async def add_token(self, token: TokenRow) -> None:
        with asking():
            await self._pool.execute(_ADD, token.mint, token.symbol, token.decimals, token.program)

    async def clear(self) -> None:
        with asking():
            await self._pool.execute("TRUNCATE sandbox_settings, sandbox_tokens RESTART IDENTITY")

    async def keep(self, seed_fingerprint: str) -> str:
        """The fingerprint of the master seed whose vaults are in this database: the given one, if it is the first."""
        with asking():
            kept: Any = await self._pool.fetchval(_KEEP, seed_fingerprint)
        return str(kept)
