"""One process of the venue: the whole engine over the shared store and chain. It can die, freeze, and be replaced."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from countermand.domain.identity import Mint
from countermand.domain.quantities import UsdPrice
from countermand.domain.trigger.commands import Command
from countermand.domain.trigger.order import OrderGroup
from countermand.domain.trigger.refusals import Refused
from countermand.engine.clock import VenueClock
from countermand.engine.ids import Ids
from countermand.engine.outbox import Outbox
from countermand.engine.ports import CommitUnknown, Custody, Store, Unavailable, WriterReplaced
from countermand.engine.shard import Answer, Shard
from countermand.engine.trigger import TriggerOrders
from countermand.simulation.families import SOUND_FAMILIES, Families, Makes
from countermand.simulation.loop import Freight
from countermand.solana.port import Node

T = TypeVar("T")


class Surroundings(Protocol):
    """What a process needs of the world."""

    def store_for(self, process: "Process") -> Store: ...

    def custody_for(self, process: "Process") -> Custody: ...

    def nodes_for(self, process: "Process") -> tuple[Node, Node] | None:
        """The chain as the process reaches it, and as others do through it; None if it has no order programs."""

    def price_of(self, mint: Mint) -> UsdPrice | None: ...

    async def boot(self, process: "Process") -> None: ...

    async def stopped(self, process: "Process") -> None: ...

    def process_ended(self, process: "Process", why: str) -> None: ...

    def committed(self, process: "Process", groups: Sequence[OrderGroup], loaded: bool) -> None: ...

    def stepped(self, process: "Process", command: Command | None) -> None: ...

    def stepped_on_chain(self, what: str) -> None: ...

    def is_bug(self, who: str, error: BaseException) -> None: ...


class CountedShard(Shard):
    """Tells of each step: one command that is applied, be it a request's, a price, or an effect's result."""

    stepped: Callable[[Command | None], None]

    async def submit(self, command: Command) -> Answer | Refused:
        self.stepped(command)
        return await super().submit(command)

    async def observe_price(self, mint: Mint, price: UsdPrice, *, at_once: bool) -> None:
        self.stepped(None)
        await super().observe_price(mint, price, at_once=at_once)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process is built of. A test that wants a defect puts its own part in."""

    shard: type[CountedShard] = CountedShard
    outbox: type[Outbox] = Outbox
    orders: type[TriggerOrders] = TriggerOrders
    store: Callable[[Store], Store] = lambda store: store
    families: Makes = SOUND_FAMILIES


class Gone(Exception):
    """The connection broke: nobody knows what became of the request."""


class Process:
    def __init__(
        self, name: str, world: Surroundings, parts: Parts, clock: VenueClock, seed: int, confirm_ms: int, kept: int
    ) -> None:
        self.name = name
        self.is_alive = True
        self._world = world
        self._freight = Freight(name)
        self._open: dict[asyncio.Future[Any], None] = {}
        store = parts.store(world.store_for(self))
        custody = world.custody_for(self)
        self.custody = custody
        self.shard = parts.shard(0, store, clock, self._on_committed)
        self.shard.dormant_kept = kept
        self.shard.stepped = lambda command: world.stepped(self, command)
        self.outbox = parts.outbox(self.shard, custody, clock, confirm_ms)
        ids = Ids(seed)
        self.orders = parts.orders(self.shard, self.outbox, custody, store, clock, ids, confirm_ms)
        nodes = world.nodes_for(self)
        self._families = nodes and Families(
            parts.families, self.shard, store, *nodes, clock, ids, confirm_ms, world.price_of, world.stepped_on_chain
        )

    def start(self) -> None:
        self._freight.start(self._live()).add_done_callback(self._stopped)

    async def _live(self) -> None:
        """As the venue does: the chain first, and the end of one is the end of all."""
        await self._world.boot(self)
        for work in (self.shard.run(), self.outbox.run()):
            self._freight.start(work).add_done_callback(self._stopped)
        await self._world.stopped(self)
        raise WriterReplaced("another process writes the chain now")

    @property
    def families(self) -> Families:
        assert self._families is not None, "this chain has no order programs"
        return self._families

    @property
    def is_paused(self) -> bool:
        return self._freight.is_paused

    def pause(self) -> None:
        self._freight.pause()

    def wake(self) -> None:
        self._freight.wake()

    def die(self, where: str) -> None:
        """Everything that is in memory is gone, and every connection is cut."""
        if not self.is_alive:
            return
        self.is_alive = False
        self._freight.drop()
        for answer in self._open:
            if not answer.done():
                answer.set_exception(Gone(f"{self.name} died {where}"))
        self._world.process_ended(self, where)

    async def handle(self, work: Callable[["Process"], Coroutine[Any, Any, T]], hang_up_ms: int | None = None) -> T:
        """Runs a request in the process. Raises `Gone` if it dies meanwhile, or if the client hangs up."""
        if not self.is_alive:
            raise Gone(f"{self.name} is not there")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._open[answer] = None
        task = self._freight.start(work(self))
        task.add_done_callback(lambda done: self._answered(done, answer))
        try:
            async with asyncio.timeout(None if hang_up_ms is None else hang_up_ms / 1000):
                return await answer
        except TimeoutError:
            task.cancel()
            raise Gone("the client hung up") from None
        finally:
            self._open.pop(answer, None)

    def _answered(self, task: asyncio.Task[T], answer: asyncio.Future[T]) -> None:
        if task.cancelled() or not self.is_alive:
            return
        error = task.exception()
        if not isinstance(error, Unavailable | CommitUnknown | None):
            self._world.is_bug(self.name, error)
        if answer.done():
            return
        if error is None:
            answer.set_result(task.result())
        else:
            answer.set_exception(error)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or not self.is_alive:
            return
        error = task.exception()
        if isinstance(error, WriterReplaced):
            self.die(f"replaced: {error}")
        elif error is not None:
            self._world.is_bug(self.name, error)

    def _on_committed(self, groups: Sequence[OrderGroup], loaded: bool) -> None:
        self._world.committed(self, groups, loaded)
        self.outbox.on_committed(groups, loaded)
