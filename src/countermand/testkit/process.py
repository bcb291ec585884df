"""A sandbox as a process of its own: started, awaited, stopped. It ends when its parent ends, however that ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

READY_S: Final = 120
STOP_S: Final = 12
LOG_LINES_SHOWN: Final = 20
_POLL_S: Final = 0.02
_SERVE: Final = (sys.executable, "-P", "-m", "countermand", "serve")
"""`-P`: what lies in the directory of the tests, such as a `token.py`, is none of its modules."""
_PREFIX: Final = "COUNTERMAND_"


class SandboxNotStarted(Exception):
    """Its message ends with the last lines of the sandbox's log."""


@dataclass(frozen=True, slots=True)
class Announced:
    """Where a sandbox is, as its `--announce` file says."""

    url: str
    rpc_url: str
    ws_url: str

    @classmethod
    def at(cls, url: str) -> "Announced":
        """Of a sandbox that runs at this address."""
        return cls(url, f"{url}/rpc", f"ws{url.removeprefix('http')}/rpc")

    def environment(self) -> Mapping[str, str]:
        """What tells another program of it."""
        urls = {"URL": self.url, "RPC_URL": self.rpc_url, "WS_URL": self.ws_url}
        return MappingProxyType({_PREFIX + name: value for name, value in urls.items()})


class SandboxProcess:
    """`directory` holds its data, its log and what it announces. No setting comes from the environment."""

    def __init__(self, directory: Path, options: Sequence[str] = (), *, log: Path | None = None) -> None:
        self._directory = directory
        self._options = tuple(options)
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.log = log or directory / "log"

    def start(self) -> Announced:
        """Returns when it is ready. A second start takes the ports of the first. Raises `SandboxNotStarted`."""
        assert not self.is_running(), "it is running"
        announced = self._directory / "announced.json"
        announced.unlink(missing_ok=True)
        own = ("--port", str(self._port), "--data", str(self._directory / "data"), "--announce", str(announced))
        command = [*_SERVE, "--throwaway", "--end-with-stdin", *self._options, *own]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)},
                start_new_session=True,  # Ctrl-C is for our parent, which then stops it in good order.
            )
        try:
            found = self._announced(announced)
        except BaseException:
            self.stop()
            raise
        self._port = urlsplit(found.url).port or 0
        return found

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """None while it runs, and before its start."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        """In good order, or else by force. What is stopped already stays so."""
        process = self._process
        if process is None:
            return
        try:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
        finally:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
            process.wait()

    def kill(self) -> None:
        """At once, as `kill -9` does. PostgreSQL ends with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def last_lines(self) -> str:
        """Of its log."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            return f"(its log cannot be read: {error})"
        return "\n".join(lines[-LOG_LINES_SHOWN:]) or "(its log is empty)"

    def _announced(self, file: Path) -> Announced:
        assert self._process is not None
        deadline = time.monotonic() + READY_S
        while not file.exists():
            status = self._process.poll()
            if status is not None:
                raise SandboxNotStarted(
                    f"the sandbox ended with {status} before it was ready; its log ends with:\n{self.last_lines()}"
                )
            if time.monotonic() > deadline:
                raise SandboxNotStarted(
                    f"the sandbox was not ready within {READY_S} s; its log ends with:\n{self.last_lines()}"
                )
            time.sleep(_POLL_S)
        told = json.loads(file.read_text(encoding="utf-8"))
        return Announced(told["url"], told["rpcUrl"], told["wsUrl"])
