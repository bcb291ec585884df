"""The stored settings and tokens of a sandbox."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
from msgspec import Struct

from countermand.addresses import is_address
from countermand.store.connections import Pool, asking, reading
from countermand.stored_rows import check

DECIMALS_MAX: Final = 255
_SET: Final = """
INSERT INTO sandbox_settings (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = EXCLUDED.body
"""
_TOKENS: Final = "SELECT mint, symbol, decimals, program FROM sandbox_tokens ORDER BY position"
_ADD: Final = "INSERT INTO sandbox_tokens (mint, symbol, decimals, program) VALUES ($1, $2, $3, $4)"


class TokenRow(Struct, frozen=True):
    mint: str
    symbol: str
    decimals: int
    program: str


class PostgresSandboxStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def setting(self, name: str) -> bytes | None:
        with reading("sandbox_settings", name):
            body: Any = await self._pool.fetchval("SELECT body FROM sandbox_settings WHERE name = $1", name)
        return None if body is None else bytes(body)

    async def set(self, name: str, body: bytes) -> None:
        with asking():
            await self._pool.execute(_SET, name, body)

    async def forget(self, name: str) -> None:
        with asking():
            await self._pool.execute("DELETE FROM sandbox_settings WHERE name = $1", name)

    async def tokens(self) -> Sequence[TokenRow]:
        """In the order in which they were added."""
        with reading("sandbox_tokens"):
            rows = await self._pool.fetch(_TOKENS)
        return [_token(row) for row in rows]

    async def add_token(self, token: TokenRow) -> None:
        with asking():
            await self._pool.execute(_ADD, token.mint, token.symbol, token.decimals, token.program)

    async def clear(self, *, but: Mapping[str, bytes]) -> None:
        """Forgets all, and remembers these settings, in one commit."""
        with asking():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("DELETE FROM sandbox_tokens; DELETE FROM sandbox_settings")
                await connection.executemany(_SET, but.items())


def _token(row: asyncpg.Record) -> TokenRow:
    mint, symbol, decimals, program = row
    for name, address in (("mint", mint), ("program", program)):
        check("sandbox_tokens", mint, that=is_address(address), otherwise=f"its {name} is no address")
    check("sandbox_tokens", mint, that=bool(symbol), otherwise="it has no symbol")
    check("sandbox_tokens", mint, that=0 <= decimals <= DECIMALS_MAX, otherwise=f"it has {decimals} decimals")
    return TokenRow(mint, symbol, decimals, program)
