"""Our own PostgreSQL, brought back whenever it dies."""

import asyncio
from typing import Final

import structlog

from countermand.store.embedded import EmbeddedPostgres, PostgresUnavailable

PAUSES_S: Final = (0.5, 1, 2, 5)
"""Before each try; the last one again and again. Until then the venue answers that it cannot be reached."""

_log: Final = structlog.get_logger("countermand")


async def keep_alive(server: EmbeddedPostgres, dsn: str) -> None:
    """Starts it again whenever it died, until that succeeds: a full disk or a want of descriptors may pass."""
    while True:
        await server.died.wait()
        _log.error("PostgreSQL died and is started again")
        await _bring_back(server)
        assert server.dsn == dsn, "a restarted PostgreSQL is found where it was"
        _log.info("PostgreSQL is back")


async def _bring_back(server: EmbeddedPostgres) -> None:
    failures = 0
    while True:
        await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
        try:
            await server.stop()
            await server.start()
        except PostgresUnavailable as reason:
            failures += 1
            _log.error("PostgreSQL does not start again", reason=str(reason), failures=failures)
        else:
            return
