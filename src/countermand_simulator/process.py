"""One process of the venue: the whole engine over the shared store and chain."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from countermand.kernel.clock import VenueClock
from countermand.kernel.ids import Ids
from countermand.kernel.ports import WriterReplaced
from countermand.orders.chain.index import ChainIndex
from countermand.orders.chain.ports import ChainIndexStore
from countermand.orders.chain.shard import ChainIndexShard
from countermand.orders.shards import CHAIN_SHARD, TRIGGER_SHARD, BucketOwners
from countermand.orders.trigger.model.decide import OrderCommand
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.model.refusals import TriggerRefused
from countermand.orders.trigger.ports import Store, Transactions
from countermand.orders.trigger.service import TriggerService
from countermand.orders.trigger.shard import TriggerShard
from countermand.orders.trigger.work import TriggerOutbox
from countermand.orders.vaults.registry import VaultRegistry, VaultStore
from countermand.orders.vaults.shard import Decided
from countermand.services.prices import Prices, PriceStore
from countermand.services.transactions.client_transactions import BuildStore
from countermand.solana.port import Node
from countermand.values.bucket import Bucket
from countermand.values.identity import Mint, OrderId
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice
from countermand_simulator.chance import chance
from countermand_simulator.families import SOUND_FAMILIES, Families, Makes
from countermand_simulator.rounds_process import SOUND_ROUNDS, RoundParts, Rounds, RoundsOutside
from countermand_simulator.simulated_process import ProcessObserver, SimulatedProcess
from countermand_simulator.untold import NothingTold


class Surroundings(ProcessObserver, Protocol):
    """What a process needs of the world."""

    def store_for(self, process: "Process") -> Store: ...

    def prices_for(self, process: "Process", opened: Callable[[], int | None]) -> PriceStore:
        """`opened` tells the epoch in which the process took the shard."""

    def builds_for(self, process: "Process") -> BuildStore: ...
    def vaults_for(self, process: "Process") -> VaultStore: ...
    def transactions_for(self, process: "Process") -> Transactions: ...

    def rounds_for(self, process: "Process") -> RoundsOutside | None:
        """For recurring orders; None if there are none."""

    def nodes_for(self, process: "Process") -> tuple[Node, Node] | None:
        """The chain as the process reaches it, and as others do through it; None if it has no order programs."""

    def index_for(self, process: "Process") -> tuple[ChainIndexStore, Node] | None:
        """Where the chain's index is kept, and the chain as it follows it; None if there are no orders there."""

    def price_of(self, mint: Mint) -> UsdPrice | None: ...

    @property
    def owners(self) -> BucketOwners:
        """Every process runs the trigger shard; the others have buckets that no wallet of this world is in."""

    @property
    def older_ids(self) -> float:
        """How often an order's id is of an older layout."""

    async def boot(self, process: "Process") -> None: ...

    async def stopped(self, process: "Process") -> None: ...

    def committed(self, process: "Process", groups: Sequence[OrderGroup], loaded: bool) -> None: ...

    def stepped(self, who: str, what: str) -> None: ...

    def stepped_on_chain(self, what: str) -> None: ...


_ROUNDS_IDS: Final = 500
"""What a process adds to its seed for them. No run has so many processes."""


class CountedShard(TriggerShard):
    """Tells of each step: one command that is applied, be it a request's, a price, or an effect's result."""

    stepped: Callable[[str], None]

    async def submit(self, command: OrderCommand) -> Decided[OrderGroup] | TriggerRefused:
        self.stepped(f"{type(command).__name__} {getattr(command, 'order_id', '')}")
        return await super().submit(command)

    async def observe_prices(self, prices: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
        self.stepped("observe_prices")
        await super().observe_prices(prices, at_once=at_once)


class MixedIds(Ids):
    """Some ids of orders are of an older layout: their last byte is as random as the rest."""

    def __init__(self, seed: int, older: float) -> None:
        super().__init__(seed)
        self._layouts = chance(seed, "layouts of ids")
        self._older = older

    def order_id(self, at: Instant, bucket: Bucket) -> OrderId:
        is_older = self._layouts.random() < self._older
        return super().order_id(at, Bucket(self._layouts.randrange(256)) if is_older else bucket)


@dataclass(frozen=True, slots=True)
class ProcessParts:
    """What a process is built of. A test that wants a defect puts its own part in."""

    shard: type[CountedShard] = CountedShard
    outbox: type[TriggerOutbox] = TriggerOutbox
    orders: type[TriggerService] = TriggerService
    store: Callable[[Store], Store] = lambda store: store
    families: Makes = SOUND_FAMILIES
    rounds: RoundParts = SOUND_ROUNDS


class Process(SimulatedProcess):
    def __init__(
        self,
        name: str,
        world: Surroundings,
        parts: ProcessParts,
        clock: VenueClock,
        seed: int,
        confirm_ms: int,
        kept: int,
    ) -> None:
        super().__init__(name, world)
        self._world = world
        store = parts.store(world.store_for(self))
        transactions = world.transactions_for(self)
        self.transactions = transactions
        self.prices = Prices(world.prices_for(self, lambda: self.shard.opened))
        self.shard = parts.shard(TRIGGER_SHARD, store, clock, self.prices, self._on_committed, world.owners)
        self.prices.add_observer(self.shard.observe_prices)
        self.shard.dormant_kept = kept
        self.shard.stepped = lambda what: world.stepped(self.name, what)
        self.outbox = parts.outbox(self.shard, transactions, clock, confirm_ms)
        ids = MixedIds(seed, world.older_ids)
        self.orders = parts.orders(self.shard, self.outbox, transactions, store, clock, ids, confirm_ms)
        self.registry = VaultRegistry(world.vaults_for(self), self.shard.now)
        outside = world.rounds_for(self)
        rounds_ids = MixedIds(seed + _ROUNDS_IDS, world.older_ids)
        self._rounds = None if outside is None else Rounds(parts.rounds, outside, clock, self.prices, rounds_ids)
        nodes, index = world.nodes_for(self), world.index_for(self)
        self._index = None
        if index is not None:
            index_store, node = index
            self._index = ChainIndex(
                ChainIndexShard(CHAIN_SHARD, index_store, clock), index_store, node, node, is_own=True
            )
        self._families = nodes and Families(
            parts.families,
            world.builds_for(self),
            *nodes,
            self._index or NothingTold(),
            clock,
            ids,
            confirm_ms,
            world.price_of,
            world.stepped_on_chain,
        )

    async def live(self) -> None:
        """As the venue does: the chain first, and the end of one is the end of all."""
        await self._world.boot(self)
        works = [self.shard.run(), self.outbox.run()]
        if self._rounds is not None:
            works += self._rounds.works()
        if self._index is not None:
            works += [self._index.shard.run(), self._index.run()]
        for work in works:
            self._also(work)
        await self._world.stopped(self)
        raise WriterReplaced("another process writes the chain now")

    async def run_due(self) -> None:
        """What time demands by now has happened when it returns."""
        await self.shard.run_due()
        if self._rounds is not None:
            await self._rounds.shard.run_due()

    async def committed(self) -> None:
        """Returns once all that was decided is stored."""
        await self.shard.barrier()
        if self._rounds is not None:
            await self._rounds.shard.barrier()

    @property
    def is_idle(self) -> bool:
        """Nothing is owed to any order."""
        return self.outbox.is_idle() and (self._rounds is None or self._rounds.outbox.is_idle())

    @property
    def rounds(self) -> Rounds:
        assert self._rounds is not None, "this world has no recurring orders"
        return self._rounds

    @property
    def families(self) -> Families:
        assert self._families is not None, "this chain has no order programs"
        return self._families

    def _on_committed(self, groups: Sequence[OrderGroup], loaded: bool) -> None:
        self._world.committed(self, groups, loaded)
        self.outbox.on_committed(groups, loaded)
