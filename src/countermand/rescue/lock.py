"""One run at a time: a lock in a file, which the system lets go when its holder ends, in whatever way."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700


class Busy(Exception):
    """Another run holds it. In words, with the remedy."""


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """The file is made, and removed at the end. Raises `Busy` without words, and `OSError`."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=_DIRECTORY_MODE)
    descriptor = _taken(file)
    try:
        yield
    finally:
        # Before it is let go: another run that has it open already finds that it is no longer the one at this path.
        with suppress(OSError):
            file.unlink()
        os.close(descriptor)


def take(descriptor: int) -> None:
    """Raises `Busy` without words, and `OSError`."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy from None


def _taken(file: Path) -> int:
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            take(descriptor)
            if os.path.samestat(os.fstat(descriptor), file.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
