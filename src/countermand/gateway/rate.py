"""How many requests came in the last minute, as Jupiter's headers show it. It limits nothing."""

from collections.abc import Callable
from typing import Final

from countermand.gateway.asgi import Header

LIMIT: Final = 9_000
WINDOW_S: Final = 60
RETRY_AFTER_S: Final = 1


class RateWindow:
    """A sliding window of 60 buckets of one second of the wall clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts = [0] * WINDOW_S
        self._second = int(clock())
        self._total = 0
        self._reset = self._second + WINDOW_S

    def count(self) -> None:
        """One request came."""
        self._advance()
        self._counts[self._second % WINDOW_S] += 1
        self._total += 1

    def exhausted(self) -> tuple[Header, ...]:
        """The headers of a limited request: nothing is left, and the next may come in a second."""
        self._advance()
        return (
            (b"x-ratelimit-remaining", b"0"),
            (b"x-ratelimit-current", b"%d" % LIMIT),
            (b"x-ratelimit-reset", b"%d" % (self._second + RETRY_AFTER_S)),
            (b"retry-after", b"%d" % RETRY_AFTER_S),
        )

    def headers(self) -> tuple[Header, ...]:
        self._advance()
        return (
            (b"x-ratelimit-remaining", b"%d" % (LIMIT - self._total)),
            (b"x-ratelimit-current", b"%d" % self._total),
            (b"x-ratelimit-reset", b"%d" % self._reset),
        )

    def _advance(self) -> None:
        """Empties the buckets that left the window, and finds the second in which its oldest request will.

        A clock that steps back stays in its newest second.
        """
        now = int(self._clock())
        if now <= self._second:
            return
        for second in range(max(self._second + 1, now - WINDOW_S + 1), now + 1):
            self._total -= self._counts[second % WINDOW_S]
            self._counts[second % WINDOW_S] = 0
        self._second = now
        oldest = now - WINDOW_S + 1
        while oldest < now and not self._counts[oldest % WINDOW_S]:
            oldest += 1
        self._reset = oldest + WINDOW_S
