"""Connections to PostgreSQL: how they are opened, and what their failures mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from asyncpg.pool import PoolConnectionProxy

from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.stored_rows import unreadable

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CONNECT_S: Final = 10
STATEMENT_S: Final = 10
"""For a statement of a pool's connection that names no time of its own; None would name none."""
LOAD_S: Final = 600
"""For a statement that reads or clears a whole table."""
POOL_CONNECTIONS: Final = 4
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


_READ_ONLY: Final = "default_transaction_read_only"
"""The server tells of it by itself, at a session's start and at each change."""
_DAMAGE: Final = ("22", "XX")
"""Classes of SQLSTATE for a table that cannot be read: values and pages that make no sense."""
_REFUSING: Final = (*_PASSING, "0A", "28", "3D", "3F", "42501", "42P01", "42703", "54", "F0", "XX")
"""What a database says that a venue cannot work with. The rest is only our own mistake."""
_SHORTAGES: Final = {
    "53100": "the disk of the database is full",
    "53200": "the database is out of memory",
    "53300": "the database has no connection left",
}
_ADDRESS: Final = (
    "the address of the database cannot be read; "
    "write special characters in its user or password as %40 for @, %2F for /, and the like"
)


def refuses(error: asyncpg.PostgresError) -> bool:
    """The database is not as a venue needs it, or does not let us: an operator must look."""
    return str(error.sqlstate).startswith(_REFUSING)


async def connect(dsn: str, name: str, **more: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Raises `Unavailable` for whatever reason there is no connection: nothing has been asked yet."""
    try:
        return await asyncpg.connect(
            dsn, timeout=CONNECT_S, target_session_attrs=PRIMARY, server_settings=settings(name, **more)
        )
    except (*LOST, ValueError) as error:
        raise no_connection(dsn, error) from error


async def open_pool(dsn: str, name: str) -> Pool:
    """Raises `Unavailable`, as `connect` does."""
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=POOL_CONNECTIONS,
            timeout=CONNECT_S,
            command_timeout=STATEMENT_S,
            target_session_attrs=PRIMARY,
            server_settings=settings(name),
            reset=_put_back,
        )
    except (*LOST, ValueError) as error:
        raise no_connection(dsn, error) from error


async def _put_back(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Our statements leave nothing behind in a session: to clear it after each would double their round trips.

    A session that began while `ALTER DATABASE` had made the database read-only stays so for life, and is closed.
    """
    if connection.is_in_transaction():
        await connection.reset()
    if getattr(connection.get_settings(), _READ_ONLY, "off") == "on":
        connection.terminate()


def no_connection(dsn: str, error: BaseException) -> Unavailable:
    """What cannot be read of an address may be a part of its password, and is not told."""
    if isinstance(error, ValueError) and "@" in dsn:
        return Unavailable(_ADDRESS)
    return Unavailable(f"no connection to the database: {describe(error)}")


@contextmanager
def reading(table: str, key: object = None) -> Iterator[None]:
    """What is read at a load: as `asking`, and what is damaged is named by its table."""
    try:
        with asking():
            yield
    except asyncpg.PostgresError as error:
        if str(error.sqlstate).startswith(_DAMAGE):
            raise unreadable(table, key, error) from error
        raise


@contextmanager
def asking() -> Iterator[None]:
    """Turns the failures that may pass into `Unavailable`. The others are bugs, and stay what they are."""
    try:
        yield
    except LOST as error:
        if isinstance(error, asyncpg.PostgresError) and not str(error.sqlstate).startswith(_PASSING):
            raise
        hidden = _hidden_by(error)
        if isinstance(hidden, Unavailable):
            raise Unavailable(str(hidden)) from error
        raise Unavailable(f"the database does not answer: {describe(error)}") from error


@contextmanager
def committing(what: str) -> Iterator[None]:
    """A write that commits by itself: when it fails, whether it was written is unknown."""
    try:
        yield
    except LOST as error:
        raise CommitUnknown(f"the answer to the write of {what} was lost: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """On one line: PostgreSQL adds its details and hints on others."""
    error = _hidden_by(error) or error
    said = " ".join(str(error).split())
    return said or ("it did not answer in time" if isinstance(error, TimeoutError) else type(error).__name__)


def shortage(error: BaseException | None) -> str | None:
    """What the database lacks, if that is what it refused. Where it is, and what of it failed, is not told."""
    while error is not None:
        if isinstance(error, asyncpg.PostgresError) and error.sqlstate in _SHORTAGES:
            return _SHORTAGES[error.sqlstate]
        error = error.__cause__
    return None


def _hidden_by(error: BaseException) -> BaseException | None:
    """A transaction that ends on a lost connection says that it cannot end. Why, says what it was ended by."""
    hidden = error.__context__
    return hidden if isinstance(error, asyncpg.InterfaceError) and isinstance(hidden, (*LOST, Unavailable)) else None
