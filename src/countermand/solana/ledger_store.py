"""Where the embedded chain is remembered: the port, and the records that pass through it.

The store is the truth and the virtual machine a cache. Keys, hashes and signatures are raw bytes here.

Who may write is decided by one row, the fence. Taking it (`begin_epoch`) makes every batch of an older epoch void, also
one that is still under way inside the database. So a load begins by taking the fence, and only then reads.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from countermand.solana.port import ChainUnavailable


class LedgerUnavailable(ChainUnavailable):
    """The store did not answer. A batch may or may not have been written."""


class LedgerReplaced(ChainUnavailable):
    """Another writer took the ledger. This one must never write again."""


class LedgerWentBack(LedgerReplaced):
    """What this writer committed is not there any more, as of `kernel.ports.DatabaseWentBack`."""


class LedgerEpoch(Struct, frozen=True):
    """One load of the ledger. `opened` is the epoch in which its writer first took the fence: it names the writer."""

    number: int
    opened: int


class LedgerSecrets(Struct, frozen=True):
    """32 bytes each. Blockhashes come from `entropy`; the seeds make the keys that pay airdrops and mint tokens."""

    entropy: bytes
    faucet_seed: bytes
    mint_authority_seed: bytes


class StoredClock(Struct, frozen=True):
    """The slot at an instant of the wall clock, and the latest block time, in seconds.

    No slot at or above `ceiling` was shown.
    """

    slot: int
    wall_ms: int
    ceiling: int
    block_time: int


class StoredAccount(Struct, frozen=True):
    address: bytes
    lamports: int
    owner: bytes
    data: bytes
    executable: bool


class StoredTransaction(Struct, frozen=True):
    """A transaction that landed. `error` is JSON text, `meta` as `ledger.encode_meta` writes it.

    `addresses` are all that it mentions.
    """

    signature: bytes
    message_hash: bytes
    position: int
    slot: int
    block_time: int
    raw: bytes
    error: str | None
    meta: bytes
    addresses: tuple[bytes, ...]


class RecentTransaction(Struct, frozen=True):
    signature: bytes
    message_hash: bytes
    slot: int
    error: str | None


class StoredStatus(Struct, frozen=True):
    """`raw` only where the signatures of an address are listed, of a transaction that may have a memo."""

    signature: bytes
    slot: int
    error: str | None
    block_time: int
    raw: bytes | None = None


class LedgerBatch(Struct, frozen=True):
    """What one commit writes. It leads the ledger from position `seq_before` to `seq`, or does nothing at all."""

    epoch: int
    seq_before: int
    seq: int
    clock: StoredClock
    written: Sequence[StoredAccount]
    removed: Sequence[bytes]
    transactions: Sequence[StoredTransaction]


class LoadedLedger(Struct, frozen=True):
    """`secrets` and `clock` are None in a ledger that was never founded. `recent` covers all valid blockhashes."""

    seq: int
    secrets: LedgerSecrets | None
    clock: StoredClock | None
    accounts: Sequence[StoredAccount]
    recent: Sequence[RecentTransaction]


class LedgerStore(Protocol):
    """Everything may raise `LedgerUnavailable`; what names an epoch raises `LedgerReplaced` when that has ended."""

    async def begin_epoch(self, opened: int | None) -> LedgerEpoch:
        """Takes the fence: as a new writer (None), or again as the one that `opened` names, unless it was replaced."""

    async def load(self, epoch: LedgerEpoch, *, recent_slots: int) -> LoadedLedger: ...

    async def found(
        self, epoch: LedgerEpoch, secrets: LedgerSecrets, clock: StoredClock, accounts: Sequence[StoredAccount]
    ) -> None:
        """Empties the ledger and begins it anew. Positions go on rising."""

    async def commit(self, batch: LedgerBatch) -> None: ...

    async def transactions(self, signatures: Sequence[bytes]) -> Sequence[StoredTransaction | None]:
        """In the order of the signatures. `addresses` may stay empty."""

    async def status(self, signature: bytes) -> StoredStatus | None: ...

    async def signatures_for(
        self, address: bytes, *, limit: int, before: bytes | None, until: bytes | None
    ) -> list[StoredStatus]:
        """Newest first, both bounds exclusive. An unknown `before` finds nothing, an unknown `until` bounds nothing."""

    async def landed_in(self, slot: int, *, after: int, limit: int) -> Sequence[StoredTransaction]:
        """What landed in a slot after this position, in order. `addresses` may stay empty."""

    async def count_landed(self, *, after: int) -> tuple[int, int]:
        """How many landed after this position, and the position of the last one; 0 and `after` if there are none."""

    async def count_landed_per(self, slots: int, *, since: int) -> Mapping[int, int]:
        """How many landed in each run of so many slots, from a slot on: by the number of the run, those with any."""

    async def total_lamports(self) -> int:
        """Of all accounts."""

    async def richest(self, limit: int) -> Sequence[tuple[bytes, int]]:
        """The accounts with the most lamports, most first."""

    async def close(self) -> None: ...
