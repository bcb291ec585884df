"""What the kernel needs of the world: a clock, and a store that commits."""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from countermand.values.instant import Instant
from countermand.values.structs import Struct


class Unavailable(Exception):
    """A part of the world does not answer now. Nothing is known about what was asked; asking again is right."""


class CommitUnknown(Exception):
    """A commit's answer was lost: it may have happened or not."""


class WriterReplaced(Exception):
    """Another process writes this shard now. This one must stop for good."""


class DatabaseWentBack(WriterReplaced):
    """What this writer committed is not there any more: a standby that lagged was promoted, or a backup restored."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the database went back: {found}. A standby that lagged was promoted, or a backup restored? What was "
            "answered in between is lost; bring the newer database back, or start again to serve this one"
        )


class Clock(Protocol):
    def now(self) -> Instant:
        """The venue's clock: orders, expiries and rounds follow it. A sandbox can freeze and advance it."""

    def wall_ms(self) -> int:
        """The wall clock, which may be set back."""

    def elapsed_ms(self) -> int:
        """Since some moment. It is never set back: for patience with the outside world."""

    async def sleep(self, ms: int) -> None:
        """Sleeps by the wall clock."""


class ShardClock(Clock, Protocol):
    def not_before(self, instant: Instant) -> None:
        """Something that is stored happened at this instant."""


class Epoch(Struct, frozen=True):
    """A writer's hold on a shard, and where the shard stands.

    A reset or a restore begins a new incarnation: after the entry `began`, since sequence numbers go on rising.
    """

    number: int
    seq: int
    head: bytes
    last_at: Instant
    incarnation: int = 1
    began: int = 0


class JournalRow(Struct, frozen=True):
    seq: int
    at: Instant
    kind: str
    body: bytes
    hash: bytes


class EventRecord(Struct, frozen=True):
    """What one event was to one order, as readers are told of it. `body` is JSON, and says by itself all of it.

    Its `cause`, and its `reason` if there is one, are repeated in the log.
    """

    wallet: str
    """The wallet or the account whose order it is."""
    order_id: str
    kind: str
    body: bytes


class EventRow(Struct, frozen=True):
    """The record `n` of the journal entry `seq`, counted from 0."""

    seq: int
    n: int
    record: EventRecord


Rows_co = TypeVar("Rows_co", covariant=True)


class Batch(Struct, Generic[Rows_co], frozen=True):
    """What one commit writes: all of it, or nothing. `rows` is what its family of orders adds to the journal."""

    shard: int
    epoch: int
    seq_before: int
    seq_after: int
    head: bytes
    journal: Sequence[JournalRow]
    events: Sequence[EventRow]
    rows: Rows_co


class EventStore(Protocol):
    async def events(self, shard: int, after: tuple[int, int], until: int, limit: int) -> Sequence[EventRow]:
        """The first events after (seq, n), of entries up to `until`. Raises `Unavailable`."""


_Written_contra = TypeVar("_Written_contra", contravariant=True)


class ShardStore(EventStore, Protocol[_Written_contra]):
    """What every shard needs of its store. Every method may raise `Unavailable`, `commit` also `CommitUnknown`.

    What a load asks for may raise `StoredRowUnreadable`.
    """

    async def begin_epoch(self, shard: int, opened: int | None = None) -> Epoch:
        """Commits a new epoch. After it, no batch of an older one can commit.

        `opened` None takes the shard from its present writer. A writer that begins again names the epoch with which it
        took the shard, and is `WriterReplaced` if another took it since.
        """

    async def commit(self, batch: Batch[_Written_contra]) -> None:
        """Raises `WriterReplaced` if the shard is not at `seq_before` of `epoch`."""
