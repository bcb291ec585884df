"""What a venue cannot be without: its master seed and its database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from countermand.custody.vaults import SeedRefused, VaultKeys, load_or_make_seed
from countermand.settings import Settings, StartRefused
from countermand.store.embedded import EmbeddedPostgres, PostgresUnavailable
from countermand.store.postgres import migrate
from countermand.store.sandbox_postgres import PostgresSandboxStore

MASTER_SEED_FILE: Final = "master-seed"
_RESTART_PAUSE_S: Final = 0.5

_log: Final = structlog.get_logger("countermand")


def keys_of(settings: Settings) -> VaultKeys:
    path = settings.master_seed
    if path is None:
        path = settings.data / MASTER_SEED_FILE
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        except OSError as refused:
            raise StartRefused(f"the data directory {settings.data} cannot be used: {refused}") from refused
    try:
        return VaultKeys(load_or_make_seed(path))
    except (SeedRefused, OSError) as refused:
        raise StartRefused(str(refused)) from refused


async def check_seed(store: PostgresSandboxStore, keys: VaultKeys) -> None:
    """Raises `StartRefused` for another master seed than the one whose vaults are in the database."""
    if await store.keep(keys.fingerprint()) != keys.fingerprint():
        raise StartRefused(
            "the vaults in this database belong to another master seed; give --master-seed the file that it began with"
        )


@dataclass(frozen=True, slots=True)
class Database:
    """`server` None: somebody else runs it."""

    dsn: str
    server: EmbeddedPostgres | None

    async def keep_alive(self) -> None:
        """Starts our own PostgreSQL again whenever it died."""
        if self.server is None:
            return
        while True:
            await self.server.died.wait()
            _log.error("PostgreSQL died and is started again")
            await asyncio.sleep(_RESTART_PAUSE_S)
            try:
                await self.server.stop()
                self.server.died.clear()
                await self.server.start()
            except PostgresUnavailable as reason:
                _log.error("PostgreSQL does not start again", reason=str(reason))
                self.server.died.set()
                continue
            assert self.server.dsn == self.dsn, "a restarted PostgreSQL is found where it was"


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[Database]:
    if settings.database_url is not None:
        await migrate(settings.database_url)
        yield Database(settings.database_url, None)
        return
    async with EmbeddedPostgres(settings.data) as server:
        await migrate(server.dsn)
        yield Database(server.dsn, server)
