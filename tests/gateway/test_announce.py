"""What `countermand serve` prints when it is ready."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from countermand.gateway.announce import announce, announce_demo, begin_announcing, end_announcing
from countermand.gateway.server import Addresses
from countermand.settings import Settings, StartRefused

DEEP = f'{{"x": {"[" * 100_000}{"]" * 100_000}}}'


@pytest.mark.parametrize("sandbox", [True, False])
def test_the_console_of_either_root_is_among_the_urls(sandbox: bool, capsys: pytest.CaptureFixture[str]) -> None:
    announce(Settings(sandbox=sandbox), Addresses("127.0.0.1", 8080, 8081), rpc=True)
    told = capsys.readouterr().out
    assert "Console:              http://127.0.0.1:8080/\n" in told
    assert ("/sandbox" in told) is sandbox


def test_a_demo_that_finds_orders_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    announce_demo(None)
    told = capsys.readouterr().out
    assert (
        told == "Demo wallet:          none: there are orders already, only prices move; a new --data has all of it\n"
    )


@pytest.mark.parametrize("before", ["", '{"url": "", "rpcUrl": null, "wsUrl": null, "pid": 1, "version": "0"}'])
def test_an_empty_file_and_an_earlier_announcement_are_removed(tmp_path: Path, before: str) -> None:
    file = tmp_path / "announced"
    file.write_text(before)
    begin_announcing(Settings(announce=file))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["[project]", "{}", '{"url": "http://127.0.0.1"}', DEEP])
def test_a_file_of_something_else_is_not_lost(tmp_path: Path, content: str) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(content)
    with pytest.raises(StartRefused, match="is a file of something else"):
        begin_announcing(Settings(announce=file))
    assert file.read_text() == content


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StartRefused, match="is a file of something else"):
        begin_announcing(Settings(announce=tmp_path / "pipe"))


@pytest.mark.parametrize("content", ["", None])
def test_a_link_is_refused_and_stays(tmp_path: Path, content: str | None) -> None:
    """`--announce /dev/stdout` of root took the link away from the whole machine, if what it leads to was empty."""
    link, file = tmp_path / "stdout", tmp_path / "file"
    link.symlink_to(file)
    if content is not None:
        file.write_text(content)
    with pytest.raises(StartRefused, match="is a link"):
        begin_announcing(Settings(announce=link))
    end_announcing(Settings(announce=link))
    assert link.is_symlink()


def test_a_start_with_a_pipe_ends(tmp_path: Path) -> None:
    """It was refused, and then read until a client would have written."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    done = subprocess.run(
        [sys.executable, "-m", "countermand", "serve", "--port", "0", "--data", tmp_path / "data", "--announce", pipe],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is a file of something else" in done.stderr
