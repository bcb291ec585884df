"""B4: a log that cannot be written stops no order, and neither does an output that nobody reads."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.clusters import gets_cluster
from tests.end_to_end.conftest import with_funds
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import LAUNCH, READY_S, SOL, LostAnswer, Venue, running_venue

SHELL: Final = ("bash", "-c")


def free_pair() -> int:
    """A port that is free, as is the next one; below those that the system gives to connections and to port 0."""
    for port in range(10_000 + os.getpid() * 10 % 20_000, 32_000, 2):
        try:
            for each in (port, port + 1):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", each))
        except OSError:
            continue
        return port
    raise AssertionError("no pair of ports is free")


@contextmanager
def serving(data: Path, redirected: str, *options: str, stderr: int | None = None) -> Iterator[Venue]:
    """A venue whose standard streams are as the shell's words make them; its address is not read from them."""
    port = free_pair()
    gets_cluster(data / "data")
    words = [*LAUNCH, "--port", str(port), "--data", str(data / "data"), "--confirm-timeout-ms", "300", *options]
    command = [*SHELL, f'exec "$@" {redirected}', "venue", *words]
    with subprocess.Popen(command, stderr=stderr, text=True) as process:
        venue = Venue(f"http://127.0.0.1:{port}", process, data / "no log")
        try:
            wait_until_ready(venue)
            yield venue
            venue.hang_up()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            venue.hang_up()
            if process.poll() is None:
                process.kill()


def wait_until_ready(venue: Venue) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert venue.process.poll() is None, f"it left with {venue.process.returncode}"
        try:
            if venue.ask("GET", "/health/ready").status == 200:
                return
        except LostAnswer:
            time.sleep(0.05)
    raise AssertionError(f"not ready within {READY_S} s")


def lost_lines(venue: Venue, stream: str) -> float:
    shown = venue.ask("GET", "/metrics").raw.decode()
    found = re.search(rf'^countermand_output_lines_lost_total{{stream="{stream}"}} (\S+)$', shown, re.MULTILINE)
    assert found is not None
    return float(found[1])


def trades(venue: Venue) -> None:
    """An order is placed and cancelled, another fills."""
    venue.price(SOL, "150")
    alice = with_funds(Trader(venue))
    order = alice.places(single(sell=1 * SOL, above=200))
    assert alice.confirms(order, alice.cancels(order)).status == 200
    assert alice.state_of(order) == "cancelled"
    filled = alice.places(single(sell=1 * SOL, above=200))
    venue.price(SOL, "250")
    venue.settles()
    assert alice.state_of(filled) == "filled"


LOUD: Final = ("--log-level", "debug")


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", "2> >(head -1 >/dev/null)", "2> >(true)"])
def test_a_log_that_cannot_be_written_stops_no_order(tmp_path: Path, redirected: str, form: str) -> None:
    with serving(tmp_path, redirected, "--log", form, *LOUD) as venue:
        before = lost_lines(venue, "stderr")
        trades(venue)
        assert lost_lines(venue, "stderr") > before


@pytest.mark.parametrize("redirected", [">&-", ">/dev/full", "> >(true)", ">&- 2>&- <&-"])
def test_urls_that_cannot_be_printed_stop_no_order(tmp_path: Path, redirected: str) -> None:
    with serving(tmp_path, redirected, *LOUD) as venue:
        trades(venue)
        assert (lost_lines(venue, "stdout") > 0) is not redirected.startswith(">&-")


def test_a_log_whose_reader_has_stalled_stops_no_order(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4_096)
    try:
        with serving(tmp_path, "", "--log", "json", *LOUD, stderr=writing) as venue:
            fills_up(venue)
            trades(venue)
            os.read(reading, 4_096)
            trades(venue)
            assert os.read(reading, 4_096)  # It goes on as soon as it can.
    finally:
        os.close(reading)
        os.close(writing)


def fills_up(venue: Venue) -> None:
    while not lost_lines(venue, "stderr"):
        trades(venue)


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a venue that has ended."""
    folder = tmp_path_factory.mktemp("traded")
    with running_venue(folder) as venue:
        trades(venue)
    return folder / "data"


@pytest.mark.parametrize(("redirected", "status"), [("| cat", 0), ("| true", 141), (">&-", 0), (">/dev/full", 2)])
def test_an_audit_that_nobody_reads(traded: Path, redirected: str, status: int) -> None:
    """B9: quiet, and not 1, which would mean that something differs."""
    audit = [*LAUNCH[:-1], "audit", "--data", str(traded)]
    script = f'( "$@"; echo $? >&2 ) {redirected}'
    done = subprocess.run([*SHELL, script, "audit", *audit], capture_output=True, text=True, check=False)
    words, told = done.stderr.splitlines()[:-1], int(done.stderr.splitlines()[-1])
    assert (told, len(words)) == (status, 1 if status == 2 else 0)


def test_a_start_that_is_refused_keeps_its_status(tmp_path: Path) -> None:
    """It says why where it can."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    with taken:
        words = [*LAUNCH, "--port", str(taken.getsockname()[1]), "--data", str(tmp_path)]
        for redirected in ("2>&-", "2>/dev/full", "2> >(true)", "2>&- >&-"):
            done = subprocess.run([*SHELL, f'"$@" {redirected}', "venue", *words], capture_output=True, check=False)
            assert (done.returncode, done.stdout) == (2, b"")
