"""What a command that takes longer says meanwhile: one line on standard error, on a terminal only."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

QUIET_S: Final = 2
_EVERY_S: Final = 0.25
_WIDTH_MAX: Final = 78
CLEAR: Final = "\r\x1b[2K"


def aside(sentence: str) -> None:
    """A line on standard error that stays, whether or not something else is shown there."""
    sys.stderr.write(f"{CLEAR if sys.stderr.isatty() else ''}countermand: {sentence}\n")
    sys.stderr.flush()


@contextmanager
def progress(says: Callable[[], str]) -> Iterator[None]:
    """Shows what `says` returns, and for how long it has gone on, from two seconds on. It leaves nothing behind."""
    if not sys.stderr.isatty():
        yield
        return
    began, ended = time.monotonic(), threading.Event()

    def show() -> None:
        if ended.wait(QUIET_S):
            return
        while not ended.wait(_EVERY_S):
            line = f"{says()}, {int(time.monotonic() - began)} s"
            sys.stderr.write(CLEAR + line[:_WIDTH_MAX])
        sys.stderr.write(CLEAR)

    shown = threading.Thread(target=show, name="progress", daemon=True)
    shown.start()
    try:
        yield
    finally:
        ended.set()
        shown.join()
