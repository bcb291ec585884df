"""Which wallets registered a vault. No shard decides it: it is written in groups beside the orders, and stays."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from countermand.kernel.grouped_reads import GroupedReads
from countermand.kernel.grouped_writes import GroupedWrites
from countermand.values.bucket import Bucket, bucket_of
from countermand.values.identity import Wallet
from countermand.values.instant import Instant
from countermand.values.structs import Struct


class VaultRow(Struct, frozen=True):
    """A wallet that registered its vault."""

    wallet: Wallet
    bucket: Bucket
    registered_at: Instant


class VaultStore(Protocol):
    """Which wallets registered a vault. `find` may raise `Unavailable`, `add` also `CommitUnknown`."""

    async def add(self, vaults: Sequence[VaultRow]) -> None:
        """One that is registered already stays as it is."""

    async def find(self, wallets: Sequence[Wallet]) -> Mapping[Wallet, Instant]:
        """When those were registered that are."""


def vault_row(wallet: Wallet, registered_at: Instant) -> VaultRow:
    return VaultRow(wallet, bucket_of(wallet), registered_at)


class VaultRegistry:
    """Both methods may raise `Unavailable`, `register` also `CommitUnknown`."""

    def __init__(self, store: VaultStore, now: Callable[[], Awaitable[Instant]]) -> None:
        self._found = GroupedReads(store.find)
        self._writes = GroupedWrites(store.add)
        self._now = now
        self._registering: set[Wallet] = set()

    async def registered_at(self, wallet: Wallet) -> Instant | None:
        return await self._found.ask(wallet)

    async def register(self, wallet: Wallet) -> bool:
        """False: it was registered before, or by a request that came before and is under way."""
        first = wallet not in self._registering
        self._registering.add(wallet)
        try:
            if await self.registered_at(wallet) is not None:
                return False
            await self._writes.add([vault_row(wallet, await self._now())])
            return first
        finally:
            if first:
                self._registering.discard(wallet)
