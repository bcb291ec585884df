"""The clocks: the wall's, and the venue's, which a sandbox can freeze and advance.

The venue's clock never goes back: not before an instant that it showed, and after a restart not before what is stored,
which every load tells it. So when the machine's clock is set back, there is still one instant everywhere: it stands
until the machine's clock has caught up. A step forward is believed.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from countermand.kernel import telemetry
from countermand.values.instant import Instant

_WATCH_MS: Final = 1_000
_BEHIND_MS_TOLD: Final = 1_000
"""Less than this is how clocks are kept right."""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class ClockSetting(Struct, frozen=True):
    """How the venue's clock stands to the wall: ahead of it by `offset_ms`, or frozen at `frozen_at`."""

    offset_ms: int = 0
    frozen_at: int | None = None


WITH_THE_WALL: Final = ClockSetting()


class VenueClock:
    """Both clocks of a venue. `wall` is replaced by virtual time in a simulation."""

    def __init__(self, setting: ClockSetting = WITH_THE_WALL, wall: Callable[[], int] = _wall_ms) -> None:
        self.setting = setting
        self._wall = wall
        self._shown = 0
        """The newest instant."""

    def now(self) -> Instant:
        self._shown = max(self._shown, self._set_to())
        return Instant(self._shown)

    def now_ms(self) -> int:
        return self.now()

    def wall_ms(self) -> int:
        return self._wall()

    def elapsed_ms(self) -> int:
        """The loop's time, which in a simulation is virtual, as all time is."""
        return round(asyncio.get_running_loop().time() * 1000)

    async def sleep(self, ms: int) -> None:
        await asyncio.sleep(ms / 1000)

    @property
    def is_frozen(self) -> bool:
        return self.setting.frozen_at is not None

    def not_before(self, instant: Instant) -> None:
        """Something that is stored happened at this instant."""
        self._shown = max(self._shown, instant)

    def behind_ms(self) -> int:
        """By how much the machine's clock is behind what the venue's has shown; 0 if the venue's clock is running."""
        return max(0, self._shown - self._set_to())

    async def watch(self) -> None:
        """Tells once a second, for ever, by how much the machine's clock is behind."""
        behind = False
        while True:
            by_ms = self.behind_ms()
            telemetry.clock_behind(by_ms)
            if behind is not (by_ms > _BEHIND_MS_TOLD):
                behind = not behind
                (telemetry.clock_went_back if behind else telemetry.clock_caught_up)(by_ms)
            await self.sleep(_WATCH_MS)

    # --- other settings, none of which goes back

    def frozen(self, at: Instant) -> ClockSetting:
        return ClockSetting(0, at)

    def running(self, at: Instant) -> ClockSetting:
        """Running on from `at`."""
        return ClockSetting(at - self._wall())

    def advanced(self, ms: int) -> ClockSetting:
        at = Instant(self.now() + ms)
        return self.frozen(at) if self.is_frozen else self.running(at)

    def begin_anew(self) -> None:
        """Runs with the machine's, whatever it has shown: of a venue in which nothing has happened."""
        self.setting, self._shown = ClockSetting(), 0

    def _set_to(self) -> int:
        frozen_at = self.setting.frozen_at
        return self._wall() + self.setting.offset_ms if frozen_at is None else frozen_at
