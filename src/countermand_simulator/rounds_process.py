"""What one process of the venue has for recurring orders: their shard, their outbox and their service."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from countermand.kernel.clock import VenueClock
from countermand.kernel.ids import Ids
from countermand.orders.dca.model.commands import Command
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.model.refusals import DcaRefused
from countermand.orders.dca.ports import Store, Transactions
from countermand.orders.dca.service import DcaService
from countermand.orders.dca.shard import DcaShard
from countermand.orders.dca.work import DcaOutbox
from countermand.orders.shards import DCA_SHARD, BucketOwners
from countermand.orders.vaults.shard import Decided
from countermand.services.prices import Prices


class CountedDcaShard(DcaShard):
    """Tells of each step, as `CountedShard` does."""

    stepped: Callable[[str], None]

    async def submit(self, command: Command) -> Decided[DcaOrder] | DcaRefused:
        self.stepped(f"{type(command).__name__} {command.order_id}")
        return await super().submit(command)


@dataclass(frozen=True, slots=True)
class RoundParts:
    """What it is made of. A test that wants a defect puts its own part in."""

    shard: type[CountedDcaShard] = CountedDcaShard
    outbox: type[DcaOutbox] = DcaOutbox
    orders: type[DcaService] = DcaService
    store: Callable[[Store], Store] = lambda store: store


SOUND_ROUNDS: Final = RoundParts()


@dataclass(frozen=True, slots=True)
class RoundsOutside:
    """What it needs of the world."""

    store: Store
    transactions: Transactions
    owners: BucketOwners
    committed: Callable[[Sequence[DcaOrder], bool], None]
    stepped: Callable[[str], None]
    confirm_ms: int
    kept: int


class Rounds:
    def __init__(self, parts: RoundParts, outside: RoundsOutside, clock: VenueClock, prices: Prices, ids: Ids) -> None:
        store = parts.store(outside.store)
        self._told = outside.committed
        self.transactions = outside.transactions
        self.shard = parts.shard(DCA_SHARD, store, clock, prices, self._on_committed, outside.owners)
        self.shard.dormant_kept = outside.kept
        self.shard.stepped = outside.stepped
        self.outbox = parts.outbox(self.shard, self.transactions, clock, outside.confirm_ms)
        self.orders = parts.orders(self.shard, self.outbox, self.transactions, store, clock, ids, outside.confirm_ms)

    def works(self) -> Sequence[Coroutine[Any, Any, None]]:
        """What it does by itself."""
        return self.shard.run(), self.outbox.run()

    def _on_committed(self, orders: Sequence[DcaOrder], loaded: bool) -> None:
        self._told(orders, loaded)
        self.outbox.on_committed(orders, loaded)
