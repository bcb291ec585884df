"""The market: its prices walk."""

import asyncio
from typing import Final

from countermand_simulator.chance import chance
from countermand_simulator.world import World

PRICES_AT_FIRST: Final = (200 * 10**12, 10**12, 10**12 // 2)


async def market(world: World, number: int = 0) -> None:
    """Prices walk, and sometimes jump; the stable one stands still."""
    random = chance(world.seed, f"market {number}" if number else "market")
    moving = [mint for number, mint in enumerate(world.side.mints) if number != 1]
    while True:
        pause_ms = max(1_000, world.profile.price_pause_ms) if world.is_calm else world.profile.price_pause_ms
        await asyncio.sleep(random.expovariate(1) * pause_ms / 1000)
        mint = random.choice(moving)
        bps = random.randint(-world.profile.price_step_bps, world.profile.price_step_bps)
        if random.random() < world.profile.price_jump:
            bps *= 10
        price = max(10**6, world.prices[mint] * (10_000 + max(bps, -9_000)) // 10_000)
        await world.price(mint, price, at_once=random.random() < 0.2)
