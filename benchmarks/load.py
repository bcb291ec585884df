"""The load generator: a closed loop of keep-alive connections in a process of its own, by epoll and raw sockets.

It takes a plan on standard input (msgpack, a length of 8 bytes before it), connects, says `ready`, waits for a line,
runs, and writes its findings to standard output. What it costs itself is measured: its ceiling is the requests that it
could make if the server took no time at all.
"""

import select
import socket
import sys
import time
from array import array
from collections.abc import Callable, Generator, Iterator
from itertools import repeat
from typing import Any, Final, TypeAlias

import msgspec

from benchmarks import journeys

_PATIENCE_S: Final = 60

Conversation: TypeAlias = Generator[bytes, bytes, None]
"""Yields requests and is sent the bodies of their answers."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`journey` names how `items` become requests. `seconds` and `warm_up_s` bound it; the items may end before.

    The warm-up takes a quarter of the items at most, so that a quick server leaves something to be measured.
    """

    port: int
    connections: int
    journey: str
    items: list[Any]
    endless: bool = False
    """The items are used again and again."""
    seconds: float
    warm_up_s: float
    expect: int = 200
    keep_bodies: bool = False


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    requests: int
    requests_in_all: int
    """With those of the warm-up."""
    seconds: float
    cpu_seconds: float
    latencies_ns: bytes
    """An array of unsigned 64-bit numbers."""
    unexpected: dict[int, int]
    example: str
    """An answer that was not as expected."""
    bodies: list[bytes]


class _Run:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        items: Iterator[Any] = iter(plan.items)
        if plan.endless:
            items = (item for _ in repeat(None) for item in plan.items)
        journey: Callable[[Iterator[Any]], Conversation] = getattr(journeys, plan.journey)
        self._poll = select.epoll()
        self._talks: dict[int, Conversation] = {}
        self._sockets: dict[int, socket.socket] = {}
        for _ in range(plan.connections):
            connection = socket.create_connection(("127.0.0.1", plan.port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            fd = connection.fileno()
            self._sockets[fd], self._talks[fd] = connection, journey(items)
            self._poll.register(fd, select.EPOLLIN)
        self._latencies = array("Q")
        self._unexpected: dict[int, int] = {}
        self._example = ""
        self._bodies: list[bytes] = []

    def run(self) -> Findings:
        plan, now = self._plan, time.perf_counter_ns
        sockets, talks, poll = self._sockets, self._talks, self._poll
        started: dict[int, int] = {}
        partial: dict[int, bytes] = {}
        begin = now()
        measure_from = begin + int(plan.warm_up_s * 1e9)
        until = measure_from + int(plan.seconds * 1e9)
        warm_up_items = len(plan.items) if plan.endless else len(plan.items) // 4
        measuring, counted_from, cpu_from = False, begin, time.process_time()
        record = self._latencies.append
        for fd, talk in talks.items():
            first = next(talk, None)
            if first is not None:
                started[fd] = now()
                sockets[fd].send(first)
        last, answers = begin, 0
        while started:
            events = poll.poll(_PATIENCE_S)
            assert events, f"the server has not answered for {_PATIENCE_S} seconds"
            for fd, _ in events:
                data = sockets[fd].recv(65_536)
                assert data, f"the server cut a connection after {len(self._latencies)} answers"
                if fd in partial:
                    data = partial.pop(fd) + data
                end = _end_of_answer(data)
                if end < 0:
                    partial[fd] = data
                    continue
                last = now()
                answers += 1
                if measuring:
                    record(last - started[fd])
                elif last >= measure_from or answers >= warm_up_items:
                    measuring, counted_from, cpu_from = True, last, time.process_time()
                body = data[end:]
                status = int(data[9:12])
                if status != plan.expect:
                    self._complain(status, body)
                if plan.keep_bodies:
                    self._bodies.append(body)
                if last >= until:
                    del started[fd]
                    continue
                try:
                    request = talks[fd].send(body)
                except StopIteration:
                    del started[fd]
                    continue
                started[fd] = now()
                sockets[fd].send(request)
        return Findings(
            requests=len(self._latencies),
            requests_in_all=answers,
            seconds=(last - counted_from) / 1e9,
            cpu_seconds=time.process_time() - cpu_from,
            latencies_ns=self._latencies.tobytes(),
            unexpected=self._unexpected,
            example=self._example,
            bodies=self._bodies,
        )

    def _complain(self, status: int, body: bytes) -> None:
        self._unexpected[status] = self._unexpected.get(status, 0) + 1
        self._example = self._example or f"{status} {body[:300]!r}"


def _end_of_answer(data: bytes) -> int:
    """Where the body begins, if the answer is complete; else −1. Answers carry their length."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return -1
    at = data.find(b"content-length: ", 0, head)
    assert at >= 0, f"an answer without a length: {data[:200]!r}"
    length = int(data[at + 16 : data.index(b"\r", at + 16)])
    return head + 4 if len(data) >= head + 4 + length else -1


def main() -> None:
    size = int.from_bytes(sys.stdin.buffer.read(8))
    plan = msgspec.msgpack.decode(sys.stdin.buffer.read(size), type=Plan)
    run = _Run(plan)
    print("ready", flush=True)
    sys.stdin.buffer.readline()
    findings = run.run()
    sys.stdout.buffer.write(msgspec.msgpack.encode(findings))


if __name__ == "__main__":
    main()
