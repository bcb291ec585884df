"""Runs the simulation of the order books from seeds, and says what broke and how to see it again."""

import asyncio
import contextlib
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from countermand.domain.ledger.amount import Account
from countermand.engine.shards import BOOK_SHARD
from countermand.simulation import loop, swarm
from countermand.simulation.book import options
from countermand.simulation.book.again import decides_again
from countermand.simulation.book.checkers import Claim
from countermand.simulation.book.nemeses import Operator, nemesis, supervisor
from countermand.simulation.book.options import Options
from countermand.simulation.book.process import Parts
from countermand.simulation.book.traders import Trader
from countermand.simulation.book.world import World
from countermand.simulation.chance import chance
from countermand.simulation.overheard import IsBug, overheard
from countermand.simulation.stage import first_of
from countermand.simulation.swarm import Swarm
from countermand.simulation.trace import Trace
from countermand.simulation.violation import Violation

SOUND: Final = Parts()
STALLED_S: Final = 7_200
"""Of virtual time without the steps that were asked for."""
CONVERGES_S: Final = 1_200
"""Of virtual time in which everything must end once the faults are over."""


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: int
    steps: int
    trace: Trace
    violation: Violation | None


def simulate(seed: int, steps: int, *, parts: Parts = SOUND, faults: Swarm | None = None) -> Outcome:
    """One run. Whatever happens in it follows from the arguments."""
    drawn = faults or swarm.drawn(chance(seed, "swarm"))
    books = options.drawn(chance(seed, "books"))
    with overheard() as listen:
        return loop.run(_run(seed, steps, drawn, books, parts, listen))


async def _run(
    seed: int, steps: int, faults: Swarm, books: Options, parts: Parts, listen: Callable[[IsBug], None]
) -> Outcome:
    world = World(seed, faults, books, parts)
    listen(world.is_bug)
    traders: list[Trader] = []
    traders += [Trader(world, Account(f"0x{number:04x}"), lambda: traders) for number in range(1, books.users + 1)]
    operator = Operator(world, traders)
    watching = [asyncio.create_task(_lives(world, partial(who, world))) for who in (nemesis, supervisor)]
    world.start_process()
    opening = asyncio.create_task(world.guarded(operator.opens()))
    await first_of(opening, asyncio.ensure_future(world.ended.wait()))
    lives = [operator.live, *(trader.live for trader in traders)]
    acting = [asyncio.create_task(_lives(world, deeds)) for deeds in lives]
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


async def _lives(world: World, deeds: Callable[[], Awaitable[None]]) -> None:
    await world.guarded(deeds())


async def _reach(world: World, steps: int) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STALLED_S):
            while world.steps < steps and world.violation is None:
                world.news.clear()
                await world.news.wait()
            return world.violation is None
    return False


async def _heal(world: World, traders: Sequence[Trader]) -> None:
    """The faults are over, at most one process is left, and everybody wants his money back."""
    world.heal()
    kept = world.awake()[-1:] if chance(world.seed, "heal").random() < 0.5 else []
    for process in list(world.processes):
        if process not in kept:
            process.die("the end of the faults")
    starting = asyncio.create_task(supervisor(world))
    finishing = asyncio.create_task(world.guarded(_finish(world, traders)))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CONVERGES_S):
            await first_of(finishing, asyncio.create_task(world.ended.wait()))
    if finishing.done() and not finishing.cancelled():
        finishing.result()
    elif world.violation is None:
        world.found(Violation(Claim.EVERYTHING_ENDS, f"not everybody was done after {CONVERGES_S} s"))
    if world.violation is None:
        world.judged(world.checkers.at_rest)
        world.judged(decides_again, world.database.shard(BOOK_SHARD).journal.values(), world.options.markets)
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


def main(seeds: range, steps: int, *, say: Callable[[str], None] = print) -> int:
    """Runs the seeds. Returns the exit status: 1 at the first that breaks a claim."""
    began, done, situations = time.perf_counter(), 0, Counter[str]()
    for seed in seeds:
        outcome = simulate(seed, steps)
        done += outcome.steps
        situations += outcome.trace.situations
        if outcome.violation is not None:
            report(outcome, steps, say)
            return 1
    took = time.perf_counter() - began
    say(f"{len(seeds)} seeds, {done} steps in {took:.1f} s: {done / max(took, 1e-9):.0f} steps/s")
    for situation, times in sorted(situations.items()):
        say(f"{times:8d}  {situation}")
    return 0


def report(outcome: Outcome, steps: int, say: Callable[[str], None], last: int = 60) -> None:
    for line in list(outcome.trace.lines)[-last:]:
        say(line)
    violation = outcome.violation
    assert violation is not None
    if violation.__cause__ is not None:
        say("".join(traceback.format_exception(violation.__cause__)))
    say(f"seed {outcome.seed} broke a claim after {outcome.steps} steps")
    say(str(violation))
    say(f"again: countermand simulate --book --seed {outcome.seed} --steps {steps}")
