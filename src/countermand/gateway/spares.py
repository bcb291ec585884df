"""Descriptors that are kept for the end: a process that has no other one left can still stop in good order."""

import os
from types import TracebackType
from typing import Final, Self

SPARES: Final = 8


class SpareDescriptors:
    """Held while it is entered, and given back on leaving."""

    def __enter__(self) -> Self:
        self._held = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(SPARES)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for descriptor in self._held:
            os.close(descriptor)
