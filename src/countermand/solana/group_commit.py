"""Group commit: what the machine has done is queued, and one task writes all that is queued as one batch.

Positions number the changes of the ledger. A batch leads it from one position to another, and no effect of
a position is shown before a batch up to it is committed.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence

from msgspec import Struct, field
from solders.account import Account
from solders.pubkey import Pubkey

from countermand.gathering import gathered
from countermand.solana.clockwork import SlotClock
from countermand.solana.ledger import Meta, encode_meta
from countermand.solana.ledger_store import (
    LedgerBatch,
    LedgerEpoch,
    LedgerStore,
    StoredAccount,
    StoredTransaction,
)
from countermand.solana.port import ChainUnavailable

BATCH_TRANSACTIONS_MAX = 256
BATCHES_AHEAD_MAX = 16
NEWEST_KEPT = 512
"""So many transactions are answered from memory after their commit, when most of them are asked for."""


class ExecutedTransaction(Struct, frozen=True):
    """A transaction that was executed and waits for its commit. `error` is JSON text."""

    signature: bytes
    message_hash: bytes
    position: int
    slot: int
    block_time: int
    raw: bytes
    error: str | None
    keys: list[Pubkey]
    changed: Sequence[Pubkey]
    meta: Meta

    def stored(self) -> StoredTransaction:
        # Loaded keys may repeat static ones; the index takes each once, in order.
        addresses = tuple(dict.fromkeys(map(bytes, self.keys)))
        return StoredTransaction(
            self.signature,
            self.message_hash,
            self.position,
            self.slot,
            self.block_time,
            self.raw,
            self.error,
            encode_meta(self.meta),
            addresses,
        )


class OpenBatch(Struct):
    until: int
    landed: list[ExecutedTransaction] = field(default_factory=list)
    accounts: dict[Pubkey, Account | None] = field(default_factory=dict)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _failure: ChainUnavailable | None = None

    async def committed(self) -> None:
        """Returns when it is; raises `ChainUnavailable` when it failed, or when its outcome is unknown."""
        await self._ended.wait()
        if self._failure is not None:
            raise self._failure

    def end(self, failure: ChainUnavailable | None = None) -> None:
        self._failure = failure
        self._ended.set()


class GroupCommit:
    """The queue between one loaded machine and the store. A failure ends it: the chain then loads and makes another."""

    def __init__(self, store: LedgerStore, epoch: LedgerEpoch, position: int, clock: SlotClock) -> None:
        self._store = store
        self._epoch = epoch
        self._clock = clock
        self.position = position
        """Of the newest change, committed or not."""
        self._committed = position
        self._batches: deque[OpenBatch] = deque()
        """The first is on its way while `_writing`."""
        self._writing = False
        self._work = asyncio.Event()
        self._failure: ChainUnavailable | None = None
        self.newest: dict[bytes, StoredTransaction] = {}
        """The newest transactions that are committed, by signature."""
        self.in_doubt: OpenBatch | None = None
        """The batch whose commit failed: it is written, or it is not."""

    def land(self, landed: ExecutedTransaction, accounts: dict[Pubkey, Account | None]) -> OpenBatch:
        batch = self._open_batch()
        batch.landed.append(landed)
        return self._change(batch, accounts)

    def put(self, accounts: dict[Pubkey, Account | None]) -> OpenBatch:
        """Changes without a transaction."""
        return self._change(self._open_batch(), accounts)

    def raise_ceiling(self) -> OpenBatch:
        """A batch that at least stores the clock."""
        self._work.set()
        return self._open_batch()

    @property
    def idle(self) -> bool:
        return not self._batches

    async def room(self) -> None:
        """Waits until at most a few batches are ahead of the store."""
        while len(self._batches) > BATCHES_AHEAD_MAX:
            await self._batches[0].committed()

    async def all_written(self) -> None:
        """Returns when nothing waits for the store, not even a new ceiling."""
        while self._batches:
            await self._batches[-1].committed()

    async def up_to(self, position: int) -> None:
        """Returns when everything up to this position is committed; at once if it is."""
        if position <= self._committed:
            return
        for batch in self._batches:
            if batch.until >= position:
                await batch.committed()
                return
        assert self._failure is not None
        raise self._failure

    async def changes_of(self, accounts: Collection[Pubkey]) -> None:
        """Returns when the newest change of each of these accounts is committed; at once if none of them waits."""
        if self._failure is not None and self.position > self._committed:
            raise self._failure
        for batch in reversed(self._batches):
            if not batch.accounts.keys().isdisjoint(accounts):
                await batch.committed()
                return

    async def run(self, on_committed: Callable[[OpenBatch], None]) -> None:
        """Writes until it is closed. Raises `ChainUnavailable` then, or after telling all that a commit failed."""
        while True:
            await self._work.wait()
            await gathered(self._waiting)
            if not self._batches:
                if self._failure is not None:
                    raise self._failure
                self._work.clear()
                continue
            batch = self._batches[0]
            self._writing = True
            try:
                written = await self._write(batch)
            except ChainUnavailable as failure:
                self.in_doubt = batch
                self.abandon(failure)
                raise
            self._keep(written)
            self._writing = False
            self._batches.popleft()
            self._committed = batch.until
            batch.end()
            on_committed(batch)

    def close(self, failure: ChainUnavailable) -> None:
        """Nothing is queued any more. What is queued already is still written."""
        self._failure = failure
        self._work.set()

    def abandon(self, failure: ChainUnavailable) -> None:
        self._failure = failure
        while self._batches:
            self._batches.popleft().end(failure)

    def _waiting(self) -> int:
        return sum(len(batch.landed) for batch in self._batches)

    async def _write(self, batch: OpenBatch) -> Sequence[StoredTransaction]:
        clock = self._clock.to_store()
        changed = batch.accounts.items()
        transactions = [landed.stored() for landed in batch.landed]
        await self._store.commit(
            LedgerBatch(
                epoch=self._epoch.number,
                seq_before=self._committed,
                seq=batch.until,
                clock=clock,
                written=[_stored(key, account) for key, account in changed if account is not None],
                removed=[bytes(key) for key, account in changed if account is None],
                transactions=transactions,
            )
        )
        self._clock.ceiling = clock.ceiling
        return transactions

    def _keep(self, written: Sequence[StoredTransaction]) -> None:
        for transaction in written:
            if len(self.newest) >= NEWEST_KEPT:
                del self.newest[next(iter(self.newest))]
            self.newest[transaction.signature] = transaction

    def _open_batch(self) -> OpenBatch:
        if self._failure is not None:
            raise self._failure
        newest = self._batches[-1] if len(self._batches) > self._writing else None
        if newest is None or len(newest.landed) >= BATCH_TRANSACTIONS_MAX:
            newest = OpenBatch(self.position)
            self._batches.append(newest)
        return newest

    def _change(self, batch: OpenBatch, accounts: dict[Pubkey, Account | None]) -> OpenBatch:
        batch.accounts.update(accounts)
        self.position += 1
        batch.until = self.position
        self._work.set()
        return batch


def _stored(key: Pubkey, account: Account) -> StoredAccount:
    return StoredAccount(bytes(key), account.lamports, bytes(account.owner), account.data, account.executable)
