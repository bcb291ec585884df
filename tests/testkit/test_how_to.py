"""The tests of the how-to page pass as they are written there."""

import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks
from tests.testkit.test_exec import exec_
from tests.testkit.test_plugin import pytest_in

OTHERS = ROOT / "docs" / "how-to" / "test-in-any-language.md"
PAGE = ROOT / "docs" / "how-to" / "test-with-pytest.md"


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    code = [block.code for block in blocks(PAGE) if block.language == "py"]
    (ini,) = (block.code for block in blocks(PAGE) if block.language == "ini")
    done = pytest_in(tmp_path, "\n".join(code), ini=ini.removeprefix("[pytest]\n"))
    assert done.returncode == 0, done.stdout
    assert f"{''.join(code).count('def test_')} passed" in done.stdout


def test_the_javascript_of_the_page_finds_its_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the options that the workflow of the page gives."""
    (code,) = (block.code for block in blocks(OTHERS) if block.language == "js")
    script = f"{code}\nconsole.log((await sandbox('GET', '')).tokens[0].price);"
    node = ["node", "--input-type=module", "--eval", script]
    (workflow,) = (block.code for block in blocks(OTHERS) if block.language == "yaml")
    (options,) = re.findall(r"countermand exec (.*) -- npm test", workflow)
    monkeypatch.chdir(tmp_path)
    done = exec_(*node, options=options.split())
    assert (done.returncode, done.stdout, done.stderr) == (0, "119\n", "")
    assert "all orders are loaded" in (tmp_path / "sandbox.log").read_text()


def test_the_javascript_of_the_page_fails_where_the_sandbox_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt token cannot make it pass."""
    (code,) = (block.code for block in blocks(OTHERS) if block.language == "js")
    monkeypatch.chdir(tmp_path)
    done = exec_("node", "--input-type=module", "--eval", code.replace("SOL:", "SOLL:"))
    assert done.returncode == 1
    assert "PUT /sandbox/prices: SOLL: no token of this venue; did you mean SOL?" in done.stderr
