"""Blocks of the documentation can be pasted one by one: into Python's prompt up to 3.12, and into a shell. Case A7."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import DEFAULT_URL, PAGES, ROOT, Block, Prompt, blocks
from tests.end_to_end.venue import SOL, Venue, running_venue

README = ROOT / "README.md"
SYSTEMD = ROOT / "docs" / "how-to" / "systemd.md"
RUN_A_VENUE = ROOT / "docs" / "how-to" / "run-a-venue.md"
PYTHON = [(page, block) for page in PAGES for block in blocks(page) if block.language.split()[0] == "python"]
SHELL = [(page, block) for page in PAGES for block in blocks(page) if block.language == "sh"]


def named(value: object) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else str(getattr(value, "line", value))


class Compiling(Prompt):
    def runcode(self, _code: object) -> None:
        pass


def complaint_about(code: str) -> str:
    """Without running anything: each statement is only compiled."""
    prompt = Compiling({})
    prompt.paste(code)
    return prompt.complaint


@pytest.mark.parametrize(("page", "block"), PYTHON, ids=named)
def test_every_block_of_python_pastes_into_the_prompt(page: Path, block: Block) -> None:
    """A7: also those that the tests do not run."""
    assert not complaint_about(block.code)


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    1\nexcept OSError:\n    2\nprint()\n",
        "while False:\n    1\nprint()\n",
        "def f():\n    x = 1\n\n    return x\n",
        "class A:\n    def f(self):\n        pass\n\n    def g(self):\n        pass\n",
        "def f():\n    return 1\n",
        "if True:\n    1\nelse:\n    2\n",
    ],
)
def test_what_does_not_paste_is_seen(code: str) -> None:
    """A7: each is a program, and none is a paste."""
    compile(code, "a file", "exec")
    assert complaint_about(code)


def test_the_example_of_the_readme_runs_as_it_is_pasted(documented: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A7."""
    monkeypatch.setattr(sys, "argv", [""])  # As in a prompt.
    documented.ask("POST", "/sandbox/reset", {}).ok()
    (block,) = (block for page, block in PYTHON if page == README)
    prompt, printed = Prompt({}), io.StringIO()
    with contextlib.redirect_stdout(printed):
        prompt.paste(block.code.replace(DEFAULT_URL, documented.url))
    assert not prompt.complaint
    assert "With the funds back: the wallet has 3.99" in printed.getvalue()


@pytest.mark.parametrize(("page", "block"), SHELL, ids=named)
def test_every_block_of_shell_is_one(page: Path, block: Block) -> None:
    """A7. The shell of macOS knows no comments at its prompt: it would take them for arguments."""
    code = block.code
    checked = subprocess.run(["bash", "-n", "-c", code], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert not re.search(r"(^|\s)#", code)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """A name that it does not know is a line, and no failure."""
    (unit,) = (block.code for block in blocks(SYSTEMD) if block.language == "ini")
    file = tmp_path / "countermand.service"
    file.write_text(unit.replace("/opt/countermand/bin/countermand", sys.executable))
    checked = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_venue_is_run_as_its_page_says(tmp_path: Path) -> None:
    """One shell runs all blocks but those that start a venue, which would not end."""
    with running_venue(tmp_path, "--no-sandbox") as venue:
        data = str(tmp_path / "data")
        commands = [block.code for page, block in SHELL if page == RUN_A_VENUE and "serve" not in block.code]
        assert len(commands) == 2
        pasted = "\n".join(commands).replace(DEFAULT_URL, venue.url).replace("./venue", data)
        pasted = pasted.replace("curl ", "curl -sS --fail-with-body ")
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-eu", "-c", pasted], capture_output=True, text=True, timeout=60, check=False, env={"PATH": path}
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert f'"{SOL.mint}":"151.25"' in done.stdout


def test_the_commands_that_move_the_world_are_taken(documented: Venue) -> None:
    """A7. But for those that end the venue."""
    taken = 0
    for page, block in SHELL:
        if page == RUN_A_VENUE or "curl" not in block.code or "crash" in block.code:
            continue
        pasted = block.code.replace(DEFAULT_URL, documented.url).replace("curl ", "curl -sS --fail-with-body ")
        done = subprocess.run(["bash", "-eu", "-c", pasted], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (page, block.line, done.stdout, done.stderr)
        taken += 1
    assert taken
    documented.ask("PUT", "/sandbox/faults", {}).ok()
