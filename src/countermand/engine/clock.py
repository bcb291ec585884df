"""The clocks: the wall's, and the venue's, which a sandbox can freeze and advance."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from countermand.domain.instant import Instant


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class ClockSetting:
    """How the venue's clock stands to the wall: ahead of it by `offset_ms`, or frozen at `frozen_at`."""

    offset_ms: int = 0
    frozen_at: int | None = None


class VenueClock:
    """Both clocks of a venue. `wall` is replaced by virtual time in a simulation."""

    def __init__(self, setting: ClockSetting = ClockSetting(), wall: Callable[[], int] = _wall_ms) -> None:
        self.setting = setting
        self._wall = wall

    def now(self) -> Instant:
        frozen_at = self.setting.frozen_at
        return Instant(self._wall() + self.setting.offset_ms if frozen_at is None else frozen_at)

    def now_ms(self) -> int:
        return self.now()

    def wall_ms(self) -> int:
        return self._wall()

    async def sleep(self, ms: int) -> None:
        await asyncio.sleep(ms / 1000)

    @property
    def is_frozen(self) -> bool:
        return self.setting.frozen_at is not None

    def frozen(self, at: Instant) -> ClockSetting:
        return ClockSetting(0, at)

    def running(self, at: Instant) -> ClockSetting:
        """Running on from `at`."""
        return ClockSetting(at - self._wall())

    def advanced(self, ms: int) -> ClockSetting:
        setting = self.setting
        if setting.frozen_at is None:
            return ClockSetting(setting.offset_ms + ms)
        return ClockSetting(0, setting.frozen_at + ms)
