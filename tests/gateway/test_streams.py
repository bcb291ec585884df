"""B4 and B9: what a command writes when its standard streams are closed, full, stalled, or have no reader."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from countermand.cli.streams import LossyStream, ReportStream
from countermand.settings import StartRefused
from tests.forked import CLOSED, COUNTERMAND, run
from tests.solana import published_transactions as published

ROOT = Path(__file__).parents[2]
LINE = "x" * 99 + "\n"


@dataclass
class Pipe:
    reading: int
    writing: int

    def read(self) -> str:
        return os.read(self.reading, 1 << 20).decode()

    def loses_its_reader(self) -> None:
        os.close(self.reading)
        self.reading = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe(*os.pipe())
    fcntl.fcntl(pipe.writing, fcntl.F_SETPIPE_SZ, 8_192)
    yield pipe
    for end in (pipe.reading, pipe.writing):
        if end != -1:
            os.close(end)


def test_a_log_is_written_as_it_is(pipe: Pipe) -> None:
    log = LossyStream(pipe.writing)
    log.write("an event\n")
    log.write("half an order \ud800 of \u20ac\n")
    assert pipe.read() == "an event\nhalf an order \\ud800 of \u20ac\n"
    assert log.lost == 0


def test_without_a_reader_lines_are_counted(pipe: Pipe) -> None:
    pipe.loses_its_reader()
    told: list[int] = []
    log = LossyStream(pipe.writing)
    log.on_loss = told.append
    log.write(LINE)
    log.write("a traceback\nof three\nlines\n")
    log.write("")
    assert (log.lost, told) == (4, [1, 3])


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    with Path("/dev/full").open("wb") as full:
        log = LossyStream(full.fileno())
        log.write(LINE)
        log.flush()
    assert log.lost == 1


def test_a_reader_that_stalls_costs_lines_and_the_next_begins_anew(pipe: Pipe) -> None:
    log = LossyStream(pipe.writing)
    long = "y" * 20_000 + "\n"
    log.write(long)
    for _ in range(200):
        log.write(LINE)
    assert log.lost == 201
    assert pipe.read() == long[:8_192]
    log.write(LINE)
    assert pipe.read() == "\n" + LINE
    log.write(LINE)
    assert pipe.read() == LINE


def test_a_closed_log_is_lost(pipe: Pipe) -> None:
    log = LossyStream(pipe.writing, opened=False)
    log.write(LINE)
    assert log.lost == 1


def test_a_report_ends_with_its_reader(pipe: Pipe) -> None:
    pipe.loses_its_reader()
    with pytest.raises(SystemExit) as ended:
        ReportStream(pipe.writing).write(LINE)
    assert ended.value.code == 141


def test_a_report_that_cannot_be_written_is_refused() -> None:
    with Path("/dev/full").open("wb") as full, pytest.raises(StartRefused, match="No space left on device"):
        ReportStream(full.fileno()).write(LINE)


# --- whole commands

WITHOUT_AN_ENGINE = (
    "import countermand.cli.serve, tests.gateway.venue as stand_in; "
    f"countermand.cli.serve.app = stand_in.app_module; {COUNTERMAND}"
)
"""Behind `serve`."""
REPORTS = [
    ["--help"],
    ["--version"],
    ["serve", "--help"],
    ["audit", "--help"],
    ["simulate", "--chain", "model", "--seeds", "1..2", "--steps", "20"],
    ["simulate", "--book", "--steps", "20"],
    ["explain", published.TRIGGER_CANCEL_FIVE],
]
UNREAD = [
    ("| cat", 0, ""),
    ("| (sleep 0.01)", 141, ""),
    (">&-", 0, ""),
    (">/dev/full", 2, "countermand: standard output cannot be written: No space left on device\n"),
]
UNSAID = ["2>&-", "2>/dev/full", "2> >(true)", "2>&- >&-", "<&- >&- 2>&-"]


def shell(redirected: str, *arguments: str) -> tuple[int, str]:
    """The exit status, and what came out of standard error, of a new interpreter in a real shell."""
    reading, writing = os.pipe()
    script = f'exec 9>&{writing}; ( "$@"; echo $? >&9 ) {redirected}'
    done = subprocess.run(
        ["bash", "-c", script, "countermand", sys.executable, "-c", COUNTERMAND, *arguments],
        cwd=ROOT,
        pass_fds=(writing,),
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(writing)
    with os.fdopen(reading) as told:
        return int(told.read()), done.stderr


REDIRECTED: Mapping[str, Mapping[str, str]] = {
    "| cat": {},
    "| (sleep 0.01)": {"stdout": "without a reader"},
    ">&-": {"stdout": "closed"},
    ">/dev/full": {"stdout": "full"},
    "2>&-": {"stderr": "closed"},
    "2>/dev/full": {"stderr": "full"},
    "2> >(true)": {"stderr": "without a reader"},
    "2>&- >&-": {"stdout": "closed", "stderr": "closed"},
    "<&- >&- 2>&-": {"stdin": "closed", "stdout": "closed", "stderr": "closed"},
    ">/dev/full 2>/dev/full": {"stdout": "full", "stderr": "full"},
}
"""What a shell does, done without it."""


def forked(redirected: str, *arguments: str, program: str = COUNTERMAND) -> tuple[int, str]:
    """As `shell`, without the start of an interpreter."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as left, Path("/dev/full").open("wb") as full:
        known = {"without a reader": left.fileno(), "full": full.fileno(), "closed": CLOSED}
        streams = {name: known[how] for name, how in REDIRECTED[redirected].items()}
        done = run(program, *arguments, seconds=30, redirected=streams)
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", REPORTS)
@pytest.mark.parametrize(("redirected", "status", "words"), UNREAD)
def test_a_report_that_is_not_read(arguments: list[str], redirected: str, status: int, words: str) -> None:
    """B9: quiet, and never the status of something else."""
    assert forked(redirected, *arguments) == (status, words)


@pytest.mark.parametrize(("redirected", "status", "words"), UNREAD)
def test_a_report_of_a_new_interpreter_that_is_not_read(redirected: str, status: int, words: str) -> None:
    assert shell(redirected, "explain", published.TRIGGER_CANCEL_FIVE) == (status, words)


@pytest.mark.parametrize("redirected", UNSAID)
@pytest.mark.parametrize("arguments", [["serve", "--prot", "1"], ["explain", "AAAA"], ["serve", "--data", "/busy"]])
def test_a_refusal_that_cannot_be_said_keeps_its_status(arguments: list[str], redirected: str) -> None:
    assert forked(redirected, *arguments, program=WITHOUT_AN_ENGINE)[0] == 2


@pytest.mark.parametrize("redirected", UNSAID)
def test_a_refusal_of_a_new_interpreter_keeps_its_status(redirected: str) -> None:
    assert shell(redirected, "explain", "AAAA")[0] == 2


def test_a_key_that_would_not_be_seen_is_not_made(tmp_path: Path) -> None:
    """It is refused before the database is looked for."""
    status, words = shell(">&-", "keys", "add", "--scopes", "read", "--data", str(tmp_path))
    assert (status, words) == (2, "countermand: standard output is closed, and the key could not be shown\n")


LIBRARY = r"""
import asyncio, logging, sys, traceback
from countermand.cli.logs import configure_logs
from countermand.cli.streams import adopt_standard_streams, lose_what_cannot_be_printed

adopt_standard_streams()
lose_what_cannot_be_printed()
configure_logs(sys.argv[1], "info")
for _ in range(100):
    try:
        raise ZeroDivisionError("\ud800")
    except ZeroDivisionError:
        logging.getLogger("asyncio").exception("a library says")
        logging.getLogger("asyncio").error("one argument %s of two %s", 1)
        traceback.print_exc()
        print("to standard output")
lost = [stream.lost for stream in (sys.stderr, sys.stdout)]
sys.exit(0 if sys.argv[2] == str([number > 0 for number in lost]) else 1)
"""


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    ("redirected", "loses"),
    [
        ("2>/dev/full", [True, False]),
        ("2>&-", [True, False]),
        (">/dev/full", [False, True]),
        (">/dev/full 2>/dev/full", [True, True]),
    ],
)
def test_what_libraries_log_is_lost_as_quietly(form: str, redirected: str, loses: list[bool]) -> None:
    assert forked(redirected, form, str(loses), program=LIBRARY)[0] == 0
