"""What a sandbox remembers of itself."""

import asyncpg
import pytest

from countermand.store.migrations import migrate
from countermand.store.sandbox_postgres import PostgresSandboxStore, TokenRow

TOKEN = TokenRow("JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN", "T", 6, "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")


async def test_a_reset_ends_and_its_seed_is_stored_in_one_commit(database_url: str) -> None:
    """A crash between the two lost the seed: neither the old one nor the new one was there at the next start."""
    await migrate(database_url)
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        store = PostgresSandboxStore(pool)
        await store.set("resetting", b"4")
        await store.add_token(TOKEN)
        with pytest.raises(asyncpg.DataError):
            await store.clear(but={"seed": 4})  # type: ignore[dict-item]
        assert await store.setting("resetting") == b"4"
        assert await store.tokens() == [TOKEN]
        await store.clear(but={"seed": b"4"})
        assert await store.setting("resetting") is None
        assert await store.setting("seed") == b"4"
        assert await store.tokens() == []
