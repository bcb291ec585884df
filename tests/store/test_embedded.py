"""The embedded PostgreSQL, real processes and real signals: it starts on whatever it finds, and loses nothing."""

import asyncio
import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from countermand.store import become, embedded, launch, processes
from countermand.store.embedded import DataDirectoryBusy, EmbeddedPostgres, PostgresUnavailable, running_dsn
from tests.clusters import gets_cluster

REMEMBER = "CREATE TABLE IF NOT EXISTS remembered (what text); INSERT INTO remembered VALUES ('this')"
RECALL = "SELECT what FROM remembered"
NEVER_ENDS = "SELECT count(*) FROM generate_series(1, 1000000000) a, generate_series(1, 1000000000) b"

A_VENUE = """
import asyncio, sys
from pathlib import Path
import asyncpg
from countermand.store import become
from countermand.store.embedded import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
        connection = await asyncpg.connect(postgres.dsn)
        await connection.execute(sys.argv[2])
        print(postgres.pid, flush=True)
        await asyncio.Event().wait()

if len(sys.argv) > 3:
    become.__file__ = sys.argv[3]
asyncio.run(main())
"""


@pytest.fixture
def another_process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory after a first start: `initdb` takes ten times as long as a copy."""
    gets_cluster(tmp_path / "data")
    return tmp_path / "data"


@asynccontextmanager
async def connected(postgres: EmbeddedPostgres) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def ended(pid: int) -> None:
    """Wait until no process, or a dead one that its parent has not looked at, has this id."""
    async with asyncio.timeout(60):
        while Path(f"/proc/{pid}").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text():
            await asyncio.sleep(0.01)


async def a_killed_venue(data: Path, *launcher: str) -> int:
    """Run a venue in a process of its own that commits a row, kill it hard, and return the id of its postmaster."""
    venue = await asyncio.create_subprocess_exec(
        sys.executable, "-c", A_VENUE, data, REMEMBER, *launcher, stdout=asyncio.subprocess.PIPE
    )
    assert venue.stdout is not None
    postmaster = int(await venue.stdout.readline())
    venue.kill()
    await venue.wait()
    return postmaster


async def test_the_first_start_makes_a_durable_private_cluster(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    async with EmbeddedPostgres(tmp_path) as postgres, connected(postgres) as connection:
        settings = (
            "fsync",
            "synchronous_commit",
            "full_page_writes",
            "data_checksums",
            "server_encoding",
            "lc_collate",
        )
        shown = [await connection.fetchval(f"SHOW {name}") for name in settings if name != "lc_collate"]
        assert shown == ["on", "on", "on", "on", "UTF8"]
        assert await connection.fetchval("SELECT datcollate FROM pg_database WHERE datname = 'postgres'") == "C"
        assert await connection.fetchval("SHOW listen_addresses") == ""
        sockets = Path(await connection.fetchval("SHOW unix_socket_directories"))
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert not sockets.exists()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "postgres").stat().st_mode) == 0o700


async def test_a_row_survives_a_restart_and_the_same_object_starts_again(data: Path) -> None:
    postgres = EmbeddedPostgres(data)
    async with postgres, connected(postgres) as connection:
        await connection.execute(REMEMBER)
    async with postgres, connected(postgres) as connection:
        assert await connection.fetchval(RECALL) == "this"
    assert not postgres.died.is_set()


async def test_the_log_holds_no_value(data: Path) -> None:
    async with EmbeddedPostgres(data) as postgres, connected(postgres) as connection:
        with pytest.raises(asyncpg.InvalidTextRepresentationError):
            await connection.execute("SELECT 'hush hush'::int")
    assert "ready to accept connections" in (data / "postgres.log").read_text()
    assert "hush" not in (data / "postgres.log").read_text()


async def test_a_data_directory_has_one_user(data: Path) -> None:
    async with EmbeddedPostgres(data) as postgres:
        with pytest.raises(DataDirectoryBusy) as busy:
            await EmbeddedPostgres(data).start()
        assert str(busy.value) == f"the data directory {data} is in use by process {os.getpid()}"
        assert running_dsn(data) == postgres.dsn
    assert running_dsn(data) is None


async def test_a_full_disk_is_told_with_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, _data: bytes, _offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    for _ in range(2):  # The second one finds no lock of the first.
        with pytest.raises(PostgresUnavailable, match=f"the data directory {tmp_path} cannot be written: .*No space"):
            await EmbeddedPostgres(tmp_path).start()


async def test_the_path_of_the_data_may_be_long(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 30) / ("longer" * 30)
    async with EmbeddedPostgres(data) as postgres, connected(postgres) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_it_dies_with_us_and_the_next_start_finds_what_was_committed(data: Path) -> None:
    await ended(await a_killed_venue(data))
    async with EmbeddedPostgres(data) as postgres, connected(postgres) as connection:
        assert await connection.fetchval(RECALL) == "this"


async def test_a_start_at_once_after_a_kill_does_not_trip_over_the_dying(data: Path) -> None:
    for _ in range(3):
        await a_killed_venue(data)
    async with EmbeddedPostgres(data) as postgres, connected(postgres) as connection:
        assert len(await connection.fetch(RECALL)) == 3


async def test_where_it_outlives_us_the_next_start_stops_it(tmp_path: Path, data: Path) -> None:
    without_parent_death = tmp_path / "become.py"  # PR_GET_KEEPCAPS in its place changes nothing.
    source = Path(become.__file__).read_text()
    assert "PR_SET_PDEATHSIG = 1\n" in source
    without_parent_death.write_text(source.replace("PR_SET_PDEATHSIG = 1\n", "PR_SET_PDEATHSIG = 7\n"))
    survivor = await a_killed_venue(data, str(without_parent_death))
    assert running_dsn(data) is not None
    async with EmbeddedPostgres(data) as postgres, connected(postgres) as connection:
        await ended(survivor)
        assert postgres.pid != survivor
        assert await connection.fetchval(RECALL) == "this"


async def test_a_killed_postmaster_is_reported_and_its_busy_orphans_do_not_block_the_next(data: Path) -> None:
    postgres = EmbeddedPostgres(data)
    async with postgres, connected(postgres) as connection:
        await connection.execute(REMEMBER)
        busy = await asyncpg.connect(postgres.dsn)
        endless = asyncio.create_task(busy.execute(NEVER_ENDS))
        orphan = busy.get_server_pid()
        while await connection.fetchval("SELECT state FROM pg_stat_activity WHERE pid = $1", orphan) != "active":
            await asyncio.sleep(0.01)
        os.kill(postgres.pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            await postgres.died.wait()
        assert orphan in processes.processes_of(data / "postgres", "")
        await postgres.stop()
        with pytest.raises((asyncpg.PostgresConnectionError, ConnectionError)):
            await endless
        await ended(orphan)
        await postgres.start()
        async with connected(postgres) as anew:
            assert await anew.fetchval(RECALL) == "this"
        assert not postgres.died.is_set()


async def test_one_that_does_not_listen_is_ended_by_force(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "FAST_SHUTDOWN_SECONDS", 0.05)
    monkeypatch.setattr(embedded, "IMMEDIATE_SHUTDOWN_SECONDS", 0.05)
    async with EmbeddedPostgres(data) as postgres:
        async with connected(postgres) as connection:
            await connection.execute(REMEMBER)
        os.kill(postgres.pid, signal.SIGSTOP)
    assert processes.processes_of(data / "postgres", "") == []
    async with EmbeddedPostgres(data) as postgres, connected(postgres) as connection:
        assert await connection.fetchval(RECALL) == "this"


async def test_an_unfinished_first_start_is_begun_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(tmp_path) as postgres, connected(postgres) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    assert not unfinished.exists()


async def test_an_initdb_that_outlived_a_first_start_is_ended_before_its_work_is_begun_again(tmp_path: Path) -> None:
    """B1: it removes what it has made when its parent dies, and would remove what the next start makes."""
    unfinished = tmp_path / "postgres.new"
    identity = await embedded._identity(tmp_path, tmp_path / "postgres")
    tmp_path.chmod(0o777)
    initdb = [embedded._binary("initdb"), "--auth=trust", "--pgdata", str(unfinished)]
    outlived = await asyncio.create_subprocess_exec(
        *launch.command(identity, tmp_path, initdb), stdout=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(60):
        while not (unfinished / "postgresql.conf").exists():
            await asyncio.sleep(0.005)
    outlived.send_signal(signal.SIGSTOP)
    async with EmbeddedPostgres(tmp_path) as postgres, connected(postgres) as connection:
        assert await asyncio.wait_for(outlived.wait(), 30) == -signal.SIGKILL
        assert await connection.fetchval("SELECT 1") == 1
    assert not unfinished.exists()


async def test_a_stale_process_id_that_another_process_has_by_now_is_forgotten(
    data: Path, another_process: subprocess.Popen[bytes]
) -> None:
    async with EmbeddedPostgres(data) as postgres:
        lines = (data / "postgres" / "postmaster.pid").read_text().splitlines()
        socket_lock = Path(lines[4]) / ".s.PGSQL.5432.lock"
        socket_lines = socket_lock.read_text().splitlines()
    stale = str(another_process.pid)
    (data / "postgres" / "postmaster.pid").write_text("\n".join([stale, *lines[1:]]) + "\n")
    socket_lock.parent.mkdir(mode=0o700)
    socket_lock.write_text("\n".join([stale, *socket_lines[1:]]) + "\n")
    async with postgres, connected(postgres) as connection:
        assert await connection.fetchval("SHOW unix_socket_directories") == str(socket_lock.parent)
    assert another_process.poll() is None


async def test_a_foreign_directory_is_not_used_for_the_socket(data: Path) -> None:
    async with EmbeddedPostgres(data) as postgres, connected(postgres) as connection:
        sockets = Path(await connection.fetchval("SHOW unix_socket_directories"))
    sockets.symlink_to(data)
    try:
        async with postgres, connected(postgres) as connection:
            assert Path(await connection.fetchval("SHOW unix_socket_directories")) != sockets
    finally:
        sockets.unlink()


async def test_a_cluster_of_another_version_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(
        PostgresUnavailable, match=r"postgres was made by PostgreSQL 9\.6, and this is 18; give another --data"
    ):
        await EmbeddedPostgres(tmp_path).start()


async def test_a_server_that_does_not_start_says_why_and_leaves_the_directory_free(data: Path) -> None:
    async with EmbeddedPostgres(data):
        pass
    with pytest.raises(PostgresUnavailable, match=r'FATAL: .*"fsync" requires a Boolean'):
        await EmbeddedPostgres(data, settings={"fsync": "perhaps"}).start()
    async with EmbeddedPostgres(data):
        pass
