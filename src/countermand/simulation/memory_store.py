"""The store of the simulator: what PostgreSQL does with a shard, in plain dictionaries, with room for faults.

Several stores can share one `MemoryDatabase`, as several processes share a server. What a read shows is committed.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from countermand.domain.identity import Mint, OrderId, RequestId, Wallet
from countermand.domain.instant import Instant
from countermand.domain.quantities import UsdPrice
from countermand.engine.ports import (
    PASSING_SHOWN,
    BuildRow,
    CommitUnknown,
    CraftRow,
    Epoch,
    HistoryQuery,
    HistoryRow,
    JournalRow,
    OrderRow,
    Sort,
    StoredHistory,
    StoredOrder,
    TriggerBatch,
    WriterReplaced,
)

BEFORE_COMMIT: Final = "store.before-commit"
AFTER_COMMIT: Final = "store.after-commit"
BEFORE_EPOCH: Final = "store.before-epoch"
AFTER_EPOCH: Final = "store.after-epoch"
BEFORE_READ: Final = "store.before-read"
_HISTORY_MAX: Final = 200


class HeldInside(Exception):
    """Raised by `Faults.at(BEFORE_COMMIT)`: the batch is inside the database now, and its answer will never come.

    It commits when the simulator says so (`MemoryDatabase.release`) or a new epoch waits for it, unless it is defeated.
    """


class Faults(Protocol):
    async def at(self, point: str) -> None:
        """Is awaited at each of the points above: it may take its time, or raise what can happen there.

        Before a commit: `Unavailable` (nothing was sent), `CommitUnknown` (it never arrives), `HeldInside`. After it:
        `CommitUnknown`. Around an epoch and before a read: `Unavailable`.
        """

    def waits_for(self, batch: TriggerBatch, /) -> bool:
        """A new epoch finds this batch inside: whether it waits until it has committed, or defeats it."""


class NoFaults:
    async def at(self, point: str) -> None:
        pass

    def waits_for(self, _batch: TriggerBatch, /) -> bool:
        return True


_NOWHERE: Final = Epoch(0, 0, b"", Instant(0))


@dataclass(slots=True)
class MemoryShard:
    """The rows of one shard, all of them committed. `stands` is its fence."""

    stands: Epoch = _NOWHERE
    opened: int = 0
    journal: dict[int, JournalRow] = field(default_factory=dict)
    orders: dict[OrderId, OrderRow] = field(default_factory=dict)
    history: dict[OrderId, dict[int, HistoryRow]] = field(default_factory=dict)
    crafts: dict[RequestId, CraftRow] = field(default_factory=dict)
    vaults: dict[Wallet, Instant] = field(default_factory=dict)
    prices: dict[Mint, UsdPrice] = field(default_factory=dict)
    builds: dict[bytes, BuildRow] = field(default_factory=dict)

    def apply(self, batch: TriggerBatch) -> bool:
        """All of the batch; or nothing and False, if the shard is not where the batch begins."""
        if self.stands is _NOWHERE or (self.stands.number, self.stands.seq) != (batch.epoch, batch.seq_before):
            return False
        self._refuse_twice(batch)
        last_at = batch.journal[-1].at if batch.journal else self.stands.last_at
        self.stands = Epoch(batch.epoch, batch.seq_after, batch.head, last_at)
        self.journal.update({row.seq: row for row in batch.journal})
        self.orders.update({row.id: row for row in batch.rows.orders})
        for happened in batch.rows.history:
            self.history.setdefault(happened.order_id, {})[happened.number] = happened
        for craft in batch.rows.crafts:
            self.crafts.setdefault(craft.request_id, craft)
        for wallet, at in batch.rows.vaults:
            self.vaults.setdefault(wallet, at)
        self.prices.update(batch.rows.prices)
        for build in batch.rows.builds:
            self.builds.setdefault(build.digest, build)
        return True

    def copy(self) -> "MemoryShard":
        return MemoryShard(
            self.stands,
            self.opened,
            dict(self.journal),
            dict(self.orders),
            {order_id: dict(rows) for order_id, rows in self.history.items()},
            dict(self.crafts),
            dict(self.vaults),
            dict(self.prices),
            dict(self.builds),
        )

    def _refuse_twice(self, batch: TriggerBatch) -> None:
        """PostgreSQL refuses a second row of the same key. Only a bug of the engine asks for one."""
        for row in batch.journal:
            assert row.seq not in self.journal, f"journal row {row.seq} twice"
        for happened in batch.rows.history:
            assert happened.number not in self.history.get(happened.order_id, {}), f"{happened} twice"
        assert len({order.id for order in batch.rows.orders}) == len(batch.rows.orders), "an order twice in one batch"


@dataclass(slots=True)
class MemoryDatabase:
    """The shards, and the batches that are inside and not committed yet."""

    shards: dict[int, MemoryShard] = field(default_factory=dict)
    held: list[TriggerBatch] = field(default_factory=list)

    def shard(self, number: int) -> MemoryShard:
        """Empty, and not to be kept, if nobody ever began to write it."""
        return self.shards.get(number) or MemoryShard()

    def release(self) -> None:
        """What is held inside commits now, or meets a fence that has moved on."""
        held, self.held = self.held, []
        for batch in held:
            self.shard(batch.shard).apply(batch)

    def next_epoch(self, number: int, waits_for: Callable[[TriggerBatch], bool]) -> MemoryShard:
        """The shard in a new epoch. Its batches that were inside have committed, or are defeated."""
        shard = self.shards.setdefault(number, MemoryShard())
        mine = [batch for batch in self.held if batch.shard == number]
        self.held = [batch for batch in self.held if batch.shard != number]
        for batch in mine:
            if waits_for(batch):
                shard.apply(batch)
        shard.stands = replace(shard.stands, number=shard.stands.number + 1)
        return shard


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

    async def history(self, shard: int) -> AsyncIterator[HistoryRow]:
        for _, rows in sorted(self._shards[shard].history.items()):
            for _, row in sorted(rows.items()):
                yield row


class MemoryStore:
    """`engine.ports.Store` on a `MemoryDatabase`. Deterministic: what happens when is the business of `faults`."""

    def __init__(self, database: MemoryDatabase | None = None, faults: Faults | None = None) -> None:
        self.database = database if database is not None else MemoryDatabase()
        self._faults = faults if faults is not None else NoFaults()

    async def close(self) -> None:
        pass

    # --- writing

    async def begin_epoch(self, shard: int, opened: int | None = None) -> Epoch:
        await self._faults.at(BEFORE_EPOCH)
        if opened is not None and self.database.shard(shard).opened != opened:
            raise WriterReplaced(f"shard {shard} was taken since epoch {opened}: another process writes it")
        begun = self.database.next_epoch(shard, self._faults.waits_for)
        if opened is None:
            begun.opened = begun.stands.number
        await self._faults.at(AFTER_EPOCH)
        return begun.stands

    async def commit(self, batch: TriggerBatch) -> None:
        try:
            await self._faults.at(BEFORE_COMMIT)
        except HeldInside as held:
            self.database.held.append(batch)
            raise CommitUnknown("the answer to a commit was lost; the batch is still inside") from held
        applied = self.database.shard(batch.shard).apply(batch)
        await self._faults.at(AFTER_COMMIT)
        if not applied:
            raise WriterReplaced(
                f"shard {batch.shard} is not at {batch.seq_before} of epoch {batch.epoch}: another process writes it"
            )

    async def reset(self, shard: int) -> None:
        await self._faults.at(BEFORE_EPOCH)
        ended = self.database.next_epoch(shard, self._faults.waits_for)
        self.database.shards[shard] = MemoryShard(replace(_NOWHERE, number=ended.stands.number), ended.opened)
        await self._faults.at(AFTER_EPOCH)

    async def delete_dead_crafts(self, below_height: int) -> None:
        await self._faults.at(BEFORE_READ)
        for shard in self.database.shards.values():
            shard.crafts = {
                request_id: craft
                for request_id, craft in shard.crafts.items()
                if craft.last_valid_height >= below_height or craft.order_id in shard.orders
            }

    async def delete_builds(self, below_height: int) -> None:
        await self._faults.at(BEFORE_READ)
        for shard in self.database.shards.values():
            shard.builds = {
                digest: row for digest, row in shard.builds.items() if row.last_valid_height >= below_height
            }

    # --- reading

    async def live_orders(self, shard: int) -> Sequence[bytes]:
        await self._faults.at(BEFORE_READ)
        return [row.body for _, row in sorted(self.database.shard(shard).orders.items()) if row.live]

    async def prices(self, shard: int) -> Sequence[tuple[Mint, UsdPrice]]:
        await self._faults.at(BEFORE_READ)
        return sorted(self.database.shard(shard).prices.items())

    async def order(self, order_id: OrderId) -> bytes | None:
        await self._faults.at(BEFORE_READ)
        return next((row.body for shard in self._shards() if (row := shard.orders.get(order_id))), None)

    async def craft(self, request_id: RequestId) -> bytes | None:
        await self._faults.at(BEFORE_READ)
        return next((row.body for shard in self._shards() if (row := shard.crafts.get(request_id))), None)

    async def build(self, digest: bytes) -> bytes | None:
        await self._faults.at(BEFORE_READ)
        return next((row.body for shard in self._shards() if (row := shard.builds.get(digest))), None)

    async def vault(self, wallet: Wallet) -> Instant | None:
        await self._faults.at(BEFORE_READ)
        return next((shard.vaults[wallet] for shard in self._shards() if wallet in shard.vaults), None)

    async def history(self, query: HistoryQuery) -> StoredHistory:
        await self._faults.at(BEFORE_READ)
        found = [(row, shard) for shard in self._shards() for row in shard.orders.values() if _matches(row, query)]
        found.sort(key=lambda pair: (_sort_key(pair[0], query.sort), pair[0].id), reverse=query.descending)
        page = found[query.offset : query.offset + query.limit]
        return StoredHistory(len(found), [_with_history(row, shard) for row, shard in page])

    async def order_history(self, order_id: OrderId) -> StoredOrder | None:
        await self._faults.at(BEFORE_READ)
        return next(
            (_with_history(row, shard) for shard in self._shards() if (row := shard.orders.get(order_id))), None
        )

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[MemorySnapshot]:
        await self._faults.at(BEFORE_READ)
        yield MemorySnapshot(self.database)

    def _shards(self) -> Iterable[MemoryShard]:
        return self.database.shards.values()


def _with_history(row: OrderRow, shard: MemoryShard) -> StoredOrder:
    rows = [happened for _, happened in sorted(shard.history.get(row.id, {}).items(), reverse=True)]
    passing = [happened.number for happened in rows if happened.passing][:PASSING_SHOWN]
    shown = [happened.body for happened in rows if not happened.passing or happened.number in passing]
    return StoredOrder(row.body, shown[:_HISTORY_MAX])


def _matches(row: OrderRow, query: HistoryQuery) -> bool:
    return (
        row.wallet == query.wallet
        and (query.active is None or row.active == query.active)
        and (query.mint is None or query.mint in (row.input_mint, row.output_mint))
    )


def _sort_key(row: OrderRow, sort: Sort) -> Instant:
    match sort:
        case Sort.UPDATED_AT:
            return row.updated_at
        case Sort.CREATED_AT:
            return row.created_at
        case Sort.EXPIRES_AT:
            return row.expires_at
