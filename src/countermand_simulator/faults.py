"""What goes wrong between a process and its store, and between it and the chain. Every boundary can be its last."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Final, Protocol, TypeVar

from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.orders.trigger.ports import TriggerBatch
from countermand.services.transactions.landed import LandedChain
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
from countermand_simulator import memory_store
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.loop import sleep
from countermand_simulator.memory_store import HeldInside

T = TypeVar("T")

_AT_ONCE: Final = 0.5
"""So often an answer takes no time at all."""


class Chance(Protocol):
    @property
    def profile(self) -> FaultProfile: ...

    def strikes(self, probability: float) -> bool: ...


class FaultContext(Chance, Protocol):
    """What the faults of a store need of the world."""

    def between(self, low: int, high: int) -> int: ...

    def happened(self, what: str) -> None: ...


class Strangers(FaultContext, Protocol):
    """What the faults of a chain need besides: it is late, and open to all."""

    def later(self, ms: int, work: Callable[[], Awaitable[None]]) -> None: ...

    async def inject_dust(self, transaction: bytes) -> None: ...


class ProcessHandle(Protocol):
    """The process whose boundary it is."""

    @property
    def name(self) -> str: ...

    @property
    def is_alive(self) -> bool: ...

    def die(self, where: str) -> None: ...


async def boundary(world: Chance, process: ProcessHandle, where: str) -> None:
    """The process may die here."""
    breathe(process)
    if world.strikes(world.profile.crash):
        process.die(where)
        breathe(process)


def breathe(process: ProcessHandle) -> None:
    """The dead do nothing more."""
    if not process.is_alive:
        raise asyncio.CancelledError("the process is dead")


async def _take_time(world: FaultContext, process: ProcessHandle) -> None:
    if world.strikes(world.profile.slow):
        most = world.profile.slow_ms
    elif world.strikes(_AT_ONCE):
        return
    else:
        most = 3
    await sleep(world.between(0, most) / 1000)
    breathe(process)


class StoreFaults:
    """`memory_store.Faults` for the store of one process."""

    def __init__(self, world: FaultContext, process: ProcessHandle) -> None:
        self._world = world
        self._process = process

    async def at(self, point: str) -> None:
        world, process = self._world, self._process
        await boundary(world, process, point)
        await _take_time(world, process)
        profile = world.profile
        if point in (memory_store.BEFORE_EPOCH, memory_store.AFTER_EPOCH, memory_store.BEFORE_READ):
            self._maybe(profile.store_down, Unavailable(f"the store is down at {point}"))
        elif point == memory_store.BEFORE_COMMIT:
            self._maybe(profile.store_down, Unavailable("the store is down: nothing was sent"))
            self._maybe(profile.commit_lost_before, CommitUnknown("the commit never arrived"))
            self._maybe(profile.commit_held, HeldInside("the commit is inside the database"))
        else:
            self._maybe(profile.commit_lost_after, CommitUnknown("the answer to a commit was lost"))

    def waits_for(self, _batch: TriggerBatch, /) -> bool:
        """A batch inside is waited for, or defeated."""
        waits = self._world.strikes(0.5)
        self._world.happened("held commit waited for" if waits else "held commit defeated")
        return waits

    def _maybe(self, probability: float, error: Exception) -> None:
        if self._world.strikes(probability):
            self._world.happened(f"store: {error}")
            raise error


Watch = Callable[[ProcessHandle, bytes], None]
"""Is told of every transaction that a process sends."""


class FaultyChain:
    """The chain as one process sees it. Implements `solana.port.Chain`."""

    def __init__(self, world: Strangers, process: ProcessHandle, chain: LandedChain, watch: Watch) -> None:
        self._world = world
        self._process = process
        self._chain = chain
        self._watch = watch

    async def latest_blockhash(self) -> LatestBlockhash:
        await self._ask()
        return await self._heard(self._chain.latest_blockhash())

    async def finalized_block_height(self) -> int:
        await self._ask()
        return await self._heard(self._chain.finalized_block_height())

    async def signature_status(self, signature: str) -> SignatureStatus | None:
        await self._ask()
        return await self._heard(self._chain.signature_status(signature))

    async def accounts(self, addresses: list[str]) -> list[AccountInfo | None]:
        await self._ask()
        return await self._heard(self._chain.accounts(addresses))

    async def simulate(self, transaction: bytes) -> Simulation:
        await self._ask()
        return await self._heard(self._chain.simulate(transaction))

    async def transactions(self, signatures: Sequence[Signature]) -> Sequence[LedgerTransaction | None]:
        await self._ask()
        return await self._heard(self._chain.transactions(signatures))

    async def send(self, transaction: bytes) -> None:
        """It may be dropped, be late, or arrive twice; and the answer says nothing about it."""
        world, profile = self._world, self._world.profile
        await boundary(world, self._process, "chain.before-send")
        self._watch(self._process, transaction)
        await self._ask()
        await world.inject_dust(transaction)
        if world.strikes(profile.send_dropped):
            world.happened("send dropped")
        else:
            delay = world.between(1, profile.late_ms) if world.strikes(profile.send_late) else 0
            await self._arrives(transaction, delay)
            if world.strikes(profile.send_twice):
                world.happened("send arrived twice")
                await self._arrives(transaction, world.between(0, profile.late_ms))
        await boundary(world, self._process, "chain.after-send")
        await _take_time(world, self._process)

    async def _arrives(self, transaction: bytes, delay_ms: int) -> None:
        if delay_ms:
            self._world.happened("send late")
            self._world.later(delay_ms, partial(self._land, transaction))
        else:
            await self._land(transaction)

    async def _land(self, transaction: bytes) -> None:
        await _at_landing(self._world, self._process, "chain.before-commit")
        with contextlib.suppress(ChainUnavailable):  # Lost on its way.
            await self._chain.send(transaction)
        await _at_landing(self._world, self._process, "chain.after-commit")

    async def _ask(self) -> None:
        breathe(self._process)
        await _take_time(self._world, self._process)
        if self._world.strikes(self._world.profile.chain_down):
            self._world.happened("chain down")
            raise ChainUnavailable("the chain does not answer")

    async def _heard(self, answer: Awaitable[T]) -> T:
        heard = await answer
        await _take_time(self._world, self._process)
        return heard


class FaultyNode(FaultyChain):
    """The same with the chain's records. Implements `solana.port.Node`."""

    def __init__(self, world: Strangers, process: ProcessHandle, node: Node, watch: Watch) -> None:
        super().__init__(world, process, node, watch)
        self._node = node

    async def program_accounts(
        self, program: Address, *, data_size: int | None = None, memcmp: Sequence[Memcmp] = ()
    ) -> Sequence[tuple[Address, AccountInfo]]:
        await self._ask()
        return await self._heard(self._node.program_accounts(program, data_size=data_size, memcmp=memcmp))

    async def recent_prioritization_fees(self, addresses: Sequence[Address]) -> Sequence[int]:
        await self._ask()
        return await self._heard(self._node.recent_prioritization_fees(addresses))

    async def signatures_for_address(
        self,
        address: Address,
        *,
        limit: int = HISTORY_PAGE_MAX,
        before: Signature | None = None,
        until: Signature | None = None,
    ) -> Sequence[AddressSignature]:
        await self._ask()
        found = self._node.signatures_for_address(address, limit=limit, before=before, until=until)
        return await self._heard(found)

    async def newest_final(self, address: Address) -> Signature | None:
        await self._ask()
        return await self._heard(self._node.newest_final(address))

    @asynccontextmanager
    async def landings(self, touching: Sequence[Address]) -> AsyncIterator[AsyncIterator[LandedSignature]]:
        await self._ask()
        async with self._node.landings(touching) as feed, aclosing(self._told(feed)) as told:
            yield told

    async def _told(self, feed: AsyncIterator[LandedSignature]) -> AsyncGenerator[LandedSignature, None]:
        """It may end before each."""
        async for landed in feed:
            await self._ask()
            yield landed


async def _at_landing(world: FaultContext, process: ProcessHandle, where: str) -> None:
    """The process may die at the moment in which its transaction lands; the transaction does not care."""
    if process.is_alive and world.strikes(world.profile.crash):
        process.die(where)
