"""Runs the simulation from seeds, and says what broke and how to see it again."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from countermand.kernel.journal import encode
from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.values.identity import OrderId
from countermand_simulator import fault_driver, fault_profile, loop
from countermand_simulator.chance import chance
from countermand_simulator.checkers import Claim
from countermand_simulator.checkers.family import FamilyCheckers
from countermand_simulator.clients import Client
from countermand_simulator.dca_clients import DcaClient
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.harness import first_of
from countermand_simulator.historians import historian
from countermand_simulator.keepers import Keeper, keepers_of
from countermand_simulator.limit_clients import LimitClient
from countermand_simulator.log_capture import IsBug, captured_log
from countermand_simulator.market import PRICES_AT_FIRST, market
from countermand_simulator.outcomes import Outcome, Tally, run_all
from countermand_simulator.owners import Owner
from countermand_simulator.planners import Planner
from countermand_simulator.process import ProcessParts
from countermand_simulator.sides import ChainSide, ModelSide
from countermand_simulator.svm import SvmSide
from countermand_simulator.violation import Violation
from countermand_simulator.world import World

SOUND: Final = ProcessParts()
STALLED_S: Final = 7_200
"""Of virtual time without the steps that were asked for."""
CONVERGES_S: Final = 1_200
"""Of virtual time in which everything must end once the faults are over."""

_RECOVERED_S: Final = 20
"""After the last fault, so long a venue may need until all is as usual."""

drive_faults: Final = partial(
    fault_driver.drive_faults, pause_s=2, leaps_ms=(1_000, 30_000, 3_600_000), freezes_s=(0.01, 0.2, 2, 10)
)
supervisor: Final = partial(fault_driver.supervisor, every_s=0.05)

Side = Callable[[World], ChainSide]
Actions = Callable[[], Awaitable[None]]


def model(world: World) -> ChainSide:
    return ModelSide(world.profile.wallets, world.wall_ms, world.profile.slot_window, world.profile.planners)


def svm(world: World) -> ChainSide:
    return SvmSide(world)


SIDES: Final[dict[str, Side]] = {"model": model, "svm": svm}
DEFAULT_CHAIN: Final = "svm"
"""The real custody and the real virtual machine cost a third more time than the model, and are what is to be tested."""


@dataclass(frozen=True, slots=True)
class Finishers:
    """Who sees to the orders once the faults are over."""

    clients: Sequence[Client]
    owners: Sequence[Owner]
    planners: Sequence[Planner]


def simulate(
    seed: int, steps: int, *, side: Side = svm, parts: ProcessParts = SOUND, options: FaultProfile | None = None
) -> Outcome:
    """One run. Whatever happens in it follows from the arguments."""
    drawn = options or drawn_for(seed)
    with captured_log() as listen:
        return loop.run(_run(seed, steps, drawn, side, parts, listen))


def drawn_for(seed: int) -> FaultProfile:
    """What the seed draws."""
    drawn = fault_profile.with_planners(fault_profile.drawn(chance(seed, "swarm")), chance(seed, "planners"))
    return fault_profile.with_keepers(drawn, chance(seed, "keepers"))


async def _run(
    seed: int, steps: int, options: FaultProfile, side: Side, parts: ProcessParts, listen: Callable[[IsBug], None]
) -> Outcome:
    world = World(seed, options, side, parts)
    listen(world.is_bug)
    await world.side.open()
    for mint, price in zip(world.side.mints, PRICES_AT_FIRST, strict=True):
        world.moves(mint, price)
    clients: list[Client] = []
    clients += [Client(world, wallet, lambda: clients) for wallet in world.side.wallets]
    owners: list[Owner] = []
    readers: list[Actions] = []
    if world.side.orders is not None:
        owners += [LimitClient(world, wallet) for wallet in world.side.orders.limit_clients]
        owners += [DcaClient(world, wallet) for wallet in world.side.orders.dca_clients]
    planners: list[Planner] = []
    planners += [Planner(world, wallet, lambda: planners) for wallet in world.side.planners]
    if world.side.orders is not None:
        readers = [partial(historian, world)]
    world.start_process()
    for mint, price in world.prices.items():
        await world.price(mint, price, at_once=True)
    lives: list[Actions] = [client.live for client in clients]
    lives += [owner.live for owner in owners]
    lives += [planner.live for planner in planners]
    keepers = keepers_of(world)
    lives += [keeper.live for keeper in keepers]
    markets = [partial(market, world, number) for number in range(world.profile.markets)]
    rest: list[Actions] = [*markets, partial(drive_faults, world), partial(supervisor, world)]
    tasks = [asyncio.create_task(world.acts(actions)) for actions in (*lives, *readers, *rest)]
    safe = await _reach(world, steps, STALLED_S)
    if world.violation is None and not safe:
        world.found(Violation(Claim.EVERYTHING_ENDS, f"only {world.steps} steps in {STALLED_S} s"))
    for task in tasks:
        task.cancel()
    if world.violation is None:
        await _heal(world, Finishers(clients, owners, planners), keepers)
    for process in list(world.processes):
        process.die("the end of the run")
    return Outcome(seed, world.steps, world.trace, world.violation)


async def _reach(world: World, steps: int, limit_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            while world.steps < steps and world.violation is None:
                world.news.clear()
                await world.news.wait()
            return world.violation is None
    return False


async def _heal(world: World, people: Finishers, keepers: Sequence[Keeper]) -> None:
    """The faults are over, one process is left, and everything must end, by its owner or by a keeper."""
    random = chance(world.seed, "heal")
    world.heal(random)
    tasks = [asyncio.create_task(supervisor(world))]
    if people.planners:
        tasks.append(asyncio.create_task(_none_is_forgotten(world)))
    if random.random() < 0.5:
        tasks.append(asyncio.create_task(world.guarded(market(world))))
    if random.random() < 0.5:
        tasks += [asyncio.create_task(world.guarded(keeper.live())) for keeper in keepers]
    finishing = asyncio.create_task(world.guarded(_finish(world, people)))
    ended = asyncio.create_task(world.ended.wait())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CONVERGES_S):
            await first_of(finishing, ended)
    if finishing.done() and not finishing.cancelled():
        finishing.result()
    if world.violation is None:
        world.judge_at_rest()
    for task in tasks:
        task.cancel()


async def _finish(world: World, people: Finishers) -> None:
    """Owners see to all their orders, also to those that a request of the time of faults still creates."""
    while not (await _is_at_rest(world) and all(owner.is_done() for owner in people.owners)):
        async with asyncio.TaskGroup() as group:
            for owner in people.owners:
                if not owner.is_done():
                    group.create_task(owner.finishes())
            for client in people.clients:
                for ticket in client.tickets:
                    if not world.checkers.has_ended(ticket.order_id):
                        group.create_task(client.finishes(ticket))
            for planner in people.planners:
                for plan in planner.tickets:
                    if not world.rounds.has_ended(plan.order_id):
                        group.create_task(planner.finishes(plan))
        await asyncio.sleep(0.5)


async def _is_at_rest(world: World) -> bool:
    """No commit is on its way, the outboxes owe nothing, and live memory is what is stored."""
    awake = world.awake()
    if not awake:
        return False
    try:
        await awake[-1].committed()
        if not awake[-1].is_idle or not world.is_all_told():
            return False
        for order_id in tuple(world.checkers.orders):
            group = await awake[-1].shard.committed(OrderId(order_id))
            if group is not None:
                world.judged(world.checkers.remembers, {order_id: encode(group)}, all_of_them=False)
        for order_id in tuple(world.rounds.orders):
            order = await awake[-1].rounds.shard.committed(OrderId(order_id))
            if order is not None:
                world.judged(world.rounds.remembers, {order_id: encode(order)}, all_of_them=False)
    except (Unavailable, CommitUnknown):
        return False
    families: tuple[FamilyCheckers, ...] = (world.checkers, world.rounds)
    return all(checkers.has_ended(order_id) for checkers in families for order_id in checkers.orders)


async def _none_is_forgotten(world: World) -> None:
    """Without faults, each round that is due is tried soon."""
    await asyncio.sleep(_RECOVERED_S)
    since = world.clock.now()
    while True:
        await asyncio.sleep(1)
        world.judged(world.rounds.all_are_tried, since, world.clock.now())


def main(
    seeds: range,
    steps: int,
    *,
    chain: str = DEFAULT_CHAIN,
    say: Callable[[str], None] = print,
    tally: Tally | None = None,
) -> int:
    """Runs the seeds. Returns the exit status: 1 at the first that breaks a claim."""
    return run_all(seeds, lambda seed: simulate(seed, steps, side=SIDES[chain]), again(steps, chain), say, tally)


def again(steps: int, chain: str = DEFAULT_CHAIN) -> str:
    """What repeats a run, besides its seed."""
    return f"--steps {steps}" if chain == DEFAULT_CHAIN else f"--steps {steps} --chain {chain}"
