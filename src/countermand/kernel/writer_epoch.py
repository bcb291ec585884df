"""What one writer has of a shard during one epoch: the state in memory, and what of it is not yet committed.

It begins with a new epoch in the store, and ends when a commit fails. Nothing of it survives: the next one loads what
is stored.
"""

import asyncio
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct, field

from countermand.kernel import journal
from countermand.kernel.ports import Batch, CommitUnknown, Epoch, EventRecord, EventRow, JournalRow
from countermand.values.instant import Instant
from countermand.values.refusal import CommandRefused

Command = TypeVar("Command")
Event = TypeVar("Event")
Refusal = TypeVar("Refusal", bound=CommandRefused)
Rows = TypeVar("Rows")
State = TypeVar("State")
Refusal_co = TypeVar("Refusal_co", bound=CommandRefused, covariant=True)
Rows_co = TypeVar("Rows_co", covariant=True)


class StateInDoubt(Exception):
    """A bug ended a turn half way."""


class ReloadRequested(Exception):
    """Not a bug: the epoch ends since a reload was asked for."""


class Entry(Struct, frozen=True):
    """What the journal and the event log keep of a command. `kind` is a stable name, `body` JSON."""

    kind: str
    body: bytes
    events: Sequence[EventRecord]


class ShardState(Protocol[Command, Event, Refusal_co, Rows_co]):
    """What a family of orders keeps in memory, how commands change it, and what a commit writes of it."""

    def due_before(self, command: Command, at: Instant) -> tuple[Instant, Command] | None:
        """What time demands before this very command is decided, if it is due at `at`, and since when."""

    def begin_due(self, at: Instant, most: int) -> bool:
        """A bounded step towards knowing what is due at `at`. False: another one is needed."""

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        """What time demands first, if it is due at `at`, and since when."""

    def decide(self, command: Command, at: Instant) -> tuple[Event, ...] | Refusal_co:
        """What the command would do: its events, in order, or why it makes none. It changes nothing.

        No events: what it asks for had happened before, and is so.
        """

    def apply(self, command: Command, events: tuple[Event, ...], at: Instant) -> Entry:
        """Makes it so, and remembers what of it must be written."""

    def has_rows(self) -> bool:
        """There is something to write that no journal entry tells of."""

    def take_rows(self) -> Rows_co:
        """Everything that is to be written, which is then in the next commit's hands."""

    def size(self) -> int:
        """How many orders are in memory."""


class _Pending(Struct):
    """What the next commit will write, beside the state's rows, and who waits for it."""

    journal: list[JournalRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


class WriterEpoch(Generic[State, Command, Event, Refusal, Rows]):
    """`state` and `rules` are one object: by the first type its family knows it, by the second the kernel does."""

    def __init__(
        self, shard: int, epoch: Epoch, state: State, rules: ShardState[Command, Event, Refusal, Rows]
    ) -> None:
        self.number = epoch.number
        self.state = state
        self.last_at = epoch.last_at
        self.wanted = asyncio.Event()
        """A commit is waited for."""
        self._rules = rules
        self._shard = shard
        self._seq = epoch.seq
        self._head = epoch.head or journal.GENESIS
        self._seq_committed = epoch.seq
        self._pending = _Pending()
        self._writing: _Pending | None = None
        self._doubt: BaseException | None = None
        self._ended: CommitUnknown | None = None

    def size(self) -> int:
        return self._rules.size()

    # --- deciding: synchronous, in memory

    def turn(self, command: Command, clock: Instant) -> tuple[Event, ...] | Refusal:
        """Runs what time demands before it, the command, and what that made due.

        Its instant is the clock's, never before the last one.
        """
        self._run_due_before(command, clock)
        at = max(self.last_at, clock)
        decided = self._decide(command, at)
        if decided and not isinstance(decided, CommandRefused):
            self._run_due_before(command, at)
        return decided

    def _run_due_before(self, command: Command, clock: Instant) -> None:
        at = max(self.last_at, clock)
        while (due := self._rules.due_before(command, at)) is not None:
            self._decide(due[1], max(self.last_at, due[0]))

    def is_due(self, clock: Instant) -> bool:
        """Time demands something."""
        return self._rules.command_due(max(self.last_at, clock)) is not None

    def run_due(self, clock: Instant, most: int) -> bool:
        """Runs at most so many commands of what time demands, and until they made so many events. False: there may
        be more.
        """
        at = max(self.last_at, clock)
        if not self._rules.begin_due(at, most):
            return False
        full = self.unwritten() + most
        for _ in range(most):
            due = self._rules.command_due(at)
            if due is None:
                return True
            self._decide(due[1], max(self.last_at, due[0]))
            if self.unwritten() >= full:
                return False
        return False

    def _decide(self, command: Command, at: Instant) -> tuple[Event, ...] | Refusal:
        decided = self._rules.decide(command, at)
        if isinstance(decided, CommandRefused) or not decided:
            return decided
        # From here on the command must succeed.
        self.last_at = at
        self._seq += 1
        entry = self._rules.apply(command, decided, at)
        row = journal.link(self._head, self._seq, at, entry.kind, entry.body)
        self._head = row.hash
        self._pending.journal.append(row)
        self._pending.events.extend(EventRow(self._seq, n, record) for n, record in enumerate(entry.events))
        return decided

    # --- committing

    def unwritten(self) -> int:
        """How many events wait for the next commit."""
        return len(self._pending.events)

    def is_settled(self) -> bool:
        return self._writing is None and not self._has_news()

    def _has_news(self) -> bool:
        return bool(self._pending.journal) or self._rules.has_rows()

    async def committed(self) -> None:
        """Returns once everything that memory now shows is committed."""
        if self._ended is not None:
            raise self._ended
        if self._has_news():
            waiting = self._pending.waiting
            self.wanted.set()
        elif self._writing is not None:
            waiting = self._writing.waiting
        else:
            return
        future = asyncio.get_running_loop().create_future()
        waiting.append(future)
        await future

    async def confirmed(self) -> None:
        """The same, and no other writer had taken the shard when memory was looked at: the fence was passed since."""
        if self._ended is not None:
            raise self._ended
        future = asyncio.get_running_loop().create_future()
        self._pending.waiting.append(future)
        self.wanted.set()
        await future

    def take_batch(self) -> Batch[Rows]:
        """Everything that is pending, as one batch. The epoch goes on while it is written."""
        if self._doubt is not None:
            raise StateInDoubt("a turn failed half way") from self._doubt
        assert self._writing is None, "one batch is written at a time"
        pending = self._writing = self._pending
        self._pending = _Pending()
        self.wanted.clear()
        return Batch(
            shard=self._shard,
            epoch=self.number,
            seq_before=self._seq_committed,
            seq_after=self._seq,
            head=self._head,
            journal=pending.journal,
            events=pending.events,
            rows=self._rules.take_rows(),
        )

    def on_committed(self, batch: Batch[Rows]) -> None:
        """The batch is committed."""
        written = self._writing
        assert written is not None, "no batch was being written"
        self._writing = None
        self._seq_committed = batch.seq_after
        for future in written.waiting:
            if not future.done():
                future.set_result(None)

    def abort(self, reason: BaseException) -> None:
        """Nothing more is written of it: its state is in doubt, or a reload was asked for."""
        self._doubt = reason
        self.wanted.set()

    def end(self, reason: CommitUnknown) -> None:
        """Tells all who wait, or come still, that the outcome is unknown."""
        self._ended = reason
        for part in (self._pending, self._writing):
            for future in part.waiting if part is not None else ():
                if not future.done():
                    future.set_exception(reason)
        self._pending, self._writing = _Pending(), None
