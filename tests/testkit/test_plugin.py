"""The plugin in a pytest of its own, as it is installed."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FILE = "test_bot.py"
WITHOUT = ("-p", "no:hypothesispytest", "-p", "no:anyio")
"""Plugins that take 0.2 s to import, and that no test here needs."""


def pytest_in(directory: Path, code: str, *options: str, ini: str = "") -> "subprocess.CompletedProcess[str]":
    (directory / FILE).write_text(code)
    (directory / "pytest.ini").write_text(f"[pytest]\n{ini}")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", *WITHOUT, *options],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_example_of_the_issue_runs(tmp_path: Path) -> None:
    code = (
        "def test_stop(countermand):\n"
        "    w = countermand.wallet(sol=10)\n"
        "    order = w.trigger.place('SOL', 1, 'USDC', below=120)\n"
        "    countermand.price('SOL', 119)\n"
        "    countermand.faults(lose_answers=1)\n"
        "    countermand.settle()\n"
        "    assert w.trigger.order(order)['orderState'] == 'filled'\n"
        "    countermand.assert_promise()\n"
    )
    done = pytest_in(tmp_path, code, ini="filterwarnings = error\nasyncio_default_fixture_loop_scope = function\n")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_each_worker_has_a_venue_of_its_own(tmp_path: Path) -> None:
    code = (
        "import pathlib, pytest\n"
        "@pytest.mark.parametrize('n', range(2))\n"
        "def test_alone(countermand, n):\n"
        "    (pathlib.Path(__file__).parent / f'url-{n}').write_text(countermand.url)\n"
        "    assert countermand.orders() == []\n"
    )
    done = pytest_in(tmp_path, code, "-n", "2")
    assert done.returncode == 0, done.stdout
    assert len({(tmp_path / f"url-{n}").read_text() for n in range(2)}) == 2


def test_a_venue_that_does_not_start_fails_each_test_with_its_log(tmp_path: Path) -> None:
    code = "def test_one(countermand): pass\ndef test_two(countermand): pass\ndef test_without(): pass\n"
    done = pytest_in(tmp_path, code, ini="countermand_options = --seed -1\n")
    assert done.returncode == 1
    assert "1 passed, 2 errors" in done.stdout
    assert done.stdout.count("--seed -1 is out of range") >= 2
    assert "another exception" not in done.stdout


def test_modules_of_the_project_are_not_those_of_the_venue(tmp_path: Path) -> None:
    """Such as a `token.py` beside the tests. This name is one that the venue imports, and the plugin does not."""
    (tmp_path / "asyncpg.py").write_text("raise ImportError('of the project')\n")
    done = pytest_in(tmp_path, "def test_one(countermand): assert countermand.orders() == []\n")
    assert done.returncode == 0, done.stdout


def test_the_options_count_in_each_test(tmp_path: Path) -> None:
    """A reset without a seed makes ids unpredictable; after a crash the venue is started and reset."""
    code = (
        "import pytest\n"
        "@pytest.mark.parametrize('ends_it', [False, True, False])\n"
        "def test_seed(countermand, ends_it):\n"
        "    assert countermand.state()['seed'] == 7\n"
        "    if ends_it:\n"
        "        countermand.kill()\n"
    )
    done = pytest_in(tmp_path, code, ini="countermand_options = --seed 7\n")
    assert done.returncode == 0, done.stdout


def test_a_failure_shows_what_the_venue_logged(tmp_path: Path) -> None:
    code = (
        "def test_early(countermand):\n"
        "    countermand.wallet(sol=2).trigger.place('SOL', 1, 'USDC', above=200)\n"
        "def test_fails(countermand):\n"
        "    global order\n"
        "    order = countermand.wallet(sol=2).trigger.place('SOL', 1, 'USDC', above=300)\n"
        "    print('order:', order)\n"
        "    assert False\n"
    )
    done = pytest_in(tmp_path, code)
    shown = done.stdout.partition("Log of countermand")[2]
    order = done.stdout.partition("order: ")[2].split()[0]
    assert order in shown
    assert "1 failed, 1 passed" in done.stdout


def test_a_fixture_that_fails_shows_it_too(tmp_path: Path) -> None:
    code = (
        "import pytest\n"
        "@pytest.fixture\n"
        "def placed(countermand):\n"
        "    countermand.wallet(sol=2).trigger.place('SOL', 1, 'USDC', above=300)\n"
        "@pytest.fixture\n"
        "def before(placed): assert False\n"
        "@pytest.fixture\n"
        "def after(placed):\n"
        "    yield\n"
        "    assert False\n"
        "def test_before(before): pass\n"
        "def test_after(after): pass\n"
        "def test_asks_by_name(request):\n"
        "    request.getfixturevalue('placed')\n"
        "    assert False\n"
    )
    done = pytest_in(tmp_path, code)
    assert "1 failed, 1 passed, 2 errors" in done.stdout
    logs = done.stdout.split("Log of countermand")[1:]
    assert [log.count("order_placed") for log in logs] == [1, 1, 1]


def test_nothing_is_imported_until_a_test_asks(tmp_path: Path) -> None:
    heavy = {"solders", "msgspec", "asyncpg", "countermand.testkit.venue"}
    code = f"import sys\ndef test_nothing():\n    assert not {heavy!r} & sys.modules.keys()\n"
    done = pytest_in(tmp_path, code)
    assert done.returncode == 0, done.stdout


def test_pytest_is_not_needed_to_run() -> None:
    script = "import sys; sys.modules['pytest'] = None; import countermand.cli, countermand.testkit.venue"
    commands: Sequence[str] = [sys.executable, "-c", script]
    assert subprocess.run(commands, check=False, timeout=60).returncode == 0
