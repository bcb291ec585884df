"""The solders that a venue runs with, where the environment has another.

The virtual machine is a part of solders and decides what a transaction does, so a venue takes one minor version alone.
A bot beside it may need an older one, as `solana` 0.36 does. `countermand solders` installs the venue's into a
directory of its own. The commands, which are processes of their own, look there first; what imports `countermand` into
its own process, such as tests with the fixture, keeps the environment's.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from countermand.settings import StartRefused

MINOR: Final = "0.29"
DIRECTORY: Final = Path(sys.prefix, "share", "countermand", "solders")


def fits() -> bool:
    return re.match(rf"{re.escape(MINOR)}\.", installed()) is not None


def installed() -> str:
    """The version that this process gets."""
    from importlib import metadata  # noqa: PLC0415  Most commands have no other solders, and need not ask.

    try:
        return metadata.version("solders")
    except metadata.PackageNotFoundError:
        return "none"


def prefer() -> None:
    """For a process that has not imported solders yet."""
    if DIRECTORY.is_dir() and not fits():
        sys.path.insert(0, str(DIRECTORY))


def check() -> None:
    """Raises `StartRefused` if this process has another solders than a venue runs with."""
    if not fits():
        raise StartRefused(
            f"this environment has solders {installed()}, and a venue runs with {MINOR}: "
            "`countermand solders` installs it beside the other, for the venue alone"
        )


def install() -> None:
    """Raises `StartRefused` with the last error of pip, which may add notices of other things."""
    pip = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
    into = ["--target", str(DIRECTORY), f"solders=={MINOR}.*"]
    done = subprocess.run([*pip, *into], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or "pip said nothing").splitlines()
        reason = next((line for line in reversed(said) if line.startswith("ERROR: ")), said[-1])
        raise StartRefused(f"solders {MINOR} could not be installed into {DIRECTORY}: {reason}")
