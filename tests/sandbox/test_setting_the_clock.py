"""What the clock of a sandbox has shown is never more than what is stored of it: a restart begins with that."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.kernel.ports import Unavailable
from countermand.sandbox.sandbox import Sandbox
from countermand.services.tokens import TokenRegistry
from countermand.values.instant import Instant

BEGAN = 1_800_000_000_000


@dataclass
class Machine:
    """Its store takes 40 ms for a setting, while a client looks at the clock."""

    wall: int = BEGAN
    stored: ClockSetting = field(default_factory=ClockSetting)
    fails: bool = False
    shown: list[int] = field(default_factory=list)
    clock: VenueClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = VenueClock(wall=lambda: self.wall)

    async def set(self, name: str, body: bytes) -> None:
        assert name == "clock"
        for _ in range(4):
            self.wall += 10
            self.shown.append(self.clock.now())
        if self.fails:
            raise Unavailable("the store does not answer")
        self.stored = msgspec.json.decode(body, type=ClockSetting)

    def sandbox(self) -> Sandbox:
        async def nothing_is_due() -> None:
            pass

        idle = SimpleNamespace(run_due=nothing_is_due)
        shards = dict.fromkeys(("shard", "dca", "book"), idle)
        parts: Any = SimpleNamespace(clock=self.clock, store=self, tokens=TokenRegistry(), keeper=None, **shards)
        return Sandbox(parts, seed=None)

    def restarted(self) -> VenueClock:
        return VenueClock(self.stored, wall=lambda: self.wall)


MOVES: dict[str, Callable[[Sandbox], Any]] = {
    "frozen": lambda sandbox: sandbox.set_clock(frozen=True, now=None),
    "frozen a moment ahead": lambda sandbox: sandbox.set_clock(frozen=True, now=Instant(BEGAN + 5)),
    "running": lambda sandbox: sandbox.set_clock(frozen=False, now=None),
    "running, moved": lambda sandbox: sandbox.set_clock(frozen=False, now=Instant(BEGAN + 5_000)),
    "advanced": lambda sandbox: sandbox.advance(1),
}


@pytest.mark.parametrize("move", MOVES)
async def test_a_restart_shows_no_earlier_instant(move: str) -> None:
    machine = Machine()
    await MOVES[move](machine.sandbox())
    machine.shown.append(machine.clock.now())
    assert machine.shown == sorted(machine.shown)
    assert machine.restarted().now() == machine.shown[-1]


async def test_a_clock_is_frozen_at_the_instant_that_was_asked_for() -> None:
    machine = Machine()
    await machine.sandbox().set_clock(frozen=True, now=Instant(BEGAN + 5))
    assert machine.clock.now() == BEGAN + 5


async def test_a_clock_whose_setting_could_not_be_stored_goes_on() -> None:
    machine = Machine(fails=True)
    with pytest.raises(Unavailable):
        await machine.sandbox().set_clock(frozen=True, now=None)
    assert not machine.clock.is_frozen
    assert machine.clock.now() == machine.wall
