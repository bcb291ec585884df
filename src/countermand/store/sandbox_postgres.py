"""What a sandbox remembers of itself, in PostgreSQL: its settings by name, and the tokens that were added."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg


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
        body: Any = await self._pool.fetchval("SELECT body FROM sandbox_settings WHERE name = $1", name)
        return None if body is None else bytes(body)

    async def set(self, name: str, body: bytes) -> None:
        await self._pool.execute(
            "INSERT INTO sandbox_settings (name, body) VALUES ($1, $2) "
            "ON CONFLICT (name) DO UPDATE SET body = EXCLUDED.body",
            name,
            body,
        )

    async def tokens(self) -> Sequence[TokenRow]:
        """In the order in which they were added."""
        rows = await self._pool.fetch("SELECT mint, symbol, decimals, program FROM sandbox_tokens ORDER BY position")
        return [TokenRow(row["mint"], row["symbol"], row["decimals"], row["program"]) for row in rows]

    async def add_token(self, token: TokenRow) -> None:
        await self._pool.execute(
            "INSERT INTO sandbox_tokens (mint, symbol, decimals, program) VALUES ($1, $2, $3, $4)",
            token.mint,
            token.symbol,
            token.decimals,
            token.program,
        )

    async def clear(self) -> None:
        await self._pool.execute("TRUNCATE sandbox_settings, sandbox_tokens RESTART IDENTITY")
