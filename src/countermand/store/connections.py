"""Connections to PostgreSQL: how they are opened, and what their failures mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from asyncpg.pool import PoolConnectionProxy

from countermand.engine.ports import Unavailable

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

CONNECT_S: Final = 10
PRIMARY: Final = SessionAttribute.primary
"""Money is read where it is written, never from a copy that lags behind."""
LOST: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""All that the driver raises; `TimeoutError` is an `OSError`."""
_PASSING: Final = ("08", "25", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that may pass: connections, read-only servers, conflicts, resources, locks, operators, system."""
_SETTINGS: Final = {
    # A conflict must be judged by the newest row, not be an error of its own.
    "default_transaction_isolation": "read committed",
    # Statements of a few milliseconds: compiling them costs more than it saves.
    "jit": "off",
    # A machine that vanished must not hold its locks for hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


def settings(name: str, **more: str) -> dict[str, str]:
    """The settings of a session that operators see as `name`."""
    return {"application_name": f"countermand {name}", **_SETTINGS, **more}


async def connect(dsn: str, name: str, **more: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Raises `Unavailable` for whatever reason there is no connection: nothing has been asked yet."""
    try:
        return await asyncpg.connect(
            dsn, timeout=CONNECT_S, target_session_attrs=PRIMARY, server_settings=settings(name, **more)
        )
    except LOST as error:
        raise Unavailable(f"no connection to the database: {describe(error)}") from error


@contextmanager
def asking() -> Iterator[None]:
    """Turns the failures that may pass into `Unavailable`. The others are bugs, and stay what they are."""
    try:
        yield
    except LOST as error:
        if isinstance(error, asyncpg.PostgresError) and not str(error.sqlstate).startswith(_PASSING):
            raise
        raise Unavailable(f"the database does not answer: {describe(error)}") from error


def describe(error: BaseException) -> str:
    return str(error) or type(error).__name__
