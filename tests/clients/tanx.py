"""The Python client of tanX, in an environment of its own: it needs libraries that are older than ours.

`python -m tests.clients.tanx install` makes that environment; `make test` does it when the list of packages changed.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

CLIENTS = Path(__file__).parent
HOME = CLIENTS / ".venvs" / "tanx"
PACKAGES = CLIENTS / "tanx-requirements.txt"
_PYTHON = HOME / "bin" / "python"
_OWN = {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": ""}
"""The first start compiles what is imported; the others take half the time."""


def run_client(
    script: Path, *args: str, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a script that may import `tanxconnector`.

    `env` is added to the environment; `timeout` is in seconds. A status other than 0 is for the caller to judge.
    """
    if not _PYTHON.exists():
        raise LookupError(f"{HOME} is missing; `make test` installs it")
    return subprocess.run(
        [_PYTHON, "-W", "ignore", script, *args],
        env={**os.environ, **_OWN, **(env or {})},
        timeout=timeout,
        capture_output=True,
        text=True,
        check=False,
    )


def install() -> None:
    """Make the environment anew. What is not imported is not compiled either: sympy is large."""
    shutil.rmtree(HOME, ignore_errors=True)
    venv.create(HOME, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(_PYTHON), "install", "--quiet", "--no-deps", "--no-compile"]
    # Our own constraints are for our own libraries.
    env = {**os.environ, "PIP_CONSTRAINT": "", "PIP_BUILD_CONSTRAINT": ""}
    subprocess.run([*pip, "--requirement", PACKAGES], env=env, check=True)


if __name__ == "__main__":
    assert sys.argv[1:] == ["install"], "usage: python -m tests.clients.tanx install"
    install()
