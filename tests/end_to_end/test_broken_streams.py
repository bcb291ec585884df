"""B4: a log that cannot be written stops no order, and neither does an output that is not read."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import tempfile
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
from tests.forked import COUNTERMAND, Forked

SHELL: Final = ("bash", "-c")
CANNOT_RUN: Final = 2


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
def serving(data: Path, redirected: str, *options: str) -> Iterator[Venue]:
    """A venue in a new interpreter, whose standard streams are as the shell's words make them."""
    words = words_for(data, *options)
    command = [*SHELL, f'exec "$@" {redirected}', "venue", *LAUNCH, *words]
    with subprocess.Popen(command, text=True) as process:
        yield from served(process, words)


@contextmanager
def writing_to(data: Path, *options: str, stdout: int = 1, stderr: int = 2) -> Iterator[Venue]:
    """One that is forked, whose standard streams are open, whatever comes of writing to them."""
    words = words_for(data, *options)
    with Forked(COUNTERMAND, "serve", *words, stdout=stdout, stderr=stderr) as process:
        yield from served(process, words)


def words_for(data: Path, *options: str) -> list[str]:
    gets_cluster(data / "data")
    port = str(free_pair())
    return ["--port", port, "--data", str(data / "data"), "--confirm-timeout-ms", "300", *options]


def served(process: "subprocess.Popen[str] | Forked", words: list[str]) -> Iterator[Venue]:
    """Its address is not read from its streams."""
    venue = Venue(f"http://127.0.0.1:{words[1]}", process, Path("no log"))
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


@contextmanager
def opened(target: str) -> Iterator[int]:
    """A file, or a pipe to a command that reads a little of it, or to none."""
    if target.startswith("/"):
        with Path(target).open("w") as file:
            yield file.fileno()
        return
    with subprocess.Popen([*SHELL, target], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader:
        assert reader.stdin is not None
        yield reader.stdin.fileno()


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


FORMS: Final = pytest.mark.parametrize("form", ["json", "console"])


@FORMS
def test_a_log_that_is_closed_stops_no_order(tmp_path: Path, form: str) -> None:
    with serving(tmp_path, "2>&-", "--log", form, *LOUD) as venue:
        stops_no_order(venue)


@FORMS
@pytest.mark.parametrize("target", ["/dev/full", "head -1", "true"])
def test_a_log_that_cannot_be_written_stops_no_order(tmp_path: Path, target: str, form: str) -> None:
    with opened(target) as stderr, writing_to(tmp_path, "--log", form, *LOUD, stderr=stderr) as venue:
        stops_no_order(venue)


def stops_no_order(venue: Venue) -> None:
    before = lost_lines(venue, "stderr")
    trades(venue)
    assert lost_lines(venue, "stderr") > before


@pytest.mark.parametrize("redirected", [">&-", ">&- 2>&- <&-"])
def test_urls_that_have_nowhere_to_go_stop_no_order(tmp_path: Path, redirected: str) -> None:
    with serving(tmp_path, redirected, *LOUD) as venue:
        trades(venue)
        assert lost_lines(venue, "stdout") == 0


@pytest.mark.parametrize("target", ["/dev/full", "true"])
def test_urls_that_cannot_be_printed_stop_no_order(tmp_path: Path, target: str) -> None:
    with opened(target) as stdout, writing_to(tmp_path, *LOUD, stdout=stdout) as venue:
        trades(venue)
        assert lost_lines(venue, "stdout") > 0


def test_a_log_whose_reader_has_stalled_stops_no_order(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4_096)
    try:
        with writing_to(tmp_path, "--log", "json", *LOUD, stderr=writing) as venue:
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


@pytest.mark.parametrize(("target", "status"), [("cat", 0), ("true", 128 + signal.SIGPIPE), ("/dev/full", CANNOT_RUN)])
def test_an_audit_whose_output_is_not_read(traded: Path, target: str, status: int) -> None:
    """B9: quiet, and not 1, which would mean that something differs."""
    with opened(target) as stdout:
        ended, words = ends_with(stdout, "audit", "--data", str(traded))
    assert (ended, words.count("\n")) == (status, 1 if status == CANNOT_RUN else 0)


def test_an_audit_that_can_print_nothing(traded: Path) -> None:
    """B9."""
    audit = [*SHELL, '"$@" >&-', "audit", *LAUNCH[:-1], "audit", "--data", str(traded)]
    done = subprocess.run(audit, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def ends_with(stdout: int, *words: str) -> tuple[int, str]:
    """The status of a command that prints there, as a shell tells it, and what it says besides."""
    with tempfile.TemporaryFile("w+") as said, Forked(COUNTERMAND, *words, stdout=stdout, stderr=said.fileno()) as it:
        status = it.wait(READY_S)
        said.seek(0)
        return status if status >= 0 else 128 - status, said.read()


def test_a_start_that_is_refused_keeps_its_status(tmp_path: Path) -> None:
    """It says why where it can."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    with taken:
        words = ["--port", str(taken.getsockname()[1]), "--data", str(tmp_path)]
        for redirected in ("2>&-", "2>&- >&-"):
            command = [*SHELL, f'"$@" {redirected}', "venue", *LAUNCH, *words]
            done = subprocess.run(command, capture_output=True, check=False)
            assert (done.returncode, done.stdout) == (CANNOT_RUN, b"")
        for target in ("/dev/full", "true"):
            with opened(target) as stderr, tempfile.TemporaryFile() as told:
                with Forked(COUNTERMAND, "serve", *words, stdout=told.fileno(), stderr=stderr) as venue:
                    assert venue.wait(READY_S) == CANNOT_RUN
                told.seek(0)
                assert told.read() == b""
