"""Ctrl-C where an exception would do harm."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from countermand.cli import INTERRUPTED
from countermand.cli.progress import CLEAR


@contextmanager
def ended_at_once() -> Iterator[None]:
    """Ctrl-C ends the process here and now. For what leaves nothing behind, and catches whatever is raised in it."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # It is ignored, as in the background of a shell.
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(*_: object) -> None:
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), CLEAR.encode())
    os._exit(INTERRUPTED)
