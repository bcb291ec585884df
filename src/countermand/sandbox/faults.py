"""Faults that a user can switch on, and the points at which they strike.

What the world does wrong is done by `FaultyChain` and `CrashingStore`; what the HTTP gateway does wrong, by itself.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from enum import Enum
from typing import Final, TypeVar

import structlog
from msgspec import Struct

from countermand.kernel.ports import Batch
from countermand.orders.book.rows import BookRows
from countermand.orders.dca.ports import DcaRows
from countermand.orders.trigger.ports import TriggerRows
from countermand.orders.vaults.registry import VaultRow
from countermand.services.prices import PriceStore
from countermand.services.transactions.client_transactions import BuildRow
from countermand.solana.port import (
    HISTORY_PAGE_MAX,
    AccountInfo,
    Address,
    AddressSignature,
    ChainUnavailable,
    LandedSignature,
    LatestBlockhash,
    LedgerTransaction,
    Memcmp,
    Node,
    Signature,
    SignatureStatus,
    Simulation,
)
from countermand.store.book_postgres import PostgresBookStore
from countermand.store.builds_postgres import PostgresBuilds
from countermand.store.dca_postgres import PostgresDcaStore
from countermand.store.postgres import PostgresStore
from countermand.store.shard_postgres import ShardPostgres
from countermand.store.snapshots_postgres import Beginning, PostgresSnapshots, SnapshotRow
from countermand.store.vaults_postgres import PostgresVaults
from countermand.values.identity import Mint
from countermand.values.quantities import UsdPrice

R = TypeVar("R")


_log: Final = structlog.get_logger("countermand")


class CrashPoint(Enum):
    BEFORE_COMMIT = "before-commit"
    AFTER_COMMIT = "after-commit"
    BEFORE_SEND = "before-send"
    AFTER_SEND = "after-send"


def _kill_ourselves() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class WorldFaults(Struct):
    """What is switched on now. Counters count down."""

    drop_transactions: int = 0
    land_delay_ms: int = 0
    slow_landing_ms: int = 0
    """Of the fault `strict`: no transaction lands sooner."""
    holds_refunds: bool = False
    """Of the fault `strict`: what would give expired orders back by itself does not."""
    rpc_down: bool = False
    fail_matches: int = 0
    crash: CrashPoint | None = None
    kill: Callable[[], None] = _kill_ourselves

    def pass_point(self, point: CrashPoint) -> None:
        """Dies here, hard, if that was asked for."""
        if self.crash is point:
            _log.warning("the fault crash ends this process, as kill -9 would", point=point.value)
            self.kill()

    def failing(self) -> bool:
        """The next match of the book is to fail."""
        return self.fail_matches > 0

    def failed(self) -> None:
        """A match did."""
        self.fail_matches -= 1


class FaultyChain:
    """The chain as the engine and the facade see it, with the faults that are on."""

    def __init__(self, chain: Node, faults: WorldFaults) -> None:
        self._chain = chain
        self._faults = faults
        self._late: dict[int, asyncio.Task[None]] = {}
        self._sends = 0

    def is_up(self) -> bool:
        return not self._faults.rpc_down

    def holds_refunds(self) -> bool:
        return self._faults.holds_refunds

    async def latest_blockhash(self) -> LatestBlockhash:
        self._require()
        return await self._chain.latest_blockhash()

    async def finalized_block_height(self) -> int:
        self._require()
        return await self._chain.finalized_block_height()

    async def signature_status(self, signature: Signature) -> SignatureStatus | None:
        self._require()
        return await self._chain.signature_status(signature)

    async def accounts(self, addresses: list[Address]) -> list[AccountInfo | None]:
        self._require()
        return await self._chain.accounts(addresses)

    async def simulate(self, transaction: bytes) -> Simulation:
        self._require()
        return await self._chain.simulate(transaction)

    async def program_accounts(
        self, program: Address, *, data_size: int | None = None, memcmp: Sequence[Memcmp] = ()
    ) -> Sequence[tuple[Address, AccountInfo]]:
        self._require()
        return await self._chain.program_accounts(program, data_size=data_size, memcmp=memcmp)

    async def recent_prioritization_fees(self, addresses: Sequence[Address]) -> Sequence[int]:
        self._require()
        return await self._chain.recent_prioritization_fees(addresses)

    async def transactions(self, signatures: Sequence[Signature]) -> Sequence[LedgerTransaction | None]:
        self._require()
        return await self._chain.transactions(signatures)

    async def signatures_for_address(
        self,
        address: Address,
        *,
        limit: int = HISTORY_PAGE_MAX,
        before: Signature | None = None,
        until: Signature | None = None,
    ) -> Sequence[AddressSignature]:
        self._require()
        return await self._chain.signatures_for_address(address, limit=limit, before=before, until=until)

    async def newest_final(self, address: Address) -> Signature | None:
        self._require()
        return await self._chain.newest_final(address)

    @asynccontextmanager
    async def landings(self, touching: Sequence[Address]) -> AsyncIterator[AsyncIterator[LandedSignature]]:
        self._require()
        async with self._chain.landings(touching) as feed, aclosing(self._while_up(feed)) as told:
            yield told

    async def _while_up(self, feed: AsyncIterator[LandedSignature]) -> AsyncGenerator[LandedSignature, None]:
        async for landed in feed:
            self._require()
            yield landed

    async def send(self, transaction: bytes) -> None:
        """Accepts the transaction, and then does with it what the faults say."""
        self._require()
        faults = self._faults
        faults.pass_point(CrashPoint.BEFORE_SEND)
        if faults.drop_transactions > 0:
            faults.drop_transactions -= 1
        elif delay_ms := max(faults.land_delay_ms, faults.slow_landing_ms):
            self._send_late(transaction, delay_ms)
        else:
            await self._chain.send(transaction)
        faults.pass_point(CrashPoint.AFTER_SEND)

    def is_idle(self) -> bool:
        """No transaction is still on its way."""
        return not self._late

    def forget(self) -> None:
        """What is still on its way never arrives."""
        for task in self._late.values():
            task.cancel()

    def _send_late(self, transaction: bytes, delay_ms: int) -> None:
        self._sends += 1
        number = self._sends
        self._late[number] = task = asyncio.create_task(self._land(transaction, delay_ms))
        task.add_done_callback(lambda _: self._late.pop(number))

    async def _land(self, transaction: bytes, delay_ms: int) -> None:
        await asyncio.sleep(delay_ms / 1000)
        try:
            await self._chain.send(transaction)
        except ChainUnavailable:
            return  # Lost on its way, as any transaction may be.

    def _require(self) -> None:
        if self._faults.rpc_down:
            raise ChainUnavailable("the chain does not answer: the fault rpcDown is on")


class _Crashing(ShardPostgres[R]):
    """A store with the two points of a commit at which a crash can be asked for."""

    faults = WorldFaults()

    async def commit(self, batch: Batch[R]) -> None:
        self.faults.pass_point(CrashPoint.BEFORE_COMMIT)
        await super().commit(batch)
        self.faults.pass_point(CrashPoint.AFTER_COMMIT)


class CrashingStore(_Crashing[TriggerRows], PostgresStore):
    pass


class CrashingDcaStore(_Crashing[DcaRows], PostgresDcaStore):
    pass


class CrashingBookStore(_Crashing[BookRows], PostgresBookStore):
    pass


class CrashingBuilds(PostgresBuilds):
    """A store of builds with the same two points."""

    faults = WorldFaults()

    async def add(self, rows: Sequence[BuildRow]) -> None:
        self.faults.pass_point(CrashPoint.BEFORE_COMMIT)
        await super().add(rows)
        self.faults.pass_point(CrashPoint.AFTER_COMMIT)


class CrashingVaults(PostgresVaults):
    """A store of vaults with the same two points."""

    faults = WorldFaults()

    async def add(self, vaults: Sequence[VaultRow]) -> None:
        self.faults.pass_point(CrashPoint.BEFORE_COMMIT)
        await super().add(vaults)
        self.faults.pass_point(CrashPoint.AFTER_COMMIT)


class CrashingPrices:
    """A store of prices with the same two points."""

    def __init__(self, store: PriceStore, faults: WorldFaults) -> None:
        self._store = store
        self._faults = faults

    async def prices(self) -> Sequence[tuple[Mint, UsdPrice]]:
        return await self._store.prices()

    async def set_prices(self, prices: Mapping[Mint, UsdPrice]) -> None:
        self._faults.pass_point(CrashPoint.BEFORE_COMMIT)
        await self._store.set_prices(prices)
        self._faults.pass_point(CrashPoint.AFTER_COMMIT)

    async def clear(self) -> None:
        await self._store.clear()


class CrashingSnapshots(PostgresSnapshots):
    """Dies before or after a restore, if that was asked for."""

    faults: WorldFaults

    async def restore(self, taken: SnapshotRow, beginning: Beginning) -> None:
        self.faults.pass_point(CrashPoint.BEFORE_COMMIT)
        await super().restore(taken, beginning)
        self.faults.pass_point(CrashPoint.AFTER_COMMIT)
