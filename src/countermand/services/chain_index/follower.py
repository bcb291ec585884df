"""Follows all that lands with an address in it: first what landed before, then what lands from now on.

Nothing is told before it is final. A reader that stops at any point begins again after the last it has kept.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final

import structlog

from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.solana.port import (
    HISTORY_PAGE_MAX,
    TRANSACTIONS_MAX,
    Address,
    AddressSignature,
    Chain,
    ChainRecords,
    ChainUnavailable,
    LedgerTransaction,
    Signature,
)

_log: Final = structlog.get_logger("countermand")
_FORGOTTEN: Final = "the node has forgotten what was read last: all that it keeps is read, the rest is missed"
LISTED_MAX: Final = 1_000_000
"""Of an address that was never followed, older transactions are left alone: on a busy chain there is no end to them."""
_AHEAD_MAX: Final = 1_000
_PATIENCE_S: Final = 10
_PAUSE_S: Final = 0.05


class Follower:
    """`address`: what every transaction must mention."""

    def __init__(self, chain: Chain, records: ChainRecords, address: Address) -> None:
        self._chain = chain
        self._records = records
        self.address: Final = address

    async def follow(self, after: Signature | None) -> AsyncGenerator[Sequence[LedgerTransaction]]:
        """Batches in the order of the chain, without an end; `after`: the last that is known, None: all that is kept.

        Some that landed in the same slot as `after` may be told again. The first batch that may be empty tells that
        all that landed before is told. Raises `ChainUnavailable` when something may have been missed.
        """
        async with self._records.landings([self.address]) as feed:
            earlier = await self._earlier(after)
            while earlier:
                batch = [earlier.pop() for _ in range(min(len(earlier), TRANSACTIONS_MAX))]
                yield await self._read([each.signature for each in batch])
            yield ()
            waiting: asyncio.Queue[Signature | ChainUnavailable] = asyncio.Queue(_AHEAD_MAX)
            pumping = asyncio.create_task(_pump(feed, waiting))
            try:
                while True:
                    yield await self._read(await _next(waiting))
            finally:
                pumping.cancel()
                # Waited for: the feed must not be in use when it is left.
                await asyncio.gather(pumping, return_exceptions=True)

    async def _earlier(self, after: Signature | None) -> list[AddressSignature]:
        """What landed since and is final, newest first. The feed tells the rest once it is.

        A node passes over an `until` that it does not know, so all it keeps is listed. To such a `before` it answers
        with an empty page: a provider may ask another node than the one that told of it.
        """
        if after is not None and await self._chain.signature_status(after) is None:
            _log.warning(_FORGOTTEN, address=self.address, after=after)
        found: list[AddressSignature] = []
        before = None
        while after is not None or len(found) < LISTED_MAX:
            page = await self._records.signatures_for_address(self.address, before=before, until=after)
            found += page
            if not page and before is not None and await self._chain.signature_status(before) is None:
                raise ChainUnavailable(f"the node told of {before}, and does not know it")
            if len(page) < HISTORY_PAGE_MAX:
                break
            before = page[-1].signature
            await asyncio.sleep(0)
        return found[await self._first_final(found) :]

    async def _first_final(self, newest_first: Sequence[AddressSignature]) -> int:
        """What is older than a final one is final, too."""
        low, high = 0, len(newest_first)
        while low < high:
            middle = 0 if low == 0 and high == len(newest_first) else (low + high) // 2
            status = await self._chain.signature_status(newest_first[middle].signature)
            if status is not None and status.finalized:
                high = middle
            else:
                low = middle + 1
        return low

    async def _read(self, signatures: Sequence[Signature]) -> Sequence[LedgerTransaction]:
        """A new landing may take a moment to show."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE_S
        while True:
            found = await self._records.transactions(signatures)
            there = [each for each in found if each is not None]
            if len(there) == len(signatures):
                return there
            if asyncio.get_running_loop().time() >= deadline:
                missing = next(name for name, each in zip(signatures, found, strict=True) if each is None)
                raise ChainUnavailable(f"the node told that {missing} landed, and does not show it")
            await asyncio.sleep(_PAUSE_S)

    @asks_the_chain
    async def newest(self) -> Signature | None:
        """The newest that landed for good, whatever has landed since that is not final yet. None: there is none."""
        return await self._records.newest_final(self.address)


async def _pump(feed: AsyncIterator[AddressSignature], waiting: "asyncio.Queue[Signature | ChainUnavailable]") -> None:
    try:
        async for landed in feed:
            await waiting.put(landed.signature)
    except ChainUnavailable as lost:
        await waiting.put(lost)


async def _next(waiting: "asyncio.Queue[Signature | ChainUnavailable]") -> Sequence[Signature]:
    """What waits, at least one."""
    taken = deque([await waiting.get()])
    while len(taken) < TRANSACTIONS_MAX and not waiting.empty():
        taken.append(waiting.get_nowait())
    signatures: list[Signature] = []
    for each in taken:
        if isinstance(each, ChainUnavailable):
            if not signatures:
                raise each
            waiting.put_nowait(each)
            break
        signatures.append(each)
    return signatures
