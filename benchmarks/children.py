"""A measurement in a process of its own, which nothing measured before it disturbs."""

import subprocess
import sys


def last_line(module: str, *arguments: object) -> bytes:
    """What a module of benchmarks tells last."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1]
