"""The processes of one PostgreSQL cluster: found by where they stand, and ended in good order.

A PostgreSQL process stands in its data directory, so `/proc` says whose it is. A process id in a file says less: after
a crash it may be another process's. Where there is no `/proc`, the command line of that process decides.
"""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

PROC = Path("/proc")
PID_FILE = "postmaster.pid"
PID_FILE_LINES = 8
"""Process id, data directory, start time, port, socket directory, address, shared memory, status."""

ENDING = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
"""Fast shutdown, immediate shutdown, the end; each with the seconds it gets before the next."""


_MAKER_S_MAX = 10.0


class WillNotEnd(Exception):
    """Processes of an earlier PostgreSQL hold the data directory, and we cannot end them."""


def pid_file(cluster: Path) -> list[str]:
    """The lines of `postmaster.pid`, as far as they are written; none if there is no such file."""
    try:
        return (cluster / PID_FILE).read_text().splitlines()
    except FileNotFoundError:
        return []


def postmaster(cluster: Path) -> int | None:
    """The process that `postmaster.pid` names, alive or not."""
    lines = pid_file(cluster)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def processes_of(cluster: Path, name: str) -> list[int]:
    """The living PostgreSQL processes of a data directory. `name` is the `cluster_name` that it runs under."""
    if not cluster.is_dir():
        return []
    if not (PROC / "self").exists():
        named = postmaster(cluster)
        return [named] if named is not None and str(cluster) in _command_line_by_ps(named) else []
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and _belongs(entry, cluster, name)]


async def end_processes_of(cluster: Path, name: str) -> None:
    """Return when no process of an earlier PostgreSQL is alive here. The caller holds the directory's lock."""
    for number, seconds in ENDING:
        living = processes_of(cluster, name)
        first = postmaster(cluster)
        if not living:
            break
        if first in living and number != signal.SIGKILL:
            _send(number, [first])  # It ends the others.
        elif number != signal.SIGINT:
            _send(number, living)
        else:
            continue  # Orphans: SIGINT means something else to each of them.
        await _gone(cluster, name, seconds)
    else:
        if living := processes_of(cluster, name):
            raise WillNotEnd(f"{cluster}: an earlier PostgreSQL does not end (processes {living})")
    _forget(cluster)


async def end_makers_of(cluster: Path) -> None:
    """Return when no `initdb` of an earlier start is at work here. One whose parent died removes what it has made, and
    does not look whose it is by then.
    """
    deadline = asyncio.get_running_loop().time() + _MAKER_S_MAX
    while living := _makers_of(cluster):
        if asyncio.get_running_loop().time() >= deadline:
            raise WillNotEnd(f"{cluster}: an earlier initdb does not end (processes {living})")
        _send(signal.SIGKILL, living)
        await asyncio.sleep(0.02)


def _makers_of(cluster: Path) -> list[int]:
    if not (PROC / "self").exists():
        return []
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and _makes(entry, cluster)]


def _makes(process: Path, cluster: Path) -> bool:
    try:
        if (process / "comm").read_text() != "initdb\n":
            return False
        return os.fsencode(cluster) in (process / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False  # It ended while we looked.


def _belongs(process: Path, cluster: Path, name: str) -> bool:
    try:
        if (process / "comm").read_text() != "postgres\n":
            return False
        try:
            return (process / "cwd").samefile(cluster)
        except PermissionError:
            # Root, but without the right to look at another user's processes, as in a container: the title shows.
            title = (process / "cmdline").read_bytes()
            return name.encode() in title and process.stat().st_uid == cluster.stat().st_uid
    except (FileNotFoundError, ProcessLookupError):
        return False  # It ended while we looked.


def _command_line_by_ps(pid: int) -> str:
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def _send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


async def _gone(cluster: Path, name: str, seconds: float) -> None:
    """Wait until they are gone, but not longer than so many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while processes_of(cluster, name) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.02)


def _forget(cluster: Path) -> None:
    """PostgreSQL refuses to start if the process id in its file is alive, though it may be another process's by now."""
    pid = postmaster(cluster)
    if pid is None:
        return
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return  # It will see that itself, and also free that one's shared memory.
    except PermissionError:
        pass
    (cluster / PID_FILE).unlink()
