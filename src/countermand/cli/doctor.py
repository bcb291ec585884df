"""`countermand doctor`: what of this machine a venue needs, what is wrong with it, and the remedy."""

import asyncio
import errno
import os
import resource
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import asyncpg
import msgspec
import uvloop
from cyclopts import Parameter
from rich.console import Console

from countermand import own_solders
from countermand.cli.options import File, Whole, option
from countermand.cli.reasons import examined
from countermand.kernel.ports import Unavailable
from countermand.services.custody.vaults import MASTER_SEED_FILE, SeedRefused, find_seed
from countermand.settings import Settings
from countermand.store.connections import connect, describe
from countermand.store.embedded import (
    MAJOR_VERSION,
    PostgresUnavailable,
    check_that_it_runs,
    check_version,
    has_database,
    running_dsn,
)

Verdict = Literal["ok", "warning", "wrong"]

FOUND_WRONG: Final = 1
_PORT_MAX: Final = 65_535
_OF_A_PORT: Final = (errno.EADDRINUSE, errno.EACCES)
"""What another port may mend."""
_DESCRIPTORS_MIN: Final = 4_096
_DISK_LOW_BYTES, _DISK_MIN_BYTES = 2 << 30, 200 << 20
_GIB: Final = 1 << 30
_DRIFT_MS_MAX: Final = 1_000
_CONNECTIONS: Final = 20
_ENCODINGS: Final = ("UTF8", "SQL_ASCII")
"""All texts can be stored: the latter takes any bytes."""
_EARLIEST_S: Final = 1_735_689_600
"""The beginning of 2025: a clock that shows less was never set."""
_COLOURS: Final = {"ok": "green", "warning": "yellow", "wrong": "bold red"}

_DATABASE: Final = """
SELECT current_setting('server_version_num')::int / 10000 AS version, pg_is_in_recovery() AS is_a_copy,
    current_setting('transaction_read_only') = 'on' AS takes_no_writes,
    current_schema()::text AS schema, has_schema_privilege(current_schema(), 'CREATE') AS makes_tables,
    has_database_privilege(current_database(), 'CREATE') AS makes_schemas,
    current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commits,
    current_setting('max_connections')::int AS connections, current_user::text AS role,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms, current_database()::text AS name,
    current_setting('server_encoding') AS encoding
"""


class Finding(msgspec.Struct, omit_defaults=True):
    """`remedy`: only if something is wrong, or may become so."""

    check: str
    verdict: Verdict
    found: str
    remedy: str | None = None


class DoctorReport(msgspec.Struct):
    ok: bool
    findings: list[Finding]


def doctor(
    *,
    host: Annotated[str, option("host", "the address that it will listen on")] = "127.0.0.1",
    port: Annotated[Whole, option("port", "the port that it will listen on")] = 8080,
    data: Annotated[File, option("data", "the data directory")] = Path("./.countermand"),
    database_url: Annotated[str | None, option("database-url", "a PostgreSQL instead of our own")] = None,
    master_seed: Annotated[File | None, option("master-seed", "the file of the vaults' secret")] = None,
    as_json: Annotated[bool, Parameter(name="--json", help="print JSON", negative="")] = False,
) -> int:
    """Look at ports, PostgreSQL, clock, descriptors and disk, and say what is wrong and the remedy.

    It changes nothing. Exit status 1 if something is wrong.
    """
    # No sandbox: the host may be any.
    settings = Settings(
        host=host, port=port, data=data, database_url=database_url, master_seed=master_seed, sandbox=False
    )
    report = examined(lambda: uvloop.run(_examined(settings)))
    if as_json:
        print(msgspec.json.encode(report).decode())
    else:
        _show(report)
    return 0 if report.ok else FOUND_WRONG


def _show(report: DoctorReport) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in report.findings:
        console.print(f"[{_COLOURS[finding.verdict]}]{finding.verdict:>7}[/]  {finding.check:<12} ", end="")
        console.print(finding.found, markup=False)
        if finding.remedy is not None:
            console.print(f"{'':>22}remedy: {finding.remedy}", markup=False)


async def _examined(settings: Settings) -> DoctorReport:
    url = settings.database_url
    findings = [
        _python(),
        _solders(),
        *(_port(settings, port) for port in _ports(settings.port)),
        _data(settings.data),
        _disk(settings.data),
        _seed(settings),
        _descriptors(),
        _clock(),
        *(await _embedded(settings.data) if url is None else await _database(url)),
    ]
    return DoctorReport(all(finding.verdict != "wrong" for finding in findings), findings)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{version} on {sys.platform}")


def _solders() -> Finding:
    installed = own_solders.installed()
    if own_solders.fits():
        return Finding("solders", "ok", installed)
    found = f"{installed}; a venue runs with {own_solders.MINOR}"
    return Finding("solders", "wrong", found, "run `countermand solders`: it installs that beside the other")


def _ports(port: int) -> Sequence[int]:
    return () if port == 0 else (port,) if port == _PORT_MAX else (port, port + 1)


def _port(settings: Settings, port: int) -> Finding:
    """The second one is only a convenience."""
    check = f"port {port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(settings.host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        said = f"cannot be listened on, on {settings.host}: {error.strerror or error}"
        if error.errno not in _OF_A_PORT:
            return Finding(check, "wrong", said, "give another --host, which is an address of this machine")
        if port != settings.port:
            return Finding(check, "warning", said, "stop what listens there, if a client derives the WebSocket's port")
        return Finding(check, "wrong", said, "stop what listens there, or give another --port")
    return Finding(check, "ok", f"free on {settings.host}")


def _data(data: Path) -> Finding:
    there = _nearest(data)
    if not there.is_dir():
        return Finding("data", "wrong", f"{there} is no directory", "give another --data")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("data", "wrong", f"{there} cannot be written", f"chown {there}, or give another --data")
    if there != data.absolute():
        return Finding("data", "ok", f"{data} is not there yet, and can be made")
    if running_dsn(data) is not None:
        return Finding("data", "ok", f"{data} is in use by a venue that runs")
    return Finding("data", "ok", f"{data} can be written")


def _disk(data: Path) -> Finding:
    there = _nearest(data)
    free = shutil.disk_usage(there).free
    found = f"{free // _GIB} GiB free for {data}" if free >= _GIB else f"{free >> 20} MiB free for {data}"
    if free < _DISK_MIN_BYTES:
        return Finding(
            "disk", "wrong", found, "make room, or give a --data on another disk: PostgreSQL stops when it is full"
        )
    if free < _DISK_LOW_BYTES:
        return Finding("disk", "warning", found, "make room: the journal only grows")
    return Finding("disk", "ok", found)


def _seed(settings: Settings) -> Finding:
    path = settings.master_seed or settings.data / MASTER_SEED_FILE
    try:
        seed = find_seed(path)
    except (SeedRefused, OSError) as refused:
        remedy = "give the 32 bytes that the venue began with, mode 0600; if they are lost, from a backup"
        return Finding("master seed", "wrong", str(refused), remedy)
    if seed is None and settings.database_url is None and has_database(settings.data):
        found = f"{path} is not there, but a database is in {settings.data}"
        remedy = (
            "give --master-seed the file that it began with, or restore it from a backup; "
            "if its first start was cut short there is none yet, and the next start makes it"
        )
        return Finding("master seed", "wrong", found, remedy)
    if seed is None:
        return Finding("master seed", "ok", f"{path} is not there; the first start with an empty database makes it")
    return Finding("master seed", "ok", f"{path} can be read")


def _descriptors() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    found = f"{most} may be open at once (it raises its own limit of {soft})"
    if hard != resource.RLIM_INFINITY and hard < _DESCRIPTORS_MIN:
        remedy = f"raise the hard limit to {_DESCRIPTORS_MIN} or more: ulimit -Hn, or LimitNOFILE= of its unit"
        return Finding("descriptors", "warning", found, remedy)
    return Finding("descriptors", "ok", found)


def _clock() -> Finding:
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    if time.time() < _EARLIEST_S:
        return Finding("clock", "wrong", f"{shown}: it was never set", "set it, and keep it by NTP")
    return Finding("clock", "ok", shown)


async def _embedded(data: Path) -> Sequence[Finding]:
    try:
        check_version(data.absolute())
    except (PostgresUnavailable, OSError) as refused:
        return [Finding("postgresql", "wrong", str(refused), "give another --data, or restore this one from a backup")]
    try:
        await check_that_it_runs(data.absolute(), _nearest(data))
    except (PostgresUnavailable, OSError) as refused:
        remedy = "start it as an ordinary user, or give --database-url"
        return [Finding("postgresql", "wrong", str(refused), remedy)]
    return [Finding("postgresql", "ok", f"the embedded PostgreSQL {MAJOR_VERSION} runs on this machine")]


async def _database(dsn: str) -> Sequence[Finding]:
    began = time.time_ns() // 1_000_000
    try:
        connection = await connect(dsn, "doctor")
    except Unavailable as refused:
        return [Finding("postgresql", "wrong", str(refused), "start it, or correct --database-url")]
    try:
        async with asyncio.timeout(10):
            before = time.time_ns() // 1_000_000
            row = await connection.fetchrow(_DATABASE)
            after = time.time_ns() // 1_000_000
    except (asyncpg.PostgresError, OSError) as error:
        return [Finding("postgresql", "wrong", describe(error), "give a role that may read its own settings")]
    finally:
        connection.terminate()
    assert row is not None
    return [
        _version(row, before - began),
        _rights(row),
        _encoding(row),
        _durability(row),
        _connections(row),
        _drift(row["now_ms"], before, after),
    ]


def _version(row: asyncpg.Record, connect_ms: int) -> Finding:
    found = f"PostgreSQL {row['version']}, reached in {connect_ms} ms"
    if row["version"] < MAJOR_VERSION:
        return Finding("postgresql", "warning", found, f"use {MAJOR_VERSION}: it is what the tests run against")
    return Finding("postgresql", "ok", found)


def _rights(row: asyncpg.Record) -> Finding:
    if row["is_a_copy"]:
        return Finding("rights", "wrong", "it is a copy that takes no writes", "give the address of the primary")
    if row["takes_no_writes"]:
        remedy = f"ALTER DATABASE {row['name']} RESET default_transaction_read_only, or of the role {row['role']}"
        return Finding("rights", "wrong", "its transactions are read-only", remedy)
    if row["schema"] is None:
        remedy = f"ALTER DATABASE {row['name']} RESET search_path, or of the role {row['role']}"
        return Finding("rights", "wrong", "its search_path names no schema that is there", remedy)
    if not row["makes_tables"]:
        remedy = f"GRANT CREATE ON SCHEMA {row['schema']} TO {row['role']}, or make it the database's owner"
        return Finding("rights", "wrong", f"the role {row['role']} may not make tables", remedy)
    if not row["makes_schemas"]:
        remedy = f"GRANT CREATE ON DATABASE {row['name']} TO {row['role']}, if a sandbox is to take snapshots"
        return Finding("rights", "warning", f"the role {row['role']} may not make schemas", remedy)
    return Finding("rights", "ok", f"the role {row['role']} may make tables and schemas")


def _encoding(row: asyncpg.Record) -> Finding:
    if row["encoding"] not in _ENCODINGS:
        remedy = "make it anew, as by createdb --encoding UTF8 --template template0"
        return Finding("encoding", "wrong", f"the database is in {row['encoding']}, and tables are in UTF8", remedy)
    return Finding("encoding", "ok", row["encoding"])


def _durability(row: asyncpg.Record) -> Finding:
    if row["fsync"] == "off" or row["commits"] == "off":
        found = f"fsync is {row['fsync']}, synchronous_commit is {row['commits']}"
        remedy = "switch both on: a power cut can take back a cancel that was answered"
        return Finding("durability", "wrong", found, remedy)
    return Finding("durability", "ok", "commits wait for the disk")


def _connections(row: asyncpg.Record) -> Finding:
    found = f"max_connections is {row['connections']}, and a venue keeps about ten"
    if row["connections"] < _CONNECTIONS:
        return Finding("connections", "warning", found, f"set max_connections to {_CONNECTIONS} or more")
    return Finding("connections", "ok", found)


def _drift(there_ms: int, before_ms: int, after_ms: int) -> Finding:
    """The answer was made between two readings of our clock."""
    ahead = max(there_ms - after_ms, before_ms - there_ms, 0)
    if ahead > _DRIFT_MS_MAX:
        return Finding("drift", "warning", f"its clock and ours differ by {ahead} ms", "keep both by NTP")
    return Finding("drift", "ok", "its clock and ours agree")


def _nearest(path: Path) -> Path:
    """The path, or what is there above it."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.exists())
