"""Everybody else: the market, a stranger who sends dust, and whoever kills, freezes and replaces processes."""

import asyncio
from random import Random
from typing import Final

from countermand.simulation.chance import chance
from countermand.simulation.process import Process
from countermand.simulation.world import World

PRICES_AT_FIRST: Final = (200 * 10**12, 10**12, 10**12 // 2)


async def market(world: World) -> None:
    """Prices walk, and sometimes jump; the stable one stands still."""
    random = chance(world.seed, "market")
    moving = [mint for number, mint in enumerate(world.side.mints) if number != 1]
    while True:
        pause_ms = max(1_000, world.swarm.price_pause_ms) if world.is_calm else world.swarm.price_pause_ms
        await asyncio.sleep(random.expovariate(1) * pause_ms / 1000)
        mint = random.choice(moving)
        bps = random.randint(-world.swarm.price_step_bps, world.swarm.price_step_bps)
        if random.random() < world.swarm.price_jump:
            bps *= 10
        price = max(10**6, world.prices[mint] * (10_000 + max(bps, -9_000)) // 10_000)
        await world.price(mint, price, at_once=random.random() < 0.2)


async def nemesis(world: World) -> None:
    random = chance(world.seed, "nemesis")
    while True:
        await asyncio.sleep(random.expovariate(1) * 2)
        if random.random() < world.swarm.clock_leaps:
            await world.leap(random.choice((1_000, 30_000, 3_600_000)))
        if random.random() < world.swarm.crash_early and (awake := world.awake()):
            random.choice(awake).die("a bad moment")
        if random.random() < world.swarm.replaced and (awake := world.awake()):
            await _replace(world, awake[-1], random)
        if world.database.held and random.random() < 0.3:
            world.happened("held commit comes through")
            world.database.release()


async def _replace(world: World, old: Process, random: Random) -> None:
    """Another process takes over, while the old one is frozen, or still believes that it is alone."""
    freezes = random.random() < 0.7
    if freezes:
        old.pause()
        world.tell(old.name, "freezes")
    world.start_process()
    await asyncio.sleep(random.choice((0.01, 0.2, 2, 10)))
    if freezes and old.is_alive:
        world.happened("a replaced writer wakes up")
        old.wake()


async def supervisor(world: World) -> None:
    """Somebody starts a process when none is awake."""
    random = chance(world.seed, "supervisor")
    while True:
        await asyncio.sleep(0.05)
        if not world.awake():
            if not world.is_calm:
                await asyncio.sleep(random.random() * world.swarm.restart_ms / 1000)
            if not world.awake():
                world.start_process()
