"""What the embedded chain's ledger holds, slot by slot and as a whole.

Every slot has a block, with what landed in it and its blockhash; its parent is the slot before.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol

import base58

from countermand.solana.clockwork import SLOT_MS
from countermand.solana.ledger import LedgerTransaction, read_stored_transaction
from countermand.solana.ledger_store import LedgerStore
from countermand.solana.port import Address, Blockhash

_PAGE: Final = 200
_LOOK_MS: Final = 20
_NO_BLOCKHASH: Final = "11111111111111111111111111111111"


class Timeline(Protocol):
    """The slots of a chain, as `EmbeddedChain` has them."""

    @property
    def genesis_hash(self) -> Blockhash: ...

    def blockhash_at(self, slot: int) -> Blockhash: ...

    def block_time(self, slot: int) -> int: ...

    async def finalized_block_height(self) -> int: ...

    async def settle(self) -> None: ...


class Blocks:
    """Everything may raise `ChainUnavailable`."""

    def __init__(self, timeline: Timeline, store: LedgerStore) -> None:
        self._timeline = timeline
        self._store = store
        self._counted: dict[Blockhash, tuple[int, int]] = {}
        """Of one ledger: how many transactions landed until which position."""

    def blockhash(self, slot: int) -> Blockhash:
        """Before the first slot, that of no block."""
        return _NO_BLOCKHASH if slot < 0 else self._timeline.blockhash_at(slot)

    async def block_time(self, slot: int) -> int:
        """In seconds. Of a slot that has passed, that of what landed in it first; the clock may move within a slot.

        Without such, what was seen at or before it, or else an estimate.
        """
        if slot < await self._timeline.finalized_block_height():
            await self._timeline.settle()
            if landed := await self._store.landed_in(slot, after=0, limit=1):
                return landed[0].block_time
        return self._timeline.block_time(slot)

    async def has_passed(self, slot: int) -> bool:
        """Whether nothing more can land in it. The present slot is waited for, at most for twice its length."""
        if slot > await self._timeline.finalized_block_height():
            return False
        for _ in range(2 * SLOT_MS // _LOOK_MS):
            if slot < await self._timeline.finalized_block_height():
                await self._timeline.settle()
                return True
            await asyncio.sleep(_LOOK_MS / 1000)
        return False

    async def landed_in(self, slot: int) -> AsyncIterator[LedgerTransaction]:
        """What has landed in a slot, in order."""
        after, more = 0, True
        while more:
            page = await self._store.landed_in(slot, after=after, limit=_PAGE)
            for stored in page:
                yield read_stored_transaction(stored)
                after = stored.position
            more = len(page) == _PAGE

    async def transaction_count(self) -> int:
        """How many have landed, with or without success. What was counted once is not counted again."""
        await self._timeline.settle()
        ledger = self._timeline.genesis_hash  # A reset and a restoration begin another.
        known, position = self._counted.get(ledger, (0, 0))
        more, last = await self._store.count_landed(after=position)
        self._counted = {ledger: (known + more, last)}
        return known + more

    async def transactions_per(self, slots: int, since: int) -> Mapping[int, int]:
        """How many landed in each run of so many slots, by its number; `since` is where one begins."""
        await self._timeline.settle()
        return await self._store.count_landed_per(slots, since=since)

    async def total_lamports(self) -> int:
        await self._timeline.settle()
        return await self._store.total_lamports()

    async def richest(self, limit: int) -> list[tuple[Address, int]]:
        """The accounts with the most lamports, most first."""
        await self._timeline.settle()
        return [(base58.b58encode(key).decode(), held) for key, held in await self._store.richest(limit)]
