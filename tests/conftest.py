"""The database of the tests: one PostgreSQL a session (and xdist worker), a new database with our schema a test."""

import compileall
import gc
import os
import shutil
import sys
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Final

import asyncpg
import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, settings

from countermand.store.embedded import EmbeddedPostgres
from countermand.store.postgres import migrate
from tests.clusters import shares_cluster

# No test measures time: a busy machine would fail it.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

TEMPLATE = "migrated"
NUMBERS = count(1)
SOURCES = Path(__file__).parents[1] / "src"
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 6 * 10**9
"""Free there and in the machine. A run keeps up to half of it in files."""

LONGEST_FIRST = ("clients", "end_to_end", "audit", "client", "docs", "testkit", "gateway", "surfpool")
"""Folders. The files of the others take seconds, so that a run ends on all cores at once."""
BUSIEST = "simulation"
"""A folder that never waits for anything: its files are spread over the time in which others do."""
BUSY_UNTIL = 0.85
"""Of the files of the long folders: what takes half a minute must not come last."""

PLAIN: Final = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
)

sys.dont_write_bytecode = False
"""Where PYTHONDONTWRITEBYTECODE is set, each worker would compile all tests at each run, in a quarter of a minute."""
_GARBAGE: Final = gc.get_threshold()


def pytest_sessionstart() -> None:
    """Ten thousand tests are collected, and none of them is garbage."""
    gc.set_threshold(200_000, 50, 1_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Within a folder, and in a file, all stays in its order."""
    items.sort(key=_turn)
    folders = {item.path: _folder(item) for item in items}
    busy = [file for file in folders if folders[file] == BUSIEST]
    others = [file for file in folders if folders[file] != BUSIEST]
    until = BUSY_UNTIL * sum(folders[file] in LONGEST_FIRST for file in others)
    places = {file: float(place) for place, file in enumerate(others)}
    places |= {file: until * number / len(busy) for number, file in enumerate(busy)}
    items.sort(key=lambda item: places[item.path])


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


def _turn(item: pytest.Item) -> int:
    folder = _folder(item)
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)


def _folder(item: pytest.Item) -> str:
    return item.nodeid.split("/")[1]


def pytest_configure(config: pytest.Config) -> None:
    """Once, for all workers, what makes hundreds of venues and databases cheap.

    The product is compiled: where PYTHONDONTWRITEBYTECODE is set, as in most containers, each start would do it again,
    in half a second. The files of the tests are in memory, if there is room: a database on a disk takes five times the
    processor time, even without fsync. And what a test logs is written as it is, since it is hardly ever read.
    """
    structlog.configure(processors=[*PLAIN])
    if hasattr(config, "workerinput"):
        return
    compileall.compile_dir(SOURCES, quiet=1)
    if _has_room_in_memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    shares_cluster()


def _has_room_in_memory() -> bool:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
        return min(available, shutil.disk_usage(MEMORY).free) >= MEMORY_BYTES_MIN
    except OSError:  # Another system.
        return False


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """A server whose data need not outlive a power cut: tests about that start their own."""
    quick = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}
    async with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings=quick) as server:
        await _execute(server.dsn, f"CREATE DATABASE {TEMPLATE}")
        await migrate(_url(server, TEMPLATE))
        yield server


@pytest_asyncio.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A fresh database that holds our schema and nothing else."""
    name = f"test_{next(NUMBERS)}"
    await _execute(postgres.dsn, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    yield _url(postgres, name)
    await _execute(postgres.dsn, f"DROP DATABASE {name} WITH (FORCE)")


def _url(server: EmbeddedPostgres, database: str) -> str:
    return server.dsn.replace("/postgres?", f"/{database}?")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
