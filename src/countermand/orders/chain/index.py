"""The index of orders on the chain: it follows both programs, and histories are read from what it keeps."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

import structlog

from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.orders.chain.landed import PROGRAMS, landed_of
from countermand.orders.chain.model.order import IndexedOrder
from countermand.orders.chain.ports import ChainHistory, ChainHistoryQuery, ChainIndexStore, OrderWithTrades
from countermand.orders.chain.shard import ChainIndexShard
from countermand.services.chain_index.follower import Follower
from countermand.solana.port import Chain, ChainRecords, ChainUnavailable, LedgerTransaction
from countermand.values.identity import Address, Signature

_AGAIN_S: Final = 0.25
_PATIENCE_S: Final = 2
"""How long a read waits for what has landed on a foreign node's chain. Then it shows what is known."""
_OWN_PATIENCE_S: Final = 5
"""On a chain of our own. Then it is refused: what landed is told at once there, so that something is wrong."""
_FRESH_MAX: Final = 2_000
_AWAITED_MAX: Final = 1_000

_log: Final = structlog.get_logger("countermand")


class ChainIndex:
    """Methods may raise `Unavailable`. `is_own`: the chain is ours."""

    def __init__(
        self, shard: ChainIndexShard, store: ChainIndexStore, chain: Chain, records: ChainRecords, *, is_own: bool
    ) -> None:
        self.shard = shard
        self._store = store
        self._is_own = is_own
        self._following = {program: _Following(shard, Follower(chain, records, program)) for program in PROGRAMS}

    async def run(self) -> None:
        """Follows for ever."""
        await asyncio.gather(*(each.run() for each in self._following.values()))

    async def caught_up(self) -> bool:
        """Returns when what had landed for good is known, or is late by some seconds, which is false."""
        patience_s = _OWN_PATIENCE_S if self._is_own else _PATIENCE_S
        return all(await asyncio.gather(*(each.caught_up(patience_s) for each in self._following.values())))

    # --- reads

    async def history(self, query: ChainHistoryQuery) -> ChainHistory:
        await self._fresh()
        return await self._store.history(query)

    async def open_at(
        self, addresses: Sequence[Address], *, with_failed: bool = False
    ) -> dict[Address, OrderWithTrades]:
        if not addresses:
            return {}
        await self._fresh()
        found = await self._store.open_at(addresses, with_failed=with_failed)
        return {each.order.address: each for each in found}

    async def last_at(self, address: Address) -> IndexedOrder | None:
        await self._fresh()
        return await self._store.last_at(address)

    async def unknown(self, addresses: Sequence[Address]) -> list[Address]:
        if not addresses:
            return []
        await self._fresh()
        return [each for each in addresses if await self._store.last_at(each) is None]

    async def _fresh(self) -> None:
        if not await self.caught_up() and self._is_own:
            raise Unavailable("the index of orders on the chain is late")
        await self.shard.barrier()


class _Following:
    """One program."""

    def __init__(self, shard: ChainIndexShard, follower: Follower) -> None:
        self._shard = shard
        self._follower = follower
        self._program = Address(follower.address)
        self._told: dict[Signature, None] = {}
        """The newest that were recorded, or were no news."""
        self._epoch: int | None = None
        self._awaited: dict[Signature, float] = {}
        """What was read for and is not told yet, the oldest first, with when that was."""
        self._more = asyncio.Condition()

    async def run(self) -> None:
        while True:
            try:
                await self._follow()
            except (Unavailable, CommitUnknown, ChainUnavailable) as lost:
                _log.debug("the index of orders on the chain begins again", program=self._program, reason=str(lost))
            await asyncio.sleep(_AGAIN_S)

    async def _follow(self) -> None:
        await self._shard.loaded()
        epoch, cursor = await self._shard.known(self._program)
        if epoch != self._epoch:
            self._epoch = epoch
            self._awaited.clear()  # What was awaited of a chain that a reset replaced never comes.
        after = None if cursor is None else cursor.signatures[0]
        self._told = {} if cursor is None else dict.fromkeys(cursor.signatures)
        async with aclosing(self._follower.follow(after)) as batches:
            async for batch in batches:
                await self._record(batch, epoch)

    async def _record(self, batch: Sequence[LedgerTransaction], epoch: int) -> None:
        await self._shard.record([landed_of(self._program, each) for each in batch], epoch)
        async with self._more:
            for each in batch:
                self._told[Signature(each.signature)] = None
                self._awaited.pop(Signature(each.signature), None)
            while len(self._told) > _FRESH_MAX:
                del self._told[next(iter(self._told))]
            self._more.notify_all()

    async def caught_up(self, patience_s: float) -> bool:
        """The patience is one for all reads, such as those of a list: it begins with the first one that had to wait."""
        newest = await self._follower.newest()
        if newest is None or newest in self._told:
            self._awaited.clear()
            return True
        now = asyncio.get_running_loop().time()
        self._awaited.setdefault(Signature(newest), now)
        until = next(iter(self._awaited.values())) + patience_s
        while len(self._awaited) > _AWAITED_MAX:
            self._awaited.popitem()
        if until <= now:
            return False
        try:
            async with asyncio.timeout_at(until), self._more:
                await self._more.wait_for(lambda: newest in self._told)
        except TimeoutError:
            _log.warning("the index of orders on the chain is late", program=self._program)
            return False
        return True
