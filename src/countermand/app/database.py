"""The database of a venue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from msgspec import Struct

from countermand.settings import Settings
from countermand.store.embedded import EmbeddedPostgres
from countermand.store.postgres import migrate
from countermand.store.supervision import keep_alive

_THROWAWAY: Final = {"fsync": "off", "full_page_writes": "off"}
"""What PostgreSQL then waits for is the system, not the disk: a killed process loses nothing, a power cut may."""


class Database(Struct, frozen=True):
    """`server` None: it is run elsewhere."""

    dsn: str
    server: EmbeddedPostgres | None

    async def keep_alive(self) -> None:
        """Starts our own PostgreSQL again whenever it died."""
        if self.server is not None:
            await keep_alive(self.server, self.dsn)


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[Database]:
    if settings.database_url is not None:
        await migrate(settings.database_url)
        yield Database(settings.database_url, None)
        return
    postgres = EmbeddedPostgres(
        settings.data, settings=_THROWAWAY if settings.throwaway else None, copied=settings.throwaway
    )
    async with postgres as server:
        await migrate(server.dsn)
        yield Database(server.dsn, server)
