"""The fingerprint of the master seed of the vaults in a database."""

import re
from collections.abc import Callable
from typing import Final

from countermand.store.connections import connect, reading
from countermand.stored_rows import check

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_KEEP: Final = """
INSERT INTO venue (seed_fingerprint) VALUES ($1)
ON CONFLICT (one) DO UPDATE SET seed_fingerprint = venue.seed_fingerprint
RETURNING seed_fingerprint
"""
_IS_LOST: Final = "SELECT NOT EXISTS (SELECT FROM venue) AND EXISTS (SELECT FROM journal)"


async def keep_fingerprint(dsn: str, fingerprint: str, write_seed: Callable[[], None] = lambda: None) -> str:
    """The fingerprint of the database's master seed: the given one, if there was none.

    Then `write_seed` is called before that is committed, while other starts wait: there is never a fingerprint without
    its seed, nor a new seed beside another one's database.
    """
    connection = await connect(dsn, "start")
    try:
        with reading("venue"):
            async with connection.transaction():
                lost = await connection.fetchval(_IS_LOST)
                check("venue", None, that=not lost, otherwise="its only row is missing, though the journal has entries")
                kept: str = await connection.fetchval(_KEEP, fingerprint)
                check("venue", None, that=bool(_FINGERPRINT.fullmatch(kept)), otherwise="that is no fingerprint")
                if kept == fingerprint:
                    write_seed()
        return kept
    finally:
        connection.terminate()
