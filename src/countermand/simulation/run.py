"""Runs the simulation from seeds, and says what broke and how to see it again."""

import asyncio
import contextlib
import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from countermand.domain.identity import OrderId
from countermand.engine.journal import encode
from countermand.engine.ports import CommitUnknown, Unavailable
from countermand.simulation import loop, swarm
from countermand.simulation.chance import chance
from countermand.simulation.checkers import Claim
from countermand.simulation.clients import Client
from countermand.simulation.makers import Maker
from countermand.simulation.nemeses import PRICES_AT_FIRST, market, nemesis, supervisor
from countermand.simulation.owners import Owner
from countermand.simulation.process import Parts
from countermand.simulation.savers import Saver
from countermand.simulation.sides import ChainSide, ModelSide
from countermand.simulation.svm import SvmSide
from countermand.simulation.swarm import Swarm
from countermand.simulation.trace import Trace
from countermand.simulation.violation import Violation
from countermand.simulation.world import World

SOUND: Final = Parts()
STALLED_S: Final = 7_200
"""Of virtual time without the steps that were asked for."""
CONVERGES_S: Final = 1_200
"""Of virtual time in which everything must end once the faults are over."""

Side = Callable[[World], ChainSide]


def model(world: World) -> ChainSide:
    return ModelSide(world.swarm.wallets, world.wall_ms, world.swarm.slot_window)


def svm(world: World) -> ChainSide:
    return SvmSide(world)


SIDES: Final[dict[str, Side]] = {"model": model, "svm": svm}
DEFAULT_CHAIN: Final = "svm"
"""The real custody and the real virtual machine cost a third more time than the model, and are what is to be tested."""


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: int
    steps: int
    trace: Trace
    violation: Violation | None


def simulate(seed: int, steps: int, *, side: Side = svm, parts: Parts = SOUND, options: Swarm | None = None) -> Outcome:
    """One run. Whatever happens in it follows from the arguments."""
    drawn = options or swarm.drawn(chance(seed, "swarm"))
    with _overheard() as listen:
        return loop.run(_run(seed, steps, drawn, side, parts, listen))


async def _run(
    seed: int, steps: int, options: Swarm, side: Side, parts: Parts, listen: Callable[[World], None]
) -> Outcome:
    world = World(seed, options, side, parts)
    listen(world)
    await world.side.open()
    world.prices.update(zip(world.side.mints, PRICES_AT_FIRST, strict=True))
    clients: list[Client] = []
    clients += [Client(world, wallet, lambda: clients) for wallet in world.side.wallets]
    owners: list[Owner] = []
    if world.side.orders is not None:
        owners += [Maker(world, wallet) for wallet in world.side.orders.makers]
        owners += [Saver(world, wallet) for wallet in world.side.orders.savers]
    world.start_process()
    for mint, price in world.prices.items():
        await world.price(mint, price, at_once=True)
    actors = [client.live() for client in clients] + [owner.live() for owner in owners]
    rest = [market(world), nemesis(world), supervisor(world)]
    tasks = [asyncio.create_task(world.guarded(work)) for work in (*actors, *rest)]
    safe = await _reach(world, steps, STALLED_S)
    if world.violation is None and not safe:
        world.found(Violation(Claim.EVERYTHING_ENDS, f"only {world.steps} steps in {STALLED_S} s"))
    for task in tasks:
        task.cancel()
    if world.violation is None:
        await _heal(world, clients, owners)
    for process in list(world.processes):
        process.die("the end of the run")
    return Outcome(seed, world.steps, world.trace, world.violation)


async def _reach(world: World, steps: int, limit_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            while world.steps < steps and world.violation is None:
                world.step_taken.clear()
                taken = asyncio.create_task(world.step_taken.wait())
                ended = asyncio.create_task(world.ended.wait())
                await _first_of(taken, ended)
            return world.violation is None
    return False


async def _first_of(*tasks: "asyncio.Task[Any]") -> None:
    done = asyncio.Event()
    for task in tasks:
        task.add_done_callback(lambda _: done.set())
    try:
        await done.wait()
    finally:
        for task in tasks:
            task.cancel()


async def _heal(world: World, clients: Sequence[Client], owners: Sequence[Owner]) -> None:
    """The faults are over, one process is left, and everything must end."""
    random = chance(world.seed, "heal")
    world.heal()
    kept = world.awake()[-1:] if random.random() < 0.5 else []
    for process in list(world.processes):
        if process not in kept:
            process.die("the end of the faults")
    tasks = [asyncio.create_task(supervisor(world))]
    if random.random() < 0.5:
        tasks.append(asyncio.create_task(world.guarded(market(world))))
    finishing = asyncio.create_task(world.guarded(_finish(world, clients, owners)))
    ended = asyncio.create_task(world.ended.wait())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CONVERGES_S):
            await _first_of(finishing, ended)
    if finishing.done() and not finishing.cancelled():
        finishing.result()
    if world.violation is None:
        world.judge_at_rest()
    for task in tasks:
        task.cancel()


async def _finish(world: World, clients: Sequence[Client], owners: Sequence[Owner]) -> None:
    """Owners see to all their orders, also to those that a request of the time of faults still creates."""
    while not (await _is_at_rest(world) and all(owner.is_done() for owner in owners)):
        async with asyncio.TaskGroup() as group:
            for owner in owners:
                if not owner.is_done():
                    group.create_task(owner.finishes())
            for client in clients:
                for ticket in client.tickets:
                    if not world.checkers.has_ended(ticket.order_id):
                        group.create_task(client.finishes(ticket))
        await asyncio.sleep(0.5)


async def _is_at_rest(world: World) -> bool:
    """The outbox owes nothing, and live memory is what is stored."""
    awake = world.awake()
    if not awake or not awake[-1].outbox.is_idle():
        return False
    for order_id in tuple(world.checkers.orders):
        try:
            group = await awake[-1].shard.committed(OrderId(order_id))
        except (Unavailable, CommitUnknown):
            return False
        if group is not None:
            world.judged(world.checkers.remembers, {order_id: encode(group)}, all_of_them=False)
    return all(world.checkers.has_ended(order_id) for order_id in world.checkers.orders)


@contextlib.contextmanager
def _overheard() -> Iterator[Callable[[World], None]]:
    """What the engine logs goes into the trace; an error that it logs as its own bug is one."""
    worlds: list[World] = []

    def hear(_logger: object, _method: str, line: Any) -> Any:
        if worlds and line.get("event") == "an effect failed":
            worlds[0].is_bug("outbox", line["exc_info"])
        if worlds and "TermBroken" in str(line.get("reason", "")) + str(line.get("cause", "")):
            worlds[0].is_bug("shard", AssertionError(str(line)))
        raise structlog.DropEvent

    before, silent = structlog.get_config(), logging.root.manager.disable
    structlog.configure(processors=[hear], cache_logger_on_first_use=False)
    logging.disable(logging.CRITICAL)
    try:
        yield worlds.append
    finally:
        structlog.configure(**before)
        logging.disable(silent)


def main(seeds: range, steps: int, *, chain: str = DEFAULT_CHAIN, say: Callable[[str], None] = print) -> int:
    """Runs the seeds. Returns the exit status: 1 at the first that breaks a claim."""
    began, done, situations = time.perf_counter(), 0, Counter[str]()
    for seed in seeds:
        outcome = simulate(seed, steps, side=SIDES[chain])
        done += outcome.steps
        situations += outcome.trace.situations
        if outcome.violation is not None:
            report(outcome, steps, chain, say)
            return 1
    took = time.perf_counter() - began
    say(f"{len(seeds)} seeds, {done} steps in {took:.1f} s: {done / max(took, 1e-9):.0f} steps/s")
    for situation, times in sorted(situations.items()):
        say(f"{times:8d}  {situation}")
    return 0


def report(outcome: Outcome, steps: int, chain: str, say: Callable[[str], None], last: int = 60) -> None:
    for line in list(outcome.trace.lines)[-last:]:
        say(line)
    violation = outcome.violation
    assert violation is not None
    if violation.__cause__ is not None:
        say("".join(traceback.format_exception(violation.__cause__)))
    say(f"seed {outcome.seed} broke a claim after {outcome.steps} steps")
    say(str(violation))
    extra = "" if chain == DEFAULT_CHAIN else f" --chain {chain}"
    say(f"again: countermand simulate --seed {outcome.seed} --steps {steps}{extra}")
