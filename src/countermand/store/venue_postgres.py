"""What a venue knows of itself, in PostgreSQL: one row, which exists from the first start on."""

from typing import Any, Final

import asyncpg

from countermand.engine.ports import CommitUnknown, Unavailable
from countermand.store.connections import asking

_INCARNATION: Final = "SELECT token_incarnation FROM venue"
_RAISE_INCARNATION: Final = "UPDATE venue SET token_incarnation = token_incarnation + 1 RETURNING token_incarnation"


class PostgresVenueStore:
    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def token_incarnation(self) -> int:
        with asking():
            return _existing(await self._pool.fetchval(_INCARNATION))

    async def raise_token_incarnation(self) -> int:
        try:
            with asking():
                return _existing(await self._pool.fetchval(_RAISE_INCARNATION))
        except Unavailable as reason:
            raise CommitUnknown(str(reason)) from reason


def _existing(value: Any) -> int:
    if value is None:
        raise Unavailable("the table venue has lost its row: restart the venue, which makes it again")
    return int(value)
