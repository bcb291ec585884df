"""Blocks as `getBlock` and `blockSubscribe` show them, and what is counted block by block."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade import params
from countermand.solana.facade.dispatch import encode
from countermand.solana.facade.errors import (
    answer_too_large,
    block_not_available,
    invalid_params,
)
from countermand.solana.facade.group import Json, MethodGroup
from countermand.solana.facade.params import TransactionDetails, TransactionEncoding, Unsigned
from countermand.solana.facade.transactions import accounts_entry_json, entry_json
from countermand.solana.ledger import LedgerTransaction

BLOCKS_MAX: Final = 500_000
"""How far apart the first and the last slot of a list may be."""

SAMPLES_MAX: Final = 720
_SAMPLE_SECONDS: Final = 60
_SAMPLE_SLOTS: Final = 150
_TRANSACTIONS_PER_TURN: Final = 20
"""How many transactions are written before other work gets its turn; about a millisecond."""


class BlockShape(msgspec.Struct, frozen=True):
    """How a block is to be shown. `version_max` None: to a client that knows of no versions."""

    encoding: TransactionEncoding
    details: TransactionDetails
    rewards: bool
    version_max: int | None


class BlockWriter:
    """Writes blocks piece by piece, so that a large one neither holds the loop nor lies in memory as objects."""

    def __init__(self, chain: EmbeddedChain, bytes_max: int) -> None:
        self._chain = chain
        self._bytes_max = bytes_max

    async def written(self, slot: int, shape: BlockShape, landed: AsyncIterator[LedgerTransaction]) -> msgspec.Raw:
        """The block of a slot that has passed, with these of its transactions.

        Raises `RpcError` for what its reader cannot take.
        """
        pieces: list[bytes] = []
        size = 0
        if shape.details is not TransactionDetails.NONE:
            async for each in landed:
                pieces.append(encode(_piece(each, shape)))
                size += len(pieces[-1])
                if size > self._bytes_max:
                    raise answer_too_large(self._bytes_max)
                if len(pieces) % _TRANSACTIONS_PER_TURN == 0:
                    await asyncio.sleep(0)
        head = encode(await self._head(slot, shape))
        if shape.details is TransactionDetails.NONE:
            return msgspec.Raw(head)
        name = b"signatures" if shape.details is TransactionDetails.SIGNATURES else b"transactions"
        return msgspec.Raw(b'%b,"%b":[%b]}' % (head[:-1], name, b",".join(pieces)))

    async def _head(self, slot: int, shape: BlockShape) -> Json:
        """Every slot has a block, so it is its own height, and the slot before it is its parent."""
        blocks = self._chain.blocks
        head: Json = {
            "blockHeight": slot,
            "blockTime": await blocks.block_time(slot),
            "blockhash": blocks.blockhash(slot),
            "parentSlot": max(slot - 1, 0),
            "previousBlockhash": blocks.blockhash(slot - 1),
        }
        return {**head, "rewards": []} if shape.rewards else head


def _piece(landed: LedgerTransaction, shape: BlockShape) -> Json | str:
    if shape.details is TransactionDetails.ACCOUNTS:
        return accounts_entry_json(landed, shape.version_max, rewards=shape.rewards)
    if shape.details is TransactionDetails.FULL:
        return entry_json(landed, shape.encoding, shape.version_max, rewards=shape.rewards)
    return landed.signature


class BlockMethods(MethodGroup):
    def __init__(self, chain: EmbeddedChain, bytes_max: int, scans: asyncio.Semaphore) -> None:
        super().__init__(chain)
        self._writer = BlockWriter(chain, bytes_max)
        self._scans = scans

    async def get_block(
        self, slot: Unsigned, config: TransactionEncoding | params.ReadBlock | None = None
    ) -> msgspec.Raw:
        """That of the present slot is told when it has passed, in at most 400 ms: a block never changes."""
        if not isinstance(config, params.ReadBlock):
            config = params.ReadBlock(encoding=config)
        await self._confirmed_slot(config)
        if not await self._chain.blocks.has_passed(slot):
            raise block_not_available(slot)
        shape = BlockShape(
            encoding=config.encoding or TransactionEncoding.JSON,
            details=config.transaction_details or TransactionDetails.FULL,
            rewards=config.rewards is not False,
            version_max=config.max_supported_transaction_version,
        )
        async with self._scans:
            return await self._writer.written(slot, shape, self._chain.blocks.landed_in(slot))

    async def get_blocks(
        self, start_slot: Unsigned, end_slot: Unsigned | params.Read | None = None, config: params.Read | None = None
    ) -> list[int]:
        wanted, config = (end_slot, config) if isinstance(end_slot, int) else (None, config or end_slot)
        slot = await self._confirmed_slot(config)
        last = min(start_slot + BLOCKS_MAX if wanted is None else wanted, slot)
        if last - start_slot > BLOCKS_MAX:
            raise invalid_params(f"Slot range too large; max {BLOCKS_MAX}")
        return list(range(start_slot, last + 1))

    async def get_blocks_with_limit(
        self, start_slot: Unsigned, limit: Unsigned, config: params.Read | None = None
    ) -> list[int]:
        slot = await self._confirmed_slot(config)
        if limit > BLOCKS_MAX:
            raise invalid_params(f"Limit too large; max {BLOCKS_MAX}")
        return list(range(start_slot, min(start_slot + limit, slot + 1)))

    async def get_block_time(self, slot: Unsigned) -> int:
        if slot > await self._slot(None):
            raise block_not_available(slot)
        return await self._chain.blocks.block_time(slot)

    async def get_first_available_block(self) -> int:
        return 0

    async def minimum_ledger_slot(self) -> int:
        return 0

    async def get_transaction_count(self, config: params.Read | None = None) -> int:
        await self._slot(config)
        async with self._scans:
            return await self._chain.blocks.transaction_count()

    async def get_recent_performance_samples(self, limit: Unsigned | None = None) -> list[Json]:
        """Of the minutes that have passed, newest first. There are no votes, so no transaction is one."""
        wanted = SAMPLES_MAX if limit is None else limit
        if wanted > SAMPLES_MAX:
            raise invalid_params(f"Invalid limit; max {SAMPLES_MAX}")
        end = await self._slot(None) // _SAMPLE_SLOTS
        first = max(end - wanted, 0)
        async with self._scans:
            landed = await self._chain.blocks.transactions_per(_SAMPLE_SLOTS, first * _SAMPLE_SLOTS)
        return [
            {
                "slot": (number + 1) * _SAMPLE_SLOTS - 1,
                "numNonVoteTransactions": landed.get(number, 0),
                "numSlots": _SAMPLE_SLOTS,
                "numTransactions": landed.get(number, 0),
                "samplePeriodSecs": _SAMPLE_SECONDS,
            }
            for number in reversed(range(first, end))
        ]
