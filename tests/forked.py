"""Countermand as a process that is forked from one that has imported it: the import is most of what a start costs.

It is a process of its own, with standard streams, arguments and an environment of its own, and it can be killed. What
it imports, and when, is another question: tests about that start a new interpreter.
"""

import atexit
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

COUNTERMAND: Final = "from countermand.cli import main; main()"
_ROOT: Final = Path(__file__).parents[1]
_IMPORTED: Final = (
    "countermand.app.sandbox",
    "countermand.app.venue",
    "countermand.cli.audit",
    "countermand.cli.keys",
    "countermand.cli.rescue",
    "countermand.cli.serve",
    "countermand_simulator.command",
    "cyclopts.help",
    "docstring_parser",
)
CLOSED: Final = -1
"""In place of a descriptor: the stream is closed when the process begins."""
_SIZE_BYTES: Final = 4
_STREAMS: Final = ("stdin", "stdout", "stderr")
_WAKES_MAX: Final = 4_096


class Forked:
    """As `subprocess.Popen`, of which it has what tests need. `stdout` is there if it was asked for."""

    def __init__(
        self,
        program: str,
        *arguments: str,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int = 2,
        environ: Mapping[str, str] | None = None,
        forker: "Forker | None" = None,
    ) -> None:
        """It runs the program's text. Without a descriptor, `stdin` is empty, and `stdout` a pipe."""
        self.returncode: int | None = None
        self.stdout: TextIO | None = None
        self._answers, answering = socket.socketpair()
        writing = stdout
        if writing is None:
            reading, writing = os.pipe()
            self.stdout = os.fdopen(reading)
        with answering, Path(os.devnull).open() as nothing:
            given = nothing.fileno() if stdin is None else stdin
            (forker or _FORKER).ask((program, arguments, environ), answering.fileno(), (given, writing, stderr))
        if stdout is None:
            os.close(writing)
        self.pid = self._told()

    def _told(self) -> int:
        """Its pid, then its status."""
        told = self._answers.recv(_SIZE_BYTES)
        assert len(told) == _SIZE_BYTES, "the process that forks has died"
        return int.from_bytes(told)

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._answers.settimeout(timeout)
            try:
                self.returncode = os.waitstatus_to_exitcode(self._told())
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from None
            self._answers.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """It has ended, and what it printed was read."""
        self.wait()
        if self.stdout is not None:
            self.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def run(
    program: str,
    *arguments: str,
    seconds: float,
    environ: Mapping[str, str] | None = None,
    given: str = "",
    redirected: Mapping[str, int] | None = None,
    forker: "Forker | None" = None,
) -> "subprocess.CompletedProcess[str]":
    """To its end: its exit status, and what it printed. It reads what is given.

    `redirected`: other descriptors for its streams, by name, or `CLOSED`.
    """
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        tempfile.TemporaryFile("w+") as in_,
    ):
        in_.write(given)
        in_.seek(0)
        streams = {"stdin": in_.fileno(), "stdout": out.fileno(), "stderr": err.fileno()}
        process = Forked(program, *arguments, **(streams | dict(redirected or {})), environ=environ, forker=forker)
        try:
            process.wait(seconds)
        finally:
            process.kill()
            process.close()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, process.wait(), out.read(), err.read())


class Forker:
    """The process that has imported everything, started with the first one that is wanted."""

    def __init__(self, *imported: str) -> None:
        self._imported = imported
        self._lock = threading.Lock()
        self._requests: socket.socket | None = None

    def ask(
        self, what: tuple[str, Sequence[str], Mapping[str, str] | None], answering: int, streams: Sequence[int]
    ) -> None:
        program, arguments, environ = what
        closed = [name for name, stream in zip(_STREAMS, streams, strict=True) if stream == CLOSED]
        descriptors = [answering, *(stream for stream in streams if stream != CLOSED)]
        if environ is None:
            environ = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERMAND_")}
        asked = json.dumps([closed, program, arguments, environ, str(Path.cwd())]).encode()
        with self._lock:
            if self._requests is None:
                self._requests = self._start()
            socket.send_fds(self._requests, [len(asked).to_bytes(_SIZE_BYTES)], descriptors)
            self._requests.sendall(asked)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.forked", str(theirs.fileno()), *self._imported]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=_ROOT)
        atexit.register(self._stop, process, ours)
        return ours

    def _stop(self, process: "subprocess.Popen[bytes]", requests: socket.socket) -> None:
        requests.close()
        process.wait()


_FORKER: Final = Forker(*_IMPORTED)


def _serve(requests: socket.socket) -> str:
    """Forks whenever it is asked to, and tells how each ended. Returns in each child alone: the text of its program."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, wakes = socket.socketpair()
    for end in (woken, wakes):
        end.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    told: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests, woken], [], [])
        if woken in ready:
            woken.recv(_WAKES_MAX)
            for pid, status in _ended():
                with told.pop(pid) as answers, suppress(OSError):  # It may be that no test waits for it any more.
                    answers.sendall(status.to_bytes(_SIZE_BYTES))
        if requests not in ready:
            continue
        head, descriptors, _, _ = socket.recv_fds(requests, _SIZE_BYTES, 1 + len(_STREAMS))
        if not head:
            os._exit(0)
        asked = json.loads(requests.recv(int.from_bytes(head), socket.MSG_WAITALL))
        answering, *streams = descriptors
        answers = socket.socket(fileno=answering)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in (requests, woken, wakes, answers, *told.values()):
                other.close()
            return _begun(streams, *asked)
        told[pid] = answers
        answers.sendall(pid.to_bytes(_SIZE_BYTES))
        for descriptor in streams:
            os.close(descriptor)


def _ended() -> Iterator[tuple[int, int]]:
    """Children that have ended since, and their statuses."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            yield ended


def _begun(
    streams: Sequence[int],
    closed: Sequence[str],
    program: str,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    directory: str,
) -> str:
    _adopt(streams, closed)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(directory)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["-c", *arguments]
    return program


def _adopt(given: Sequence[int], closed: Sequence[str]) -> None:
    """Where one is closed, an interpreter has no object for it."""
    descriptors = iter(given)
    for stream, name in enumerate(_STREAMS):
        if name in closed:
            os.close(stream)
            setattr(sys, name, None)
            setattr(sys, f"__{name}__", None)
        else:
            descriptor = next(descriptors)
            os.dup2(descriptor, stream)
            os.close(descriptor)


def _run(program: str) -> None:
    """As an interpreter runs it, which then would free every object: that takes three times as long as the forks."""
    status = 0
    try:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as left:
        if not isinstance(left.code, int | None):
            raise
        status = left.code or 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.freeze()
    _run(_serve(socket.socket(fileno=int(sys.argv[1]))))
