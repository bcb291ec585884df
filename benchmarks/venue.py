"""A venue under test: `countermand serve` in a process of its own, on a data directory of ours."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_READY_S: Final = 300
_STOP_S: Final = 15
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


_LANDED_FILLS: Final = r'^countermand_attempts_resolved_total\{kind="fill",outcome="landed"\} ([0-9.]+)$'


@dataclass(frozen=True, slots=True)
class Server:
    """A process that listens on a port of this machine."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """What the process has used until now, in user and system mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


@dataclass(frozen=True, slots=True)
class Venue(Server):
    ready_s: float
    """From its exec until it says that it would serve."""

    def ask(self, method: str, path: str, body: object | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            headers = {} if body is None else {"content-type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            assert answer.status == 200, f"{method} {path}: {answer.status} {text}"
            return json.loads(text) if text.startswith(("{", "[")) else text
        finally:
            connection.close()

    def set_prices(self, prices: Mapping[str, str]) -> None:
        self.ask("PUT", "/sandbox/prices", dict(prices))

    def settle(self) -> None:
        while not self.ask("POST", "/sandbox/settle", {"timeoutMs": 10_000})["settled"]:
            pass

    def fills_landed(self) -> int:
        return landed_fills(self.ask("GET", "/metrics"))

    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE


def landed_fills(metrics: str) -> int:
    """0 also where none has landed yet: a label appears with its first count."""
    found = re.search(_LANDED_FILLS, metrics, re.MULTILINE)
    return int(float(found[1])) if found else 0


@contextmanager
def serving(data: Path) -> Iterator[Venue]:
    """A running venue. Leaving it stops the venue cleanly."""
    program = str(Path(sys.executable).with_name("countermand"))
    # What is measured rests until the benchmark itself moves it.
    command = [program, "serve", "--port", "0", "--log-level", "error", "--no-keeper"]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--data", str(data)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        _await_ready(port, began + _READY_S)
        yield Venue(process.pid, port, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def echoing() -> Iterator[Server]:
    """The peer."""
    command = [sys.executable, "-m", "benchmarks.echo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(process.pid, int(process.stdout.readline()))
        finally:
            process.terminate()


def _await_ready(port: int, deadline: float) -> None:
    while time.perf_counter() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.005)
    raise TimeoutError(f"the venue on port {port} is not ready after {_READY_S} s")
