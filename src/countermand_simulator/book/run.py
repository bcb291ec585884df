"""Runs the simulation of the order books from seeds, and says what broke and how to see it again."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from countermand.orders.book.model.ledger.amount import Account
from countermand.orders.shards import BOOK_SHARD
from countermand_simulator import fault_driver, fault_profile, loop
from countermand_simulator.book import options
from countermand_simulator.book.again import decides_again
from countermand_simulator.book.checkers import Claim
from countermand_simulator.book.operator import Operator
from countermand_simulator.book.options import Options
from countermand_simulator.book.process import BookProcessParts
from countermand_simulator.book.traders import Trader
from countermand_simulator.book.world import World
from countermand_simulator.chance import chance
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.harness import first_of
from countermand_simulator.log_capture import IsBug, captured_log
from countermand_simulator.outcomes import Outcome, Tally, run_all
from countermand_simulator.violation import Violation

SOUND: Final = BookProcessParts()
STALLED_S: Final = 7_200
"""Of virtual time without the steps that were asked for."""
CONVERGES_S: Final = 1_200
"""Of virtual time in which everything must end once the faults are over."""
_DEEDS_BETWEEN: Final = 10
"""So many actions of each user between two of the fault driver, on average."""
_LEAPS_MS: Final = (1_000, 30_000, 25 * 3_600_000)

supervisor: Final = partial(fault_driver.supervisor, every_s=0.2)


def simulate(seed: int, steps: int, *, parts: BookProcessParts = SOUND, faults: FaultProfile | None = None) -> Outcome:
    """One run. Whatever happens in it follows from the arguments."""
    drawn = faults or fault_profile.drawn(chance(seed, "swarm"))
    books = options.drawn(chance(seed, "books"))
    with captured_log() as listen:
        return loop.run(_run(seed, steps, drawn, books, parts, listen))


async def _run(
    seed: int,
    steps: int,
    faults: FaultProfile,
    books: Options,
    parts: BookProcessParts,
    listen: Callable[[IsBug], None],
) -> Outcome:
    world = World(seed, faults, books, parts)
    listen(world.is_bug)
    traders: list[Trader] = []
    traders += [Trader(world, Account(f"0x{number:04x}"), lambda: traders) for number in range(1, books.users + 1)]
    operator = Operator(world, traders)
    watching = [asyncio.create_task(world.acts(partial(who, world))) for who in (drive_faults, supervisor)]
    world.start_process()
    opening = asyncio.create_task(world.guarded(operator.opens()))
    await first_of(opening, asyncio.ensure_future(world.ended.wait()))
    lives = [operator.live, *(trader.live for trader in traders)]
    acting = [asyncio.create_task(world.acts(actions)) for actions in lives]
    safe = await _reach(world, steps)
    if world.violation is None and not safe:
        world.found(Violation(Claim.EVERYTHING_ENDS, f"only {world.steps} steps in {STALLED_S} s"))
    for task in (*watching, *acting):
        task.cancel()
    if world.violation is None:
        await _heal(world, traders)
    for process in list(world.processes):
        process.die("the end of the run")
    return Outcome(seed, world.steps, world.trace, world.violation)


async def drive_faults(world: World) -> None:
    pause_s = _DEEDS_BETWEEN * world.options.pause_ms / 1000
    await fault_driver.drive_faults(world, pause_s, _LEAPS_MS, (0.01, 0.2, pause_s, 10 * pause_s))


async def _reach(world: World, steps: int) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STALLED_S):
            while world.steps < steps and world.violation is None:
                world.news.clear()
                await world.news.wait()
            return world.violation is None
    return False


async def _heal(world: World, traders: Sequence[Trader]) -> None:
    """The faults are over, at most one process is left, and all traders want their money back."""
    world.heal(chance(world.seed, "heal"))
    starting = asyncio.create_task(supervisor(world))
    finishing = asyncio.create_task(world.guarded(_finish(world, traders)))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CONVERGES_S):
            await first_of(finishing, asyncio.create_task(world.ended.wait()))
    if finishing.done() and not finishing.cancelled():
        finishing.result()
    elif world.violation is None:
        world.found(Violation(Claim.EVERYTHING_ENDS, f"some traders were not done after {CONVERGES_S} s"))
    if world.violation is None:
        world.judged(world.checkers.at_rest)
        journal, options = world.database.shard(BOOK_SHARD).journal.values(), world.options
        world.judged(decides_again, journal, options.markets, options.orders_per_turn)
    starting.cancel()


async def _finish(world: World, traders: Sequence[Trader]) -> None:
    """Once more for what a request of the time of faults still brought about meanwhile."""
    while True:
        async with asyncio.TaskGroup() as group:
            for trader in traders:
                group.create_task(trader.finishes())
        if not world.checkers.floor.live:
            return
        await asyncio.sleep(0.5)


def main(seeds: range, steps: int, *, say: Callable[[str], None] = print, tally: Tally | None = None) -> int:
    """Runs the seeds. Returns the exit status: 1 at the first that breaks a claim."""
    return run_all(seeds, lambda seed: simulate(seed, steps), again(steps), say, tally)


def again(steps: int) -> str:
    """What repeats a run, besides its seed."""
    return f"--steps {steps} --book"
