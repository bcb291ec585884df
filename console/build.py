"""Builds the console into the package: `python -m console.build`, or `make console`.

With `install`, installs the packages that it is built with, as `package-lock.json` has them. Everybody gets the same
bytes, with any Node that will do: what bundles and what makes the text smaller are packages of pinned versions.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.clients import node

HERE: Final = Path(__file__).resolve().parent
BUILT: Final = HERE.parent / "src" / "countermand" / "console" / "built"
PACKAGES: Final = HERE / "node_modules"


def can_build() -> bool:
    try:
        node.node_binary()
    except LookupError:
        return False
    return (PACKAGES / "vite").is_dir()


def check_types() -> None:
    _run(PACKAGES / "typescript" / "bin" / "tsc", "--noEmit")


def build(directory: Path = BUILT) -> None:
    """Whatever else is in the directory is deleted."""
    vite = PACKAGES / "vite" / "bin" / "vite.js"
    _run(vite, "build", "--outDir", str(directory), "--emptyOutDir", "--logLevel", "warn")


def _run(script: Path, *options: str) -> None:
    subprocess.run([node.node_binary(), script, *options], cwd=HERE, check=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install"]:
            node.install("console.build", HERE)
        case []:
            check_types()
            build()
        case _:
            sys.exit("usage: python -m console.build [install]")
