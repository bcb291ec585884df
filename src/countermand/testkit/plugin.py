"""The pytest plugin: the fixture `countermand`.

It is loaded wherever Countermand is installed, so it imports nothing until a test asks for the fixture.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from countermand.testkit.venue import Countermand

_OPTIONS = "countermand_options"
_LOG = pytest.StashKey["tuple[_Sandbox, int]"]()
"""Of a test: its sandbox, and how long the log was when the test began."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(_OPTIONS, "options of `countermand serve` for the fixture `countermand`", type="args", default=[])


@pytest.fixture(scope="session")
def _countermand_sandbox(pytestconfig: pytest.Config) -> "Iterator[_Sandbox]":
    """One process for the session, or for each worker of pytest-xdist."""
    with TemporaryDirectory(prefix="countermand-", ignore_cleanup_errors=True) as directory:
        sandbox = _Sandbox(Path(directory), pytestconfig.getini(_OPTIONS))
        yield sandbox
        sandbox.stop()


@pytest.fixture
def countermand(_countermand_sandbox: "_Sandbox", request: pytest.FixtureRequest) -> "Countermand":
    """A sandbox of Countermand, empty: no orders, no balances, no faults, first prices, a running clock.

    w = countermand.wallet(sol=10); countermand.price("SOL", 119); countermand.faults(lose_answers=1);
    countermand.advance(seconds=60); countermand.settle(); countermand.assert_promise()
    """
    venue = _countermand_sandbox.clean()
    request.node.stash[_LOG] = (_countermand_sandbox, _countermand_sandbox.log_length())
    return venue


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails, or one of its fixtures, shows what the sandbox logged meanwhile."""
    report = yield
    if report.failed and _LOG in item.stash:
        sandbox, start = item.stash[_LOG]
        report.sections.append(("Log of countermand", sandbox.log_since(start)))
    return report


class _Sandbox:
    """The process, which is started by the first test, and again by the next one if a test has ended it."""

    def __init__(self, directory: Path, options: list[str]) -> None:
        from countermand.testkit.process import SandboxProcess  # noqa: PLC0415

        self._process = SandboxProcess(directory, options)
        self._venue: Countermand | None = None
        self._seed: int | None = None
        """Of the options: a reset without one makes ids unpredictable."""
        self._problem: str | None = None

    def clean(self) -> "Countermand":
        from countermand.testkit.http import LostAnswer, RequestRefused  # noqa: PLC0415
        from countermand.testkit.process import SandboxNotStarted  # noqa: PLC0415
        from countermand.testkit.venue import Countermand  # noqa: PLC0415

        if self._problem is not None:
            pytest.fail(self._problem, pytrace=False)
        try:
            if self._venue is None:
                self._venue = Countermand(self._process)
                self._seed = self._venue.state()["seed"]
                return self._venue
            try:
                self._venue.reset(seed=self._seed)
            except LostAnswer:  # The test before has ended it.
                self._venue.restart()
                self._venue.reset(seed=self._seed)
        except SandboxNotStarted as problem:
            self._problem = str(problem)
            raise pytest.fail.Exception(self._problem, pytrace=False) from None
        except (LostAnswer, RequestRefused) as problem:
            said = f"{problem}; the sandbox's log ends with:\n{self._process.last_lines()}"
            raise pytest.fail.Exception(said, pytrace=False) from None
        return self._venue

    def stop(self) -> None:
        if self._venue is not None:
            self._venue.close()
        self._process.stop()

    def log_length(self) -> int:
        return self._process.log.stat().st_size

    def log_since(self, start: int) -> str:
        with self._process.log.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace").rstrip() or "(nothing)"
