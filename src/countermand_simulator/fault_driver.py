"""Kills, freezes, replaces and starts processes, and makes clocks leap."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import TypeVar

from countermand_simulator.chance import chance
from countermand_simulator.harness import Harness
from countermand_simulator.simulated_process import SimulatedProcess

P = TypeVar("P", bound=SimulatedProcess)


async def drive_faults(stage: Harness[P], pause_s: float, leaps_ms: Sequence[int], freezes_s: Sequence[float]) -> None:
    """`pause_s`: between two of its actions, on average. `freezes_s`: for so long two processes are there."""
    random = chance(stage.seed, "nemesis")
    while True:
        await asyncio.sleep(random.expovariate(1) * pause_s)
        if random.random() < stage.profile.clock_leaps:
            await stage.leap(random.choice(leaps_ms))
        if random.random() < stage.profile.crash_early and (awake := stage.awake()):
            random.choice(awake).die("a bad moment")
        if random.random() < stage.profile.replaced and (awake := stage.awake()):
            await _replace(stage, awake[-1], random, freezes_s)
        if stage.holds() and random.random() < 0.3:
            stage.happened("held commit comes through")
            stage.release()


async def _replace(stage: Harness[P], old: P, random: Random, freezes_s: Sequence[float]) -> None:
    """Another process takes over, while the old one is frozen, or still believes that it is alone."""
    freezes = random.random() < 0.7
    if freezes:
        old.pause()
        stage.tell(old.name, "freezes")
    stage.start_process()
    await asyncio.sleep(random.choice(freezes_s))
    if freezes and old.is_alive:
        stage.happened("a replaced writer wakes up")
        old.wake()


async def supervisor(stage: Harness[P], every_s: float) -> None:
    """Starts a process when none is awake, which it finds within `every_s` after one has died."""
    random = chance(stage.seed, "supervisor")
    while True:
        stage.died.clear()
        await asyncio.sleep(random.random() * every_s)
        if not stage.awake():
            if not stage.is_calm:
                await asyncio.sleep(random.random() * stage.profile.restart_ms / 1000)
            if not stage.awake():
                stage.start_process()
        await stage.died.wait()
