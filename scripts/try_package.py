"""Builds the package as it would be published, and uses it as a user would who has nothing but it.

.venv/bin/python -m scripts.try_package [PYTHON …]

The sdist is made of the repository, and the wheel of the sdist. For each Python, by default the one that runs this, the
wheel is installed into an empty environment beside what a bot may have, `solana` 0.36 and aiohttp 3.12, and from there

- a venue is started, and its page, its documents and its health are asked for;
- two tests with the fixture are run, one of which uses solana-py;
- a command is run by `countermand exec`.

The exit status is 1 when something of it fails.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parents[1]
BESIDE: Final = ("solana==0.36.6", "aiohttp<3.13", "pytest")
BUILT_WITH: Final = "build==1.6.1"
TESTS: Final = """
from solana.rpc.api import Client


def test_a_stop_fills_below_its_price(countermand):
    w = countermand.wallet(sol=10)
    order = w.trigger.place("SOL", 2, "USDC", below=120)
    countermand.price("SOL", "119.50")
    countermand.settle()
    assert w.trigger.order(order)["orderState"] == "filled"
    countermand.assert_promise()


def test_the_bots_own_client_reads_the_chain(countermand):
    w = countermand.wallet(sol=3)
    assert Client(countermand.rpc_url).get_balance(w.keypair.pubkey()).value == 3_000_000_000
"""
ASKS: Final = """
import os, urllib.request
for path in ("/", "/docs", "/docs/swagger-ui-bundle.js", "/openapi/sandbox.json", "/health/ready"):
    assert urllib.request.urlopen(os.environ["COUNTERMAND_URL"] + path).status == 200, path
print("asked")
"""


class Fails(Exception):
    """With what was printed."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.try_package", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pythons", nargs="*", default=[sys.executable], metavar="PYTHON")
    pythons: list[str] = parser.parse_args().pythons
    with TemporaryDirectory(prefix="package-") as made:
        directory = Path(made)
        directory.chmod(0o755)  # PostgreSQL, which is never root, is in there.
        try:
            wheel = build(directory / "built")
            for number, python in enumerate(pythons):
                use(wheel, python, directory / str(number))
        except Fails as failed:
            sys.exit(str(failed))


def build(directory: Path) -> Path:
    """Returns the wheel. The sdist is beside it."""
    tools = _environment(sys.executable, directory.with_name("tools"), BUILT_WITH)
    _runs([tools / "python", "-m", "build", "--outdir", directory, ROOT], ROOT)
    (wheel,) = directory.glob("*.whl")
    for built in sorted(directory.iterdir()):
        print(f"{built.name}: {built.stat().st_size / 1e6:.1f} MB", flush=True)
    return wheel


def use(wheel: Path, python: str, directory: Path) -> None:
    """Raises `Fails`."""
    commands = _environment(python, directory, str(wheel), *BESIDE)
    version = _runs([commands / "python", "--version"], directory).strip()
    (directory / "test_bot.py").write_text(TESTS)
    _runs([commands / "countermand", "solders"], directory)
    _runs([commands / "countermand", "exec", "--", commands / "python", "-c", ASKS], directory)
    _runs([commands / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bot.py"], directory)
    installed = _runs([commands / "python", "-m", "pip", "list", "--format", "freeze"], directory).split()
    beside = [each for each in installed if each.startswith(("solana==", "solders==", "aiohttp=="))]
    print(f"{version}: works beside {', '.join(beside)}", flush=True)


def _environment(python: str, directory: Path, *packages: str) -> Path:
    """The directory of its commands."""
    _runs([python, "-m", "venv", directory], ROOT)
    commands = directory / "bin"
    _runs([commands / "python", "-m", "pip", "install", "--quiet", *packages], directory)
    return commands


def _runs(command: Sequence[str | Path], directory: Path) -> str:
    """What it prints. Nothing of this environment reaches it."""
    ours = ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT", "PYTHON", "COUNTERMAND_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(list(command), cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Fails(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
