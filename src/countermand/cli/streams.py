"""The standard streams of a command: what happens when they are closed, full, or not read any more.

A report that its reader does not want ends the command, quietly. A log that cannot be written is lost, and stops
nothing: it neither raises, nor waits for a reader that has stalled.
"""

import io
import math
import os
import select
import sys
import time
from collections.abc import Callable
from typing import BinaryIO, Final, TextIO, cast

from countermand.settings import StartRefused

READER_LEFT: Final = 141
"""128 and the number of SIGPIPE: what a shell shows of a command that wrote into a closed pipe."""
_STDOUT: Final = 1
_STDERR: Final = 2
_ATOMIC_BYTES: Final = 4_096
"""A pipe that is ready takes so much without making its writer wait."""
_PATIENCE_MS: Final = 50
"""How long a reader may take before lines are dropped, unless it took too long within the last second."""
_CALM_S: Final = 1


def read_standard_input(read: Callable[[BinaryIO], bytes]) -> bytes:
    """Raises `StartRefused` where it is closed, or cannot be read."""
    if sys.stdin is None:
        raise StartRefused("standard input is closed; give a pipe or a file")
    try:
        return read(sys.stdin.buffer)
    except OSError as error:
        raise StartRefused(f"standard input cannot be read: {error.strerror or error}") from None


class _Stream(io.TextIOBase):
    """Unbuffered, so that nothing waits to fail when the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute
        return "utf-8"

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True


class ReportStream(_Stream):
    """Raises `SystemExit` once the reader has left, and `StartRefused` where nothing can be written.

    Where standard output was closed, what is written is lost.
    """

    def __init__(self, descriptor: int, *, opened: bool = True) -> None:
        super().__init__(descriptor)
        self.opened = opened

    def write(self, text: str) -> int:
        rest = memoryview(text.encode(errors="backslashreplace"))
        try:
            while rest:
                rest = rest[self._write_some(rest) :]
        except BrokenPipeError:
            # `SystemExit` itself: a library that handles broken pipes would leave with a status of its own.
            raise SystemExit(READER_LEFT) from None
        except OSError as error:
            raise StartRefused(f"standard output cannot be written: {error.strerror}") from None
        return len(text)

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # Another process that shares the pipe has set it so.
            select.select([], [self._descriptor], [])
            return 0


class LossyStream(_Stream):
    """Never raises and never waits long. `lost` counts the lines that could not be written, in whole or in part."""

    def __init__(self, descriptor: int, *, opened: bool = True) -> None:
        super().__init__(descriptor)
        self._opened = opened
        self._torn = False
        """The last line that was begun is not complete."""
        self._stalled_at = -math.inf
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self.lost = 0
        self.on_loss: Callable[[int], object] = lambda _: None

    def write(self, text: str) -> int:
        if text and not self._write(text.encode(errors="backslashreplace")):
            lines = text.count("\n") or 1
            self.lost += lines
            self.on_loss(lines)
        return len(text)

    def _write(self, data: bytes) -> bool:
        if not self._opened:
            return False
        rest = memoryview(b"\n" + data if self._torn else data)
        try:
            while rest:
                if not self._is_ready():
                    return False
                rest = rest[os.write(self._descriptor, rest[:_ATOMIC_BYTES]) :]
                self._torn = bool(rest)
        except OSError:
            return False
        return True

    def _is_ready(self) -> bool:
        """Also a pipe without a reader is: writing to it fails at once."""
        is_calm = time.monotonic() - self._stalled_at > _CALM_S
        if self._poll.poll(_PATIENCE_MS if is_calm else 0):
            return True
        self._stalled_at = time.monotonic()
        return False


def adopt_standard_streams() -> None:
    """For a command that reports on standard output."""
    opened = _fill_closed_descriptors()
    sys.stdout = cast("TextIO", ReportStream(_STDOUT, opened=_STDOUT in opened))
    sys.stderr = cast("TextIO", LossyStream(_STDERR, opened=_STDERR in opened))


def require_output(what: str) -> None:
    """For what is shown once. Raises `StartRefused` if standard output is closed."""
    if isinstance(sys.stdout, ReportStream) and not sys.stdout.opened:
        raise StartRefused(f"standard output is closed, and {what} could not be shown")


def lose_what_cannot_be_printed() -> None:
    """For a command that has more to do than to report."""
    sys.stdout = cast("TextIO", LossyStream(_STDOUT))


def _fill_closed_descriptors() -> frozenset[int]:
    """Those that were open. Else a socket would get the number of a closed one, and what is printed."""
    opened = set[int]()
    for descriptor in range(_STDERR + 1):
        try:
            os.fstat(descriptor)
            opened.add(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    return frozenset(opened)
