"""`countermand exec`: a command beside a sandbox of its own. And how `serve` announces itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.end_to_end.venue import running_venue

COUNTERMAND = (sys.executable, "-m", "countermand")
SHOWS_ITS_URLS = (
    "import json, os, urllib.request as http\n"
    "told = {name: value for name, value in os.environ.items() if name.startswith('COUNTERMAND_')}\n"
    "told['now'] = json.load(http.urlopen(told['COUNTERMAND_URL'] + '/sandbox'))['now']\n"
    "print(json.dumps(told))\n"
)


def exec_(*command: str, options: Sequence[str] = (), **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COUNTERMAND, "exec", *options, "--", *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environ},
    )


def answers(url: str) -> bool:
    try:
        return bool(urlopen(f"{url}/health/live", timeout=20).status == 200)
    except OSError:
        return False


def gone(url: str) -> bool:
    deadline = time.monotonic() + 60
    while answers(url):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_command_finds_its_sandbox_and_passes_its_status_on(tmp_path: Path) -> None:
    done = exec_(
        sys.executable,
        "-c",
        f"{SHOWS_ITS_URLS}raise SystemExit(7)",
        TMPDIR=str(tmp_path),
        COUNTERMAND_PORT="1",
        COUNTERMAND_DATA="/nowhere",
    )
    assert (done.returncode, done.stderr) == (7, "")
    told = json.loads(done.stdout)
    url = told["COUNTERMAND_URL"]
    assert told["COUNTERMAND_RPC_URL"] == f"{url}/rpc"
    assert told["COUNTERMAND_WS_URL"] == f"{url.replace('http', 'ws')}/rpc"
    assert told["now"] > 0
    assert not answers(url)
    assert not list(tmp_path.iterdir())


def test_signals_are_passed_on() -> None:
    script = "trap 'echo got TERM; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen([*COUNTERMAND, "exec", "--", "sh", "-c", script], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        run.send_signal(signal.SIGTERM)
        assert run.communicate(timeout=60)[0] == "got TERM\n"
    assert run.returncode == 5


def test_a_killed_command_ends_as_shells_show_it() -> None:
    assert exec_("sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL


def test_the_sandbox_ends_with_a_parent_that_is_killed() -> None:
    script = f"{SHOWS_ITS_URLS}import sys, time; sys.stdout.flush(); time.sleep(600)"
    with subprocess.Popen(
        [*COUNTERMAND, "exec", "--", sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, process_group=0
    ) as run:
        assert run.stdout is not None
        url = json.loads(run.stdout.readline())["COUNTERMAND_URL"]
        assert answers(url)
        os.killpg(run.pid, signal.SIGKILL)
    assert gone(url)


def test_a_command_that_is_not_there_is_127() -> None:
    done = exec_("no-such-command-at-all")
    assert done.returncode == 127
    assert done.stderr == "countermand: exec: no-such-command-at-all: no such command\n"


@pytest.mark.parametrize(
    ("options", "command", "words"),
    [((), (), "no command; give one after --"), (("--seed", "-1"), ("true",), "the sandbox did not start")],
)
def test_what_cannot_run_is_2(options: tuple[str, ...], command: tuple[str, ...], words: str) -> None:
    done = exec_(*command, options=options)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    if options:
        assert "--seed -1 is out of range" in done.stderr, "the log is shown"


def test_the_log_goes_where_it_is_asked_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert exec_("true", options=["--log-file", str(log)]).returncode == 0
    assert [line for line in log.read_text().splitlines() if json.loads(line)["event"] == "listening"]


def test_a_venue_announces_itself_while_it_serves(tmp_path: Path) -> None:
    file = tmp_path / "announced"
    file.write_text('{"url": "of an earlier start", "rpcUrl": null, "wsUrl": null, "pid": 1, "version": "0"}')
    with running_venue(tmp_path, "--announce", str(file)) as venue:
        told = json.loads(file.read_text())
        assert told == {
            "url": venue.url,
            "rpcUrl": f"{venue.url}/rpc",
            "wsUrl": f"{venue.url.replace('http', 'ws')}/rpc",
            "pid": venue.process.pid,
            "version": told["version"],
        }
        second = ["--port", str(urlsplit(venue.url).port), "--data", str(tmp_path / "other"), "--announce", str(file)]
        started = subprocess.run([*COUNTERMAND, "serve", *second], capture_output=True, timeout=60, check=False)
        assert started.returncode == 2
        assert json.loads(file.read_text()) == told, "a start that is refused leaves the venue's that has the port"
    assert not file.exists()
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".announced")]


def test_an_announcement_that_cannot_be_written_refuses_the_start(tmp_path: Path) -> None:
    started = subprocess.run(
        [*COUNTERMAND, "serve", "--port", "0", "--announce", str(tmp_path / "none" / "file")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (started.returncode, started.stderr.count("\n")) == (2, 1)
    assert "cannot be written" in started.stderr
