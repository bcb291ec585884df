"""Processes that are forked from one that has imported Countermand are processes like others."""

import os
import signal
import subprocess

import pytest

from tests.forked import CLOSED, Forked, Forker, run

TELLS = "import os, sys; print(sys.argv[1:], os.environ.get('WHO'), sys.stdin.read()); sys.exit(7)"
SHOWS = "import sys; print(*sys.modules)"


def test_it_has_arguments_streams_an_environment_and_a_status_of_its_own() -> None:
    done = run(TELLS, "a", "b c", seconds=10, environ={"WHO": "me"}, given="read")
    assert (done.returncode, done.stdout, done.stderr) == (7, "['a', 'b c'] me read\n", "")
    assert "ZeroDivisionError" in run("1 / 0", seconds=10).stderr


def test_it_knows_nothing_of_one_before_it() -> None:
    assert run("import countermand.settings as s; s.changed = 1", seconds=10).returncode == 0
    assert run("import countermand.settings as s; assert not hasattr(s, 'changed')", seconds=10).returncode == 0


def test_it_can_be_killed() -> None:
    with Forked("import os, time; print(os.getpid(), flush=True); time.sleep(60)") as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid != os.getpid()
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.kill()
        assert process.wait(10) == process.poll() == -signal.SIGKILL


def test_its_streams_can_be_closed_when_it_begins() -> None:
    program = "import os, sys; assert sys.stdin is sys.stdout is None; assert os.open(os.devnull, os.O_RDWR) == 0"
    assert run(program, seconds=10, redirected={"stdin": CLOSED, "stdout": CLOSED}).returncode == 0


def test_another_forker_has_imported_something_else() -> None:
    assert "countermand.cli.serve" not in run(SHOWS, seconds=10, forker=Forker("wave")).stdout.split()
    assert "countermand.cli.serve" in run(SHOWS, seconds=10).stdout.split()
