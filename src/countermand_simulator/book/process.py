"""One process of the venue: its shard over the shared store, and what can be asked of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from countermand.kernel.clock import VenueClock
from countermand.kernel.ids import Ids
from countermand.orders.book.model.commands import Command
from countermand.orders.book.model.decide import Decision
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.refusals import BookRefused
from countermand.orders.book.ports import BookStore
from countermand.orders.book.rows import Draft
from countermand.orders.book.service import BookService
from countermand.orders.book.shard import BookEpoch, BookShard
from countermand.orders.book.state import BookState
from countermand.orders.shards import BOOK_SHARD
from countermand.values.instant import Instant
from countermand_simulator.book.options import Options
from countermand_simulator.simulated_process import ProcessObserver, SimulatedProcess


class Surroundings(ProcessObserver, Protocol):
    """What a process needs of the world."""

    def store_for(self, process: "BookProcess") -> BookStore: ...

    def stepped(self, who: str, what: str) -> None: ...

    def looked(self, process: "BookProcess", memory: BookState, *, loaded: bool) -> None: ...


class CountedShard(BookShard):
    """Tells of each command that is applied, and shows its memory whenever all of it is committed."""

    stepped: Callable[[str], None]
    looked: Callable[[BookState, bool], None]

    def _turn(self, writer: BookEpoch, command: Command, now: Instant | None = None) -> Decision | BookRefused:
        self.stepped(f"{type(command).__name__} {getattr(command, 'order_id', '')}")
        return super()._turn(writer, command, now)

    async def draft(self, *args: Any) -> Draft:
        self.stepped("draft")
        return await super().draft(*args)

    def _on_loaded(self, state: BookState) -> None:
        super()._on_loaded(state)
        self.looked(state, True)

    def _on_committed(self, state: BookState) -> None:
        super()._on_committed(state)
        if self._epoch is not None and self._epoch.is_settled():
            self.looked(state, False)


@dataclass(slots=True)
class MatchesFail:
    """The next so many matches fail."""

    due: int = 0

    def failing(self) -> bool:
        return self.due > 0

    def failed(self) -> None:
        self.due -= 1


@dataclass(frozen=True, slots=True)
class BookProcessParts:
    """What a process is built of. A test that wants a defect puts its own part in."""

    shard: type[CountedShard] = CountedShard
    venue: type[BookService] = BookService
    store: Callable[[BookStore], BookStore] = lambda store: store


class BookProcess(SimulatedProcess):
    def __init__(
        self,
        name: str,
        world: Surroundings,
        parts: BookProcessParts,
        clock: VenueClock,
        seed: int,
        markets: Iterable[Market],
        options: Options,
    ) -> None:
        super().__init__(name, world)
        self.faults = MatchesFail()
        self.store = parts.store(world.store_for(self))
        self.shard = parts.shard(BOOK_SHARD, self.store, clock, markets, self.faults, options.orders_per_turn)
        self.shard.ended_kept, self.shard.drafts_kept = options.ended_kept, options.drafts_kept
        self.shard.per_slice = options.per_slice
        self.shard.stepped = lambda what: world.stepped(self.name, what)
        self.shard.looked = lambda memory, loaded: world.looked(self, memory, loaded=loaded)
        self.venue = parts.venue(self.shard, self.store, Ids(seed))

    async def live(self) -> None:
        await self.shard.run()
