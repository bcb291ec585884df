"""Builds the console and the page at `/docs` into the package: `python -m console.build`, or `make console`.

With `install`, installs the packages that they are built with, as `package-lock.json` has them. Everybody gets the same
bytes, with any Node that will do: what bundles and what makes the text smaller are packages of pinned versions.
"""

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.clients import node

HERE: Final = Path(__file__).resolve().parent
PACKAGE: Final = HERE.parent / "src" / "countermand"
PACKAGES: Final = HERE / "node_modules"
PAGES: Final = {HERE: PACKAGE / "console" / "built", HERE / "docs": PACKAGE / "docs" / "built"}
"""By the directory of its sources, where each page is built into."""

_COMPRESSED_FROM_BYTES: Final = 100_000
_COPIED: Final = "swagger-ui"
"""What is not made of our sources is kept compressed: no reader needs it, and a page loads it faster."""


def can_build() -> bool:
    try:
        node.node_binary()
    except LookupError:
        return False
    return all((PACKAGES / name).is_dir() for name in ("vite", "swagger-ui-dist"))


def check_types() -> None:
    _run(HERE, PACKAGES / "typescript" / "bin" / "tsc", "--noEmit")


def build(sources: Path, directory: Path) -> None:
    """Whatever else is in the directory is deleted."""
    vite = PACKAGES / "vite" / "bin" / "vite.js"
    _run(sources, vite, "build", "--outDir", str(directory), "--emptyOutDir", "--logLevel", "warn")
    for file in directory.iterdir():
        if file.name.startswith(_COPIED) and file.stat().st_size >= _COMPRESSED_FROM_BYTES:
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))
            file.unlink()


def _run(directory: Path, script: Path, *options: str) -> None:
    subprocess.run([node.node_binary(), script, *options], cwd=directory, check=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install"]:
            node.install("console.build", HERE)
        case []:
            check_types()
            for sources, directory in PAGES.items():
                build(sources, directory)
        case _:
            sys.exit("usage: python -m console.build [install]")
