"""A shard and its outbox under virtual time: a store in memory that fails when told to, and a chain of a few lines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec

from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.kernel.ports import Epoch
from countermand.orders.shards import ONE_TRIGGER_SHARD, BucketOwners
from countermand.orders.trigger.model.commands import PlaceOrder, RequestCancel, ResolveAttempt, UnsignedDeposit
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.ports import TriggerBatch
from countermand.orders.trigger.shard import TriggerShard
from countermand.orders.trigger.work import TriggerOutbox
from countermand.orders.vaults.ports import OrderBody
from countermand.orders.vaults.shard import Decided
from countermand.services.prices import Prices
from countermand.values.identity import Address, OrderId, RequestId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING, BaseUnits
from countermand.values.transactions import (
    Alteration,
    Attempt,
    AttemptKind,
    ObservedOutcome,
    Submission,
    SwapAmounts,
    SwapRefused,
    TransactionOutcome,
    UnsignedTransaction,
)
from countermand_simulator.loop import run
from countermand_simulator.memory_store import BEFORE_COMMIT, MemoryDatabase, MemoryPrices, MemoryStore
from tests.orders.trigger.samples import ALICE, PLACED_AT, deposit, place

CONFIRM_TIMEOUT_MS = 300
P = ParamSpec("P")


def under_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    async def in_time(*args: P.args, **kwargs: P.kwargs) -> None:
        async with asyncio.timeout(600):  # Virtual seconds: a caller that waits that long waits for ever.
            await test(*args, **kwargs)

    @wraps(test)
    def synchronous(*args: P.args, **kwargs: P.kwargs) -> None:
        run(in_time(*args, **kwargs))

    return synchronous


class Trouble:
    """The faults of the store: what is raised next at a point, and whether commits or reads are held."""

    def __init__(self) -> None:
        self.raises: dict[str, list[Exception]] = {}
        self.passed: list[str] = []
        self.held: dict[str, asyncio.Event] = {}

    async def at(self, point: str) -> None:
        self.passed.append(point)
        if point in self.held:
            await self.held[point].wait()
        if self.raises.get(point):
            raise self.raises[point].pop(0)

    def waits_for(self, batch: TriggerBatch, /) -> bool:
        return True

    def hold(self, point: str) -> None:
        self.held[point] = asyncio.Event()

    def release(self, point: str) -> None:
        self.held.pop(point).set()


class CountingStore(MemoryStore):
    """Remembers the batches that it was given."""

    def __init__(self, database: MemoryDatabase, trouble: Trouble) -> None:
        super().__init__(database, trouble)
        self.batches: list[TriggerBatch] = []
        self.asked: list[str] = []
        """The reads of single orders and crafts."""

    async def orders(self, order_ids: Sequence[OrderId]) -> Mapping[OrderId, OrderBody]:
        self.asked.append("orders")
        return await super().orders(order_ids)

    async def crafts(self, request_ids: Sequence[RequestId]) -> Mapping[RequestId, bytes]:
        self.asked.append("crafts")
        return await super().crafts(request_ids)

    async def commit(self, batch: TriggerBatch) -> None:
        self.batches.append(batch)
        await super().commit(batch)


@dataclass
class StubCustody:
    """What it was asked, in order; what it says is set by the test."""

    asked: list[tuple[str, OrderId, int]] = field(default_factory=list)
    fates: dict[tuple[OrderId, int], TransactionOutcome] = field(default_factory=dict)
    lands: bool = True
    """What is sent lands."""
    trouble: dict[str, list[Exception]] = field(default_factory=dict)
    before: Callable[[str, OrderId], Awaitable[None]] | None = None

    async def _note(self, what: str, order_id: OrderId, number: int) -> None:
        self.asked.append((what, order_id, number))
        await asyncio.sleep(0)
        if self.before is not None:
            await self.before(what, order_id)
        if self.trouble.get(what):
            raise self.trouble[what].pop(0)

    def times(self, what: str) -> int:
        return sum(one[0] == what for one in self.asked)

    async def outcome(self, group: OrderGroup, attempt: Attempt) -> ObservedOutcome | None:
        await self._note("fate", group.id, attempt.number)
        fate = self.fates.get((group.id, attempt.number))
        if fate is None:
            return None
        swaps = fate is TransactionOutcome.LANDED and attempt.kind is AttemptKind.FILL
        swap = SwapAmounts(attempt.craft.moves, BaseUnits(1), NOTHING) if swaps else None
        return ObservedOutcome(fate, Signature(f"{group.id} {attempt.number}"), swap=swap)

    async def send(self, group: OrderGroup, attempt: Attempt) -> None:
        await self._note("send", group.id, attempt.number)
        if self.lands:
            self.fates.setdefault((group.id, attempt.number), TransactionOutcome.LANDED)

    async def build_fill(self, group: OrderGroup) -> UnsignedTransaction | SwapRefused:
        await self._note("build_fill", group.id, group.progress.attempts)
        return UnsignedTransaction(b"fill", 150, moves=group.remaining, closes=True)

    async def build_sweep(self, group: OrderGroup) -> UnsignedTransaction | None:
        await self._note("build_sweep", group.id, group.progress.attempts)
        return None

    # What an outbox and a shard never ask.

    def vault_of(self, wallet: Wallet) -> Address:
        raise NotImplementedError

    async def block_height(self) -> int:
        raise NotImplementedError

    async def build_deposit(self, **_asked: Any) -> UnsignedDeposit:
        raise NotImplementedError

    async def simulate_deposit(self, deposit: UnsignedDeposit) -> str | None:
        raise NotImplementedError

    async def build_withdrawal(self, group: OrderGroup) -> UnsignedTransaction:
        raise NotImplementedError

    async def shortfall(self, craft: UnsignedTransaction) -> str | None:
        raise NotImplementedError

    def alteration(self, built: UnsignedTransaction, submission: Submission) -> Alteration:
        raise NotImplementedError

    def read_submission(self, transaction: str, wallet: Wallet) -> Submission:
        raise NotImplementedError

    def unsigned_transaction(self, craft: UnsignedTransaction) -> str:
        raise NotImplementedError

    def signature_of(self, group: OrderGroup, attempt: Attempt) -> Signature:
        raise NotImplementedError


@dataclass
class Workbench:
    """One process: a shard, its outbox, and the tasks that run them."""

    shard: TriggerShard
    prices: Prices
    outbox: TriggerOutbox
    store: CountingStore
    clock: VenueClock
    custody: StubCustody
    told: list[tuple[tuple[OrderGroup, ...], bool]]
    running: asyncio.Task[None]

    async def place(self, order_id: str = "order", **more: Any) -> Decided[OrderGroup]:
        answer = await self.shard.submit(placing(order_id, **more))
        assert isinstance(answer, Decided), answer
        return answer

    async def opens(self, order_id: str = "order", **more: Any) -> None:
        """Places it, and its deposit lands."""
        answer = await self.place(order_id, **more)
        landed = ResolveAttempt(answer.order.id, 1, TransactionOutcome.LANDED, Signature("deposit"), None)
        assert isinstance(await self.shard.submit(landed), Decided)

    def has(self, order_id: str) -> bool:
        """In memory."""
        writer = self.shard._epoch
        return writer is not None and OrderId(order_id) in writer.state.live.groups

    def stored(self) -> list[OrderId]:
        return list(self.store.database.shard(0).orders)

    def journal(self) -> list[str]:
        return [row.kind for row in self.store.database.shard(0).journal.values()]


def placing(order_id: str = "order", **more: Any) -> PlaceOrder:
    crafted = deposit(order_id=OrderId(order_id), request_id=RequestId(f"deposit of {order_id}"))
    return place(**{"order_id": OrderId(order_id), "deposit": crafted, **more})


def cancelling(order_id: str = "order") -> RequestCancel:
    return RequestCancel(OrderId(order_id), ALICE, RequestId("cancellation"), None, 0)


def _nothing_owed(_groups: Sequence[OrderGroup], _loaded: bool) -> None:
    """Without an outbox nothing is done for an order."""


@asynccontextmanager
async def workbench(
    database: MemoryDatabase | None = None,
    trouble: Trouble | None = None,
    custody: StubCustody | None = None,
    *,
    acting: bool = False,
    owners: BucketOwners = ONE_TRIGGER_SHARD,
) -> AsyncIterator[Workbench]:
    """Leaving it is a crash. `acting`: the outbox works."""
    loop = asyncio.get_running_loop()
    store = CountingStore(MemoryDatabase() if database is None else database, trouble or Trouble())
    clock = VenueClock(ClockSetting(frozen_at=PLACED_AT), wall=lambda: Instant(round(loop.time() * 1000)))
    custody = custody or StubCustody()
    told: list[tuple[tuple[OrderGroup, ...], bool]] = []

    def on_committed(groups: Sequence[OrderGroup], loaded: bool) -> None:
        told.append((tuple(groups), loaded))
        (outbox.on_committed if acting else _nothing_owed)(groups, loaded)

    prices = Prices(MemoryPrices(store.database, trouble or Trouble(), lambda: shard.opened))
    shard = TriggerShard(0, store, clock, prices, on_committed, owners)
    prices.add_observer(shard.observe_prices)
    outbox = TriggerOutbox(shard, custody, clock, CONFIRM_TIMEOUT_MS)
    running = asyncio.create_task(shard.run())
    tasks = [running] + ([asyncio.create_task(outbox.run())] if acting else [])
    try:
        yield Workbench(shard, prices, outbox, store, clock, custody, told, running)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def quiet() -> None:
    """Lets everything happen that can happen without time passing."""
    for _ in range(50):
        await asyncio.sleep(0)


__all__ = ["BEFORE_COMMIT", "Epoch"]
