"""The store of trigger orders of the simulator, and what is stored beside it."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from countermand.kernel.ports import CommitUnknown, Epoch, EventRow, JournalRow, Unavailable
from countermand.orders.shards import TRIGGER_SHARD
from countermand.orders.trigger.ports import OrderRow, TriggerRows, WatermarkRow
from countermand.orders.trigger.records import SHOWN
from countermand.orders.vaults.registry import VaultRow
from countermand.services.transactions.client_transactions import BuildRow
from countermand.values.identity import Mint, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice
from countermand_simulator.fenced import (
    AFTER_COMMIT,
    AFTER_EPOCH,
    BEFORE_COMMIT,
    BEFORE_EPOCH,
    BEFORE_READ,
    Faults,
    FencedDatabase,
    HeldInside,
    NoFaults,
)
from countermand_simulator.memory_vaults import MemoryVaultShard, MemoryVaultStore

__all__ = [
    "AFTER_COMMIT",
    "AFTER_EPOCH",
    "BEFORE_COMMIT",
    "BEFORE_EPOCH",
    "BEFORE_READ",
    "Faults",
    "HeldInside",
    "MemoryDatabase",
    "MemoryPrices",
    "MemoryShard",
    "MemorySnapshot",
    "MemoryStore",
    "NoFaults",
]


@dataclass
class MemoryShard(MemoryVaultShard[TriggerRows, OrderRow]):
    watermarks: dict[tuple[str, str], WatermarkRow] = field(default_factory=dict)

    def add(self, rows: TriggerRows) -> None:
        super().add(rows)
        for row in rows.watermarks:
            self.watermarks[row.mint, row.direction] = row

    def copy(self) -> "MemoryShard":
        return MemoryShard(
            self.stands,
            self.opened,
            dict(self.journal),
            dict(self.events),
            {},
            dict(self.orders),
            dict(self.crafts),
            dict(self.watermarks),
        )


class MemoryDatabase(FencedDatabase[MemoryShard]):
    def __init__(self) -> None:
        super().__init__(MemoryShard)
        self.prices: dict[Mint, UsdPrice] = {}
        self.prices_stored: dict[Mint, list[int]] = {}
        """All that ever were, the newest last."""
        self.vaults: dict[Wallet, VaultRow] = {}
        self.builds: dict[bytes, BuildRow] = {}


class MemorySnapshot:
    """One instant of the database, as `store.snapshot.Snapshot` shows it."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._shards = {number: shard.copy() for number, shard in sorted(database.shards.items())}

    async def shards(self) -> Sequence[tuple[int, Epoch]]:
        return [(number, shard.stands) for number, shard in self._shards.items()]

    async def journal(self, shard: int) -> AsyncIterator[JournalRow]:
        for _, row in sorted(self._shards[shard].journal.items()):
            yield row

    async def orders(self, shard: int) -> AsyncIterator[OrderRow]:
        for _, row in sorted(self._shards[shard].orders.items()):
            yield row

    async def events(self, shard: int) -> AsyncIterator[EventRow]:
        for _, row in sorted(self._shards[shard].events.items()):
            yield row


class MemoryStore(MemoryVaultStore[MemoryShard]):
    """`orders.trigger.ports.Store` on a `MemoryDatabase`."""

    shown = SHOWN
    database: MemoryDatabase

    def __init__(self, database: MemoryDatabase | None = None, faults: Faults | None = None) -> None:
        super().__init__(database if database is not None else MemoryDatabase(), faults)

    async def watermarks(self, shard: int) -> Sequence[WatermarkRow]:
        await self._faults.at(BEFORE_READ)
        return [row for _, row in sorted(self.database.shard(shard).watermarks.items())]

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[MemorySnapshot]:
        await self._faults.at(BEFORE_READ)
        yield MemorySnapshot(self.database)


async def _before_write(faults: Faults) -> None:
    """Of rows without a fence: what is held inside never comes through, since no epoch waits for it."""
    try:
        await faults.at(BEFORE_COMMIT)
    except HeldInside as held:
        raise CommitUnknown("the write never arrived") from held


class MemoryBuilds:
    """`services.transactions.client_transactions.BuildStore` on a `MemoryDatabase`."""

    def __init__(self, database: MemoryDatabase, faults: Faults | None = None) -> None:
        self._database = database
        self._faults = faults or NoFaults()

    async def add(self, rows: Sequence[BuildRow]) -> None:
        await _before_write(self._faults)
        for row in rows:
            self._database.builds.setdefault(row.digest, row)
        await self._faults.at(AFTER_COMMIT)

    async def find(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        await self._faults.at(BEFORE_READ)
        builds = self._database.builds
        return {digest: builds[digest].body for digest in digests if digest in builds}

    async def newest(self, blocks: int) -> Sequence[bytes]:
        await self._faults.at(BEFORE_READ)
        rows = self._database.builds.values()
        since = max((row.last_valid_height for row in rows), default=0) - blocks
        return [row.body for row in rows if row.body and row.last_valid_height >= since]

    async def delete_below(self, height: int) -> None:
        await self._faults.at(BEFORE_READ)
        builds = self._database.builds.items()
        self._database.builds = {digest: row for digest, row in builds if row.last_valid_height >= height}


class MemoryVaults:
    """`orders.vaults.registry.VaultStore` on a `MemoryDatabase`."""

    def __init__(self, database: MemoryDatabase, faults: Faults | None = None) -> None:
        self._database = database
        self._faults = faults or NoFaults()

    async def add(self, vaults: Sequence[VaultRow]) -> None:
        await _before_write(self._faults)
        for row in vaults:
            self._database.vaults.setdefault(row.wallet, row)
        await self._faults.at(AFTER_COMMIT)

    async def find(self, wallets: Sequence[Wallet]) -> Mapping[Wallet, Instant]:
        await self._faults.at(BEFORE_READ)
        vaults = self._database.vaults
        return {wallet: vaults[wallet].registered_at for wallet in wallets if wallet in vaults}


class MemoryPrices:
    """`services.prices.PriceStore` on a `MemoryDatabase`, for the process that opened the shard."""

    def __init__(self, database: MemoryDatabase, faults: Faults, opened: Callable[[], int | None]) -> None:
        self._database = database
        self._faults = faults
        self._opened = opened

    async def prices(self) -> Sequence[tuple[Mint, UsdPrice]]:
        await self._faults.at(BEFORE_READ)
        return sorted(self._database.prices.items())

    async def set_prices(self, prices: Mapping[Mint, UsdPrice]) -> None:
        await self._faults.at(BEFORE_READ)
        if self._opened() != self._database.shard(TRIGGER_SHARD).opened:
            raise Unavailable("another process sets the prices now")
        self._database.prices.update(prices)
        for mint, price in prices.items():
            self._database.prices_stored.setdefault(mint, []).append(price.picodollars)
        await self._faults.at(AFTER_COMMIT)

    async def clear(self) -> None:
        self._database.prices.clear()
