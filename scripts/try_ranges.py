"""Tests the package with the lowest and with the newest versions of its dependencies that pyproject.toml allows.

.venv/bin/python -m scripts.try_ranges [--end lowest|newest] [flags of pytest]

Each end gets a virtual environment of its own, in a temporary directory. The tools of the tests are those of
constraints.txt; only the dependencies of the package, and what these need, are moved to the end. A tool may want a
newer version of one of them, as solana wants of websockets: the tests that run here do not need it. A venue runs with
one solders alone; `make package` tries it beside an older one.

It runs the tests that start venues, sign, decode and store, with the package as it is installed. The exit status is 1
when something cannot be installed or a test fails.
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from countermand.own_solders import MINOR

ROOT: Final = Path(__file__).parents[1]
ENDS: Final = ("lowest", "newest")
TESTS: Final = (
    *(
        f"tests/{name}"
        for name in ("audit/test_audit.py", "contract", "dialects", "gateway", "kernel", "services", "store")
    ),
    *(f"tests/client/test_{name}.py" for name in ("exchange", "lives")),
    "tests/curves",
    *(
        f"tests/solana/test_{name}.py"
        for name in ("embedded", "explain", "facade_methods", "facade_sockets", "rpc", "rpc_hostile", "rpc_landings")
    ),
    *(
        f"tests/end_to_end/test_{name}.py"
        for name in (
            "cancel",
            "chain_rpc",
            "crash_restart",
            "create",
            "recurring_v1",
            "tanx",
            "trigger_v1",
            "venue_root",
        )
    ),
)
_RANGE: Final = re.compile(r"(?P<name>[\w-]+)>=(?P<lowest>[\w.]+)(?P<upper>,<[\w.]+)?(?P<marker>;.+)?")


def ranges() -> list[str]:
    """The dependencies as pyproject.toml has them. Raises ValueError for one without a lower bound."""
    declared: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for requirement in declared:
        if _RANGE.fullmatch(requirement) is None:
            raise ValueError(f"pyproject.toml has {requirement!r}, which is no NAME>=LOWEST or NAME>=LOWEST,<UPPER")
    return declared


def constraints(end: str) -> str:
    """For pip, which takes the newest version that they allow."""
    return "".join(f"{line if end == 'newest' else _lowest(line)}\n" for line in ranges())


def _lowest(requirement: str) -> str:
    if requirement.startswith("solders"):
        return f"solders=={MINOR}.0"
    return _RANGE.sub(r"\g<name>==\g<lowest>\g<marker>", requirement)


def passes(end: str, flags: Sequence[str]) -> bool:
    with TemporaryDirectory(prefix="ranges-") as made:
        directory = Path(made)
        directory.chmod(0o755)  # PostgreSQL, which is never root, is in there.
        limits = directory / "constraints.txt"
        limits.write_text(constraints(end))
        subprocess.run([sys.executable, "-m", "venv", directory / "venv"], check=True)
        python = str(directory / "venv" / "bin" / "python")
        if not (
            _installs(python, ".[test]", "--constraint", "constraints.txt")
            and _installs(python, ".", "--constraint", str(limits), "--upgrade", "--upgrade-strategy", "eager")
        ):
            return False
        print(f"With the {end} versions:\n{_versions(python)}", flush=True)
        tested = subprocess.run(
            [python, "-m", "pytest", "-p", "no:cacheprovider", *flags, *TESTS], cwd=ROOT, check=False
        )
        return tested.returncode == 0


def _installs(python: str, *what: str) -> bool:
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    pip = [python, "-m", "pip", "install", "--quiet", *what]
    done = subprocess.run(pip, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    return done.returncode == 0


def _versions(python: str) -> str:
    """Those of our own dependencies, one a line."""
    ours = {_spelt(match["name"]) for match in map(_RANGE.fullmatch, ranges()) if match}
    pip = [python, "-m", "pip", "list", "--format", "freeze"]
    found = subprocess.run(pip, capture_output=True, text=True, check=True).stdout.split()
    return "\n".join(f"  {line}" for line in found if _spelt(line.partition("==")[0]) in ours)


def _spelt(name: str) -> str:
    return name.lower().replace("_", "-")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.try_ranges", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--end", choices=ENDS, help="only this one")
    asked, flags = parser.parse_known_args()
    failed = [end for end in ENDS if asked.end in (None, end) and not passes(end, flags)]
    for end in failed:
        print(f"It fails with the {end} versions.", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
