"""Clusters of PostgreSQL that are copied: making one, with our schema, takes longer than all else in a first start."""

import atexit
import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.forked import run

_MAKES: Final = """
import asyncio, pathlib, sys
import asyncpg
from countermand.store import embedded
from countermand.store.embedded import EmbeddedPostgres
from countermand.store.postgres import migrate

embedded.INITDB_OPTIONS += ("--wal-segsize=1",)

async def make():
    async with EmbeddedPostgres(pathlib.Path(sys.argv[1])) as server:
        await migrate(server.dsn)
        connection = await asyncpg.connect(server.dsn)
        await connection.execute("UPDATE pg_database SET datistemplate = false")
        for template in ("template0", "template1"):
            await connection.execute(f"DROP DATABASE {template}")
        await connection.close()

asyncio.run(make())
"""
_MADE_S: Final = 60
_SHARED: Final = "SHARED_CLUSTER"
"""A variable of the environment: the folder of a cluster that several processes copy."""


def gets_cluster(data: Path) -> None:
    """A data directory that is not there yet is made, with an empty database in it, as a first start would make it.

    But for the templates of other databases, two files of three, and with a log in pieces of 1 MB instead of 16.
    """
    if not data.exists():
        subprocess.run(["cp", "-a", str(_made()), str(data)], check=True)


def shares_cluster() -> None:
    """The processes that this one starts copy the same cluster: the first that needs it makes it."""
    os.environ[_SHARED] = str(_folder())


@functools.cache
def _made() -> Path:
    folder = Path(os.environ[_SHARED]) if _SHARED in os.environ else _folder()
    made = folder / "data"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _make(folder / "draft")
            (folder / "draft").rename(made)
    return made


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="countermand-cluster-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o711)
    return folder


def _make(data: Path) -> None:
    done = run(_MAKES, str(data), seconds=_MADE_S)
    assert done.returncode == 0, done.stderr
    (data / "lock").unlink()
    (data / "postgres.log").unlink()
