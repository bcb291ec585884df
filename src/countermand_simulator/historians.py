"""Those who read what became of on-chain orders."""

import asyncio
import contextlib
from typing import Any

from countermand.orders.chain.model.order import ChainFamily
from countermand.values.identity import Wallet
from countermand_simulator.chance import chance
from countermand_simulator.checkers.replay import DCA, LIMIT
from countermand_simulator.harness import Answer, Lost
from countermand_simulator.process import Process
from countermand_simulator.world import World

_PAUSE_S = 3


async def historian(world: World) -> None:
    """Asks for the history of one owner after the other."""
    random = chance(world.seed, "historian")
    side = world.on_chain
    owners = [*side.limit_clients, *side.dca_clients]
    while owners:
        await asyncio.sleep(random.expovariate(1) * _PAUSE_S)
        family = random.choice(list(ChainFamily))
        with contextlib.suppress(Lost):
            await _reads(world, Wallet(random.choice(owners)), family)


async def _reads(world: World, owner: Wallet, family: ChainFamily) -> None:
    histories = world.chain_orders.histories
    knew = world.judged(histories.asked, owner)

    def judge(answer: Answer) -> None:
        if knew is not None:
            program = LIMIT if family is ChainFamily.LIMIT else DCA
            world.judged(histories.answered, knew, owner, program, answer)

    def work(process: Process) -> Any:
        return process.families.history(owner, family)

    process = world.awake_process()
    await world.exchange(process, owner, "history", family.value, work, judge)
