"""A shard and its outbox under virtual time: a store in memory, and a chain of a few lines."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.orders.dca.model.commands import PlaceOrder, RequestCancel, ResolveAttempt, UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.shard import DcaShard
from countermand.orders.dca.work import DcaOutbox
from countermand.orders.shards import DCA_SHARD
from countermand.orders.vaults.shard import Decided
from countermand.services.prices import Prices
from countermand.values.identity import OrderId, RequestId, Signature, Wallet
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
from countermand_simulator.fenced import FencedDatabase
from countermand_simulator.memory_dca import MemoryDcaShard, MemoryDcaStore
from countermand_simulator.memory_store import MemoryDatabase, MemoryPrices
from tests.orders.dca.samples import ALICE, PLACED_AT, deposit, place
from tests.orders.trigger.stubs import Trouble

CONFIRM_TIMEOUT_MS = 300


@dataclass
class StubTransactions:
    """What is sent lands, but for fills whose outcomes are named; it may refuse swaps."""

    asked: list[tuple[str, OrderId, int]] = field(default_factory=list)
    landed: dict[tuple[OrderId, int], TransactionOutcome] = field(default_factory=dict)
    next_outcomes: list[TransactionOutcome] = field(default_factory=list)
    refuses: bool = False

    def _note(self, what: str, order_id: OrderId, number: int) -> None:
        self.asked.append((what, order_id, number))

    def signature_of(self, order: DcaOrder, attempt: Attempt) -> Signature:
        raise NotImplementedError

    async def outcome(self, order: DcaOrder, attempt: Attempt) -> ObservedOutcome | None:
        await asyncio.sleep(0)
        fate = self.landed.get((order.id, attempt.number))
        if fate is None:
            return None
        swaps = fate is TransactionOutcome.LANDED and attempt.kind is AttemptKind.FILL
        swap = SwapAmounts(attempt.craft.moves, BaseUnits(1), NOTHING) if swaps else None
        error = "no" if fate is TransactionOutcome.REJECTED else None
        return ObservedOutcome(fate, Signature(f"{order.id} {attempt.number}"), error, swap=swap)

    async def send(self, order: DcaOrder, attempt: Attempt) -> None:
        self._note("send", order.id, attempt.number)
        is_named = attempt.kind is AttemptKind.FILL and self.next_outcomes
        fate = self.next_outcomes.pop(0) if is_named else TransactionOutcome.LANDED
        self.landed.setdefault((order.id, attempt.number), fate)

    async def build_fill(self, order: DcaOrder) -> UnsignedTransaction | SwapRefused:
        self._note("build_fill", order.id, order.progress.attempts)
        await asyncio.sleep(0)
        if self.refuses:
            return SwapRefused("too little")
        message = b"%d" % order.version
        return UnsignedTransaction(message, 150, moves=order.round_amount, closes=order.is_last_round)

    async def build_sweep(self, order: DcaOrder) -> UnsignedTransaction | None:
        self._note("build_sweep", order.id, order.progress.attempts)
        return None

    # What an outbox and a shard never ask.

    async def block_height(self) -> int:
        raise NotImplementedError

    async def build_deposit(self, **_asked: Any) -> UnsignedDeposit:
        raise NotImplementedError

    async def simulate_deposit(self, deposit: UnsignedDeposit) -> str | None:
        raise NotImplementedError

    async def build_withdrawal(self, order: DcaOrder) -> UnsignedTransaction:
        raise NotImplementedError

    async def shortfall(self, craft: UnsignedTransaction) -> str | None:
        raise NotImplementedError

    def worth_cents(self, mint: Any, amount: BaseUnits) -> int | None:
        raise NotImplementedError

    def alteration(self, built: UnsignedTransaction, submission: Submission) -> Alteration:
        raise NotImplementedError

    def read_submission(self, transaction: str, wallet: Wallet) -> Submission:
        raise NotImplementedError

    def unsigned_transaction(self, craft: UnsignedTransaction) -> str:
        raise NotImplementedError


@dataclass
class Workbench:
    """One process: a shard, its outbox, and the tasks that run them."""

    shard: DcaShard
    outbox: DcaOutbox
    store: MemoryDcaStore
    prices: Prices
    clock: VenueClock
    transactions: StubTransactions

    async def opens(self, order_id: str = "order", **more: Any) -> None:
        """Places it, and its deposit lands."""
        placed = await self.shard.submit(placing(order_id, **more))
        assert isinstance(placed, Decided), placed
        landed = ResolveAttempt(OrderId(order_id), 1, TransactionOutcome.LANDED, Signature("deposit"), None)
        assert isinstance(await self.shard.submit(landed), Decided)

    async def advances(self, ms: int) -> None:
        self.clock.setting = self.clock.advanced(ms)
        await self.shard.run_due()

    async def settles(self) -> None:
        while not (self.outbox.is_idle() and self.shard.is_settled()):
            await asyncio.sleep(0.01)

    async def order(self, order_id: str = "order") -> DcaOrder:
        found = await self.shard.committed(OrderId(order_id))
        assert found is not None
        return found

    def journal(self) -> list[str]:
        return [row.kind for row in self.store.database.shard(DCA_SHARD).journal.values()]


def placing(order_id: str = "order", **more: Any) -> PlaceOrder:
    crafted = deposit(order_id=OrderId(order_id), request_id=RequestId(f"deposit of {order_id}"))
    return place(**{"order_id": OrderId(order_id), "deposit": crafted, **more})


def cancelling(order_id: str = "order") -> RequestCancel:
    return RequestCancel(OrderId(order_id), ALICE, RequestId("cancellation"), None, 0)


@asynccontextmanager
async def workbench(
    database: FencedDatabase[MemoryDcaShard] | None = None,
    trouble: Trouble | None = None,
    *,
    at: Instant = PLACED_AT,
    acting: bool = True,
) -> AsyncIterator[Workbench]:
    """Leaving it is a crash. `acting`: the outbox works."""
    loop = asyncio.get_running_loop()
    store = MemoryDcaStore(database, trouble)
    clock = VenueClock(ClockSetting(frozen_at=at), wall=lambda: Instant(round(loop.time() * 1000)))
    prices = Prices(MemoryPrices(MemoryDatabase(), Trouble(), lambda: 0))
    transactions = StubTransactions()
    shard = DcaShard(DCA_SHARD, store, clock, prices, lambda orders, loaded: outbox.on_committed(orders, loaded))  # noqa: PLW0108
    outbox = DcaOutbox(shard, transactions, clock, CONFIRM_TIMEOUT_MS)
    tasks = [asyncio.create_task(shard.run())] + ([asyncio.create_task(outbox.run())] if acting else [])
    try:
        await shard.loaded()
        yield Workbench(shard, outbox, store, prices, clock, transactions)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
