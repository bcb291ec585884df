"""Clusters of PostgreSQL that are copied: making one, with our schema, takes longer than all else in a first start."""

import atexit
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
from countermand.store.embedded import EmbeddedPostgres
from countermand.store.postgres import migrate

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


def gets_cluster(data: Path) -> None:
    """A data directory that is not there yet is made, with an empty database in it, as a first start would make it.

    But for the templates of other databases: two files of three.
    """
    if not data.exists():
        subprocess.run(["cp", "-a", str(_made()), str(data)], check=True)


@functools.cache
def _made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="countermand-cluster-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o711)
    done = run(_MAKES, str(folder / "data"), seconds=_MADE_S)
    assert done.returncode == 0, done.stderr
    (folder / "data" / "lock").unlink()
    (folder / "data" / "postgres.log").unlink()
    return folder / "data"
