"""What a whole venue has beside the part that a test runs."""

import asyncpg

from countermand.services.custody.vaults import VaultKeys

KEYS = VaultKeys(bytes(range(32)))
"""Those of `tests.orders.trigger.house`."""

_VENUE = "INSERT INTO venue (seed_fingerprint, founded_as, served_as, chain) VALUES ($1, $2, $2, 'embedded')"
_SHARDS = """
INSERT INTO shards (shard, epoch, opened, seq, head, last_at)
SELECT shard, 1, 1, 0, '', 0 FROM generate_series(0, 3) AS shard
ON CONFLICT (shard) DO NOTHING
"""


async def completed(database_url: str, *, root: str) -> None:
    """The row of the venue, and the shards that nothing was written to."""
    await run(database_url, _VENUE, KEYS.fingerprint(), root)
    await run(database_url, _SHARDS)


async def run(database_url: str, statement: str, *parameters: object) -> None:
    """It must change something."""
    connection = await asyncpg.connect(database_url)
    try:
        done = await connection.execute(statement, *parameters)
    finally:
        await connection.close()
    assert not done.endswith(" 0"), done
