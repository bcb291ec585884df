"""What PostgreSQL does with the shards of the venue, in plain dictionaries, with room for faults.

Several stores can share one database, as several processes share a server. What a read shows is committed. Each family
of orders adds its rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from countermand.kernel.ports import Batch, CommitUnknown, Epoch, EventRow, JournalRow, WriterReplaced
from countermand.values.instant import Instant
from countermand.values.structs import replace

BEFORE_COMMIT: Final = "store.before-commit"
AFTER_COMMIT: Final = "store.after-commit"
BEFORE_EPOCH: Final = "store.before-epoch"
AFTER_EPOCH: Final = "store.after-epoch"
BEFORE_READ: Final = "store.before-read"

NOWHERE: Final = Epoch(0, 0, b"", Instant(0))


class HeldInside(Exception):
    """Raised by `Faults.at(BEFORE_COMMIT)`: the batch is inside the database now, and its answer will never come.

    It commits when the simulator says so (`FencedDatabase.release`) or a new epoch waits for it, unless it is defeated.
    """


class Faults(Protocol):
    async def at(self, point: str) -> None:
        """Is awaited at each of the points above: it may take its time, or raise what can happen there.

        Before a commit: `Unavailable` (nothing was sent), `CommitUnknown` (it never arrives), `HeldInside`. After it:
        `CommitUnknown`. Around an epoch and before a read: `Unavailable`.
        """

    def waits_for(self, batch: Batch[Any], /) -> bool:
        """A new epoch finds this batch inside: whether it waits until it has committed, or defeats it."""


class NoFaults:
    async def at(self, point: str) -> None:
        pass

    def waits_for(self, _batch: Batch[Any], /) -> bool:
        return True


R = TypeVar("R")


@dataclass
class FencedShard(ABC, Generic[R]):
    """The rows of one shard, all of them committed. `stands` is its fence."""

    stands: Epoch = NOWHERE
    opened: int = 0
    journal: dict[int, JournalRow] = field(default_factory=dict)
    events: dict[tuple[int, int], EventRow] = field(default_factory=dict)
    story: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """The events of each order."""

    def apply(self, batch: Batch[R]) -> bool:
        """All of the batch; or nothing and False, if the shard is not where the batch begins."""
        if self.stands is NOWHERE or (self.stands.number, self.stands.seq) != (batch.epoch, batch.seq_before):
            return False
        for row in batch.journal:
            assert row.seq not in self.journal, f"journal row {row.seq} twice"
        for event in batch.events:
            assert (event.seq, event.n) not in self.events, f"event {event.seq}/{event.n} twice"
        self.refuse_twice(batch.rows)
        last_at = batch.journal[-1].at if batch.journal else self.stands.last_at
        self.stands = replace(self.stands, seq=batch.seq_after, head=batch.head, last_at=last_at)
        for event in batch.events:
            self.events[event.seq, event.n] = event
            self.story.setdefault(event.record.order_id, []).append((event.seq, event.n))
        self.journal.update({row.seq: row for row in batch.journal})
        self.add(batch.rows)
        return True

    @abstractmethod
    def refuse_twice(self, rows: R) -> None:
        """PostgreSQL refuses a second row of the same key. Only a bug of the engine asks for one."""

    @abstractmethod
    def add(self, rows: R) -> None: ...


S = TypeVar("S", bound=FencedShard[Any])


class FencedDatabase(Generic[S]):
    """The shards, and the batches that are inside and not committed yet."""

    def __init__(self, new: Callable[[], S]) -> None:
        self.new = new
        self.shards: dict[int, S] = {}
        self._nothing = new()
        self.held: list[Batch[Any]] = []

    def shard(self, number: int) -> S:
        """Empty, and not to be written, if no writer ever began it."""
        return self.shards.get(number, self._nothing)

    def release(self) -> None:
        """What is held inside commits now, or meets a fence that has moved on."""
        held, self.held = self.held, []
        for batch in held:
            self.shard(batch.shard).apply(batch)

    def next_epoch(self, number: int, waits_for: Callable[[Batch[Any]], bool]) -> S:
        """The shard in a new epoch. Its batches that were inside have committed, or are defeated."""
        shard = self.shards.setdefault(number, self.new())
        mine = [batch for batch in self.held if batch.shard == number]
        self.held = [batch for batch in self.held if batch.shard != number]
        for batch in mine:
            if waits_for(batch):
                shard.apply(batch)
        shard.stands = replace(shard.stands, number=shard.stands.number + 1)
        return shard


class FencedStore(Generic[S]):
    """`kernel.ports.ShardStore`. Deterministic: what happens when is the business of `faults`."""

    def __init__(self, database: FencedDatabase[S], faults: Faults | None = None) -> None:
        self.database = database
        self._faults = faults if faults is not None else NoFaults()

    async def close(self) -> None:
        pass

    async def begin_epoch(self, shard: int, opened: int | None = None) -> Epoch:
        await self._faults.at(BEFORE_EPOCH)
        if opened is not None and self.database.shard(shard).opened != opened:
            raise WriterReplaced(f"shard {shard} was taken since epoch {opened}: another process writes it")
        begun = self.database.next_epoch(shard, self._faults.waits_for)
        if opened is None:
            begun.opened = begun.stands.number
        mine = begun.stands  # By the time of the answer, another process may have begun one.
        await self._faults.at(AFTER_EPOCH)
        return mine

    async def commit(self, batch: Batch[Any]) -> None:
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
        empty = self.database.new()
        stands = ended.stands
        empty.stands = replace(
            NOWHERE, number=stands.number, seq=stands.seq, began=stands.seq, incarnation=stands.incarnation + 1
        )
        empty.opened = ended.opened
        self.database.shards[shard] = empty
        await self._faults.at(AFTER_EPOCH)

    async def epoch(self, shard: int) -> int:
        """The number of the newest one; 0 for a shard that was never written."""
        await self._faults.at(BEFORE_READ)
        return self.database.shard(shard).stands.number

    async def events(self, shard: int, after: tuple[int, int], until: int, limit: int) -> Sequence[EventRow]:
        await self._faults.at(BEFORE_READ)
        found = [row for at, row in self.database.shard(shard).events.items() if at > after and row.seq <= until]
        return found[:limit]

    def _shards(self) -> Iterable[S]:
        return self.database.shards.values()
