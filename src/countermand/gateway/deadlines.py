"""Time limits of many things at once, each of the same length, watched by one timer.

A timer for each request would cost more than the rest of the gateway.
"""

import asyncio
from collections.abc import Callable
from typing import Final

_SWEEP_SECONDS: Final = 0.25


class Deadlines:
    """Calls `expire` of each key that is not stopped in time. What expired is gone."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # In the order of their ends, since each gets the same time.
        self._due: dict[object, tuple[float, Callable[[], None]]] = {}
        self._sweeping = False

    def start(self, key: object, expire: Callable[[], None]) -> None:
        """Does nothing to a key that was started before."""
        if key in self._due:
            return
        loop = asyncio.get_running_loop()
        self._due[key] = loop.time() + self._seconds, expire
        if not self._sweeping:
            self._sweep(loop)

    def stop(self, key: object) -> None:
        self._due.pop(key, None)

    def oldest(self) -> Callable[[], None] | None:
        """How the one expires that has been there longest."""
        return next((expire for _, expire in self._due.values()), None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for key, (end, expire) in list(self._due.items()):
            if end > now:
                break
            del self._due[key]
            expire()
        self._sweeping = bool(self._due)
        if self._sweeping:
            loop.call_later(_SWEEP_SECONDS, self._sweep, loop)
