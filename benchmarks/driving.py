"""Runs the load generator in its own processes, and makes a figure of what they find."""

import select
import subprocess
import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from benchmarks.load import Findings, Plan

WARM_UP_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Figure:
    """What one run of the load generator found. `ceiling` is what it could do if the server took no time."""

    connections: int
    requests: int
    requests_in_all: int
    """With those of the warm-up."""
    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    ceiling: float


class LoadFailed(Exception):
    """The server answered otherwise than it should."""


def drive(
    port: int,
    connections: int,
    items: Sequence[Any],
    *,
    seconds: float,
    journey: str = "plain",
    endless: bool = False,
    warm_up_s: float = WARM_UP_S,
    processes: int = 1,
    meanwhile: Callable[[], None] | None = None,
) -> Figure:
    """`meanwhile` is called again and again as long as the load runs. It should take its time."""
    findings = _run(port, connections, items, seconds, journey, endless, warm_up_s, processes, meanwhile)
    for found in findings:
        if found.unexpected:
            raise LoadFailed(f"unexpected answers: {found.unexpected}, the first: {found.example}")
    latencies = array("Q")
    for found in findings:
        latencies.frombytes(found.latencies_ns)
    ordered = sorted(latencies)
    assert ordered, "nothing was measured: the items ended with the warm-up"
    count, cpu = len(ordered), sum(found.cpu_seconds for found in findings)
    return Figure(
        connections=connections,
        requests=count,
        requests_in_all=sum(found.requests_in_all for found in findings),
        per_second=sum(found.requests / found.seconds for found in findings),
        p50_ms=ordered[count // 2] / 1e6,
        p99_ms=ordered[count * 99 // 100] / 1e6,
        max_ms=ordered[-1] / 1e6,
        ceiling=processes * count / cpu,
    )


def collect(port: int, connections: int, requests: Sequence[bytes]) -> list[bytes]:
    """The bodies of the answers to all requests, in the order in which they came."""
    plan = _plan(port, connections, requests, 60, "plain", endless=False, warm_up_s=0, keep_bodies=True)
    generator = _Generator(plan)
    generator.go()
    found = generator.findings()
    if found.unexpected:
        raise LoadFailed(f"unexpected answers: {found.unexpected}, the first: {found.example}")
    return found.bodies


def _run(
    port: int,
    connections: int,
    items: Sequence[Any],
    seconds: float,
    journey: str,
    endless: bool,
    warm_up_s: float,
    processes: int,
    meanwhile: Callable[[], None] | None,
) -> list[Findings]:
    generators = []
    for nth in range(processes):
        share = items if endless else items[nth::processes]
        generators.append(
            _Generator(_plan(port, connections // processes, share, seconds, journey, endless, warm_up_s))
        )
    for generator in generators:
        generator.go()
    while meanwhile is not None and any(generator.runs() for generator in generators):
        meanwhile()
    return [generator.findings() for generator in generators]


def _plan(
    port: int,
    connections: int,
    items: Sequence[Any],
    seconds: float,
    journey: str,
    endless: bool,
    warm_up_s: float,
    keep_bodies: bool = False,
) -> Plan:
    return Plan(
        port=port,
        connections=connections,
        journey=journey,
        items=list(items),
        endless=endless,
        seconds=seconds,
        warm_up_s=warm_up_s,
        keep_bodies=keep_bodies,
    )


class _Generator:
    """One process of the load generator, connected when this is made."""

    def __init__(self, plan: Plan) -> None:
        command = [sys.executable, "-m", "benchmarks.load"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        packed = msgspec.msgpack.encode(plan)
        self._write(len(packed).to_bytes(8, "big") + packed)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", "the load generator did not connect"

    def go(self) -> None:
        self._write(b"go\n")

    def runs(self) -> bool:
        """Its findings may wait in the pipe, which keeps the process: so they are waited for, not its end."""
        assert self._process.stdout is not None
        return not select.select([self._process.stdout], [], [], 0)[0]

    def findings(self) -> Findings:
        assert self._process.stdout is not None
        with self._process:
            found = self._process.stdout.read()
        assert self._process.returncode == 0, "the load generator failed; its reason is above"
        return msgspec.msgpack.decode(found, type=Findings)

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()
