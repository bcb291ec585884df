"""How often a shard that cannot serve loads again, after which pauses, and when that is no use any more."""

from typing import Final

from countermand.kernel.writer_epoch import StateInDoubt

PAUSES_MS: Final = (200, 400, 800, 1_600, 3_200, 5_000)
START_MS_MAX: Final = 30_000
"""How long a start may fail before it gives up. A venue that has served goes on for as long as it takes."""
BUGS_MAX: Final = 5
"""So many epochs in a row that break by what time demands, and commit nothing: the next one would break as well."""


class ReloadPauses:
    """Counts failures in a row: until the next commit, or the first load of a process."""

    def __init__(self) -> None:
        self._served = False
        self._failures = 0
        self._bugs = 0
        self._failing_since: int | None = None

    @property
    def has_served(self) -> bool:
        """The orders were loaded before."""
        return self._served

    def served(self) -> None:
        """The orders were loaded."""
        self._served = True

    def committed(self) -> None:
        self._failures = self._bugs = 0
        self._failing_since = None

    def pause_ms(self, lost: Exception, now_ms: int, *, by_time: bool) -> int:
        """How long to wait before the next load. Raises the reason if that is no use. `by_time`: no request did it."""
        if self._failing_since is None:
            self._failing_since = now_ms
        self._failures += 1
        self._bugs += by_time and isinstance(lost, StateInDoubt)
        if self._bugs >= BUGS_MAX:
            raise lost.__cause__ or lost
        if not self._served and now_ms - self._failing_since >= START_MS_MAX:
            raise lost
        return PAUSES_MS[min(self._failures, len(PAUSES_MS)) - 1]
