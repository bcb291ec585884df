"""The tests of the how-to page pass as they are written there."""

from pathlib import Path

from tests.docs.blocks import ROOT, blocks
from tests.testkit.test_plugin import pytest_in

PAGE = ROOT / "docs" / "how-to" / "test-with-pytest.md"


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    code = [block.code for block in blocks(PAGE) if block.language == "py"]
    (ini,) = (block.code for block in blocks(PAGE) if block.language == "ini")
    done = pytest_in(tmp_path, "\n".join(code), ini=ini.removeprefix("[pytest]\n"))
    assert done.returncode == 0, done.stdout
    assert f"{len(code)} passed" in done.stdout
