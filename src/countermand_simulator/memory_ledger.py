"""The embedded chain's ledger in memory, for the simulator and for tests.

A restart is a new chain over the same object.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice

from countermand.solana.ledger_store import (
    LedgerBatch,
    LedgerEpoch,
    LedgerReplaced,
    LedgerSecrets,
    LedgerUnavailable,
    LoadedLedger,
    RecentTransaction,
    StoredAccount,
    StoredClock,
    StoredStatus,
    StoredTransaction,
)
from countermand.solana.memos import may_have_memo
from countermand.values.structs import replace


class MemoryLedgerStore:
    """Implements `LedgerStore`. Nothing here waits: a wrapper adds delays and faults."""

    def __init__(self) -> None:
        self._epoch = LedgerEpoch(0, 0)
        self._seq = 0
        self._secrets: LedgerSecrets | None = None
        self._clock: StoredClock | None = None
        self._accounts: dict[bytes, StoredAccount] = {}
        self._transactions: dict[bytes, StoredTransaction] = {}
        self._messages: dict[bytes, None] = {}
        self._mentions: dict[bytes, list[bytes]] = {}

    async def close(self) -> None:
        """What is remembered stays."""

    async def begin_epoch(self, opened: int | None) -> LedgerEpoch:
        if opened is not None and opened != self._epoch.opened:
            raise LedgerReplaced(f"the writer that opened the ledger in epoch {opened} was replaced")
        number = self._epoch.number + 1
        self._epoch = LedgerEpoch(number, number if opened is None else opened)
        return self._epoch

    async def load(self, epoch: LedgerEpoch, *, recent_slots: int) -> LoadedLedger:
        self._check(epoch.number)
        since = (0 if self._clock is None else self._clock.slot) - recent_slots
        recent = [
            RecentTransaction(landed.signature, landed.message_hash, landed.slot, landed.error)
            for landed in self._transactions.values()
            if landed.slot >= since
        ]
        return LoadedLedger(self._seq, self._secrets, self._clock, list(self._accounts.values()), recent)

    async def found(
        self, epoch: LedgerEpoch, secrets: LedgerSecrets, clock: StoredClock, accounts: Sequence[StoredAccount]
    ) -> None:
        self._check(epoch.number)
        self._seq += 1
        self._secrets, self._clock = secrets, clock
        self._accounts = {account.address: account for account in accounts}
        self._transactions, self._messages, self._mentions = {}, {}, {}

    async def commit(self, batch: LedgerBatch) -> None:
        self._check(batch.epoch)
        if batch.seq_before != self._seq:
            raise LedgerReplaced(f"the ledger is at {self._seq}, not at {batch.seq_before}")
        for landed in batch.transactions:
            if landed.signature in self._transactions or landed.message_hash in self._messages:
                raise LedgerUnavailable("this transaction or its message has landed before")
        self._seq, self._clock = batch.seq, batch.clock
        for address in batch.removed:
            self._accounts.pop(address, None)
        self._accounts.update({account.address: account for account in batch.written})
        for landed in batch.transactions:
            self._transactions[landed.signature] = landed
            self._messages[landed.message_hash] = None
            for address in landed.addresses:
                self._mentions.setdefault(address, []).append(landed.signature)

    async def transactions(self, signatures: Sequence[bytes]) -> list[StoredTransaction | None]:
        return [self._transactions.get(signature) for signature in signatures]

    async def status(self, signature: bytes) -> StoredStatus | None:
        landed = self._transactions.get(signature)
        return None if landed is None else _status(landed)

    async def signatures_for(
        self, address: bytes, *, limit: int, before: bytes | None, until: bytes | None
    ) -> list[StoredStatus]:
        landed = [self._transactions[signature] for signature in self._mentions.get(address, [])]
        if before is not None:
            end = self._transactions.get(before)
            landed = [] if end is None else [one for one in landed if one.position < end.position]
        if until is not None and (start := self._transactions.get(until)) is not None:
            landed = [one for one in landed if one.position > start.position]
        return [replace(_status(one), raw=one.raw if may_have_memo(one.raw) else None) for one in landed[::-1][:limit]]

    async def landed_in(self, slot: int, *, after: int, limit: int) -> list[StoredTransaction]:
        landed = (one for one in self._transactions.values() if one.slot == slot and one.position > after)
        return list(islice(landed, limit))

    async def count_landed(self, *, after: int) -> tuple[int, int]:
        positions = [landed.position for landed in self._transactions.values() if landed.position > after]
        return len(positions), max(positions, default=after)

    async def count_landed_per(self, slots: int, *, since: int) -> Mapping[int, int]:
        return Counter(landed.slot // slots for landed in self._transactions.values() if landed.slot >= since)

    async def total_lamports(self) -> int:
        return sum(account.lamports for account in self._accounts.values())

    async def richest(self, limit: int) -> list[tuple[bytes, int]]:
        held = [(account.address, account.lamports) for account in self._accounts.values()]
        return sorted(held, key=lambda entry: (-entry[1], entry[0]))[:limit]

    def _check(self, epoch: int) -> None:
        if epoch != self._epoch.number:
            raise LedgerReplaced(f"epoch {epoch} of the ledger has ended")


def _status(landed: StoredTransaction) -> StoredStatus:
    return StoredStatus(landed.signature, landed.slot, landed.error, landed.block_time)
