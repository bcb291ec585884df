"""One writer's term of office over a shard: its memory, and what of it is not yet committed.

A term begins with a new epoch and ends when a commit fails. Nothing of it survives: the next one loads what is stored.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from countermand.domain.instant import Instant
from countermand.engine import journal, telemetry
from countermand.engine.order_news import OrderNews
from countermand.engine.ports import Batch, Epoch, JournalRow


class TermBroken(Exception):
    """A bug left the memory of a term in doubt."""


class Memory(Protocol):
    """What a shard's family of orders keeps in memory, changes by commands, and writes beside the journal."""

    def command_due(self, at: Instant) -> tuple[Instant, Any] | None:
        """What must be decided before anything else, if it is due at `at`, and since when."""

    def decide(self, command: Any, at: Instant) -> Any:
        """What the command does: events, none if it changes nothing, or a refusal, which is no tuple."""

    def record(self, command: Any, happened: Any, at: Instant) -> bytes:
        """Makes it so, and remembers what of it must be written. Returns the journal entry's body."""

    def news(self, command: Any, happened: Any) -> Iterable[OrderNews]:
        """What happened to orders by it. Asked once that is committed, and before any of them is forgotten."""

    def writes(self) -> bool:
        """There is something to write that no journal entry told of."""

    def cut(self) -> Any:
        """Everything that is to be written, which is then in the next commit's hands."""

    def size(self) -> int:
        """How many orders are in memory."""


M = TypeVar("M", bound=Memory)


@dataclass(slots=True)
class _Pending:
    """What the next commit will write, beside the memory's rows, and who waits for it."""

    journal: list[JournalRow] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    told: list[tuple[int, Any, Any]] = field(default_factory=list)
    """Sequence number, command and events, for the log; empty if nobody reads it."""


class Term(Generic[M]):
    def __init__(self, shard: int, epoch: Epoch, memory: M) -> None:
        self.memory = memory
        self.last_at = epoch.last_at
        self.wanted = asyncio.Event()
        """Somebody waits for a commit."""
        self._shard = shard
        self.epoch = epoch.number
        self._seq = epoch.seq
        self._head = epoch.head or journal.GENESIS
        self._seq_committed = epoch.seq
        self._pending = _Pending()
        self._writing: _Pending | None = None
        self._bug: BaseException | None = None
        self._tells = telemetry.tells_of_orders()

    # --- deciding: synchronous, in memory

    def turn(self, command: Any, clock: Instant) -> Any:
        """Runs what time demanded before, then the command. Its instant is the clock's, never before the last one."""
        at = max(self.last_at, clock)
        self.run_due(at)
        happened = self._decide(command, at)
        if happened:
            self.run_due(at)
        return happened

    def run_due(self, at: Instant) -> None:
        while (due := self.memory.command_due(at)) is not None:
            self._decide(due[1], max(self.last_at, due[0]))

    def _decide(self, command: Any, at: Instant) -> Any:
        happened = self.memory.decide(command, at)
        if not happened or not isinstance(happened, tuple):
            return happened
        # From here on the command must succeed.
        self.last_at = at
        self._seq += 1
        body = self.memory.record(command, happened, at)
        row = journal.link(self._head, self._seq, at, type(command).__name__, body)
        self._head = row.hash
        self._pending.journal.append(row)
        if self._tells:
            self._pending.told.append((self._seq, command, happened))
        return happened

    # --- committing

    def is_settled(self) -> bool:
        return self._writing is None and not self._has_news()

    def _has_news(self) -> bool:
        return bool(self._pending.journal) or self.memory.writes()

    async def committed(self) -> None:
        """Returns once everything that memory now shows is committed."""
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
        future = asyncio.get_running_loop().create_future()
        self._pending.waiting.append(future)
        self.wanted.set()
        await future

    def cut(self) -> Batch[Any]:
        """Everything that is pending, as one batch. The term goes on while it is written."""
        if self._bug is not None:
            raise TermBroken("a turn failed half way") from self._bug
        assert self._writing is None, "one batch is written at a time"
        pending = self._writing = self._pending
        self._pending = _Pending()
        self.wanted.clear()
        return Batch(
            shard=self._shard,
            epoch=self.epoch,
            seq_before=self._seq_committed,
            seq_after=self._seq,
            head=self._head,
            journal=pending.journal,
            rows=self.memory.cut(),
        )

    def wrote(self, batch: Batch[Any]) -> None:
        """The batch is committed."""
        written = self._writing
        assert written is not None, "no batch was being written"
        self._writing = None
        self._seq_committed = batch.seq_after
        for future in written.waiting:
            if not future.done():
                future.set_result(None)
        if written.told:
            news = (
                (seq, each) for seq, command, happened in written.told for each in self.memory.news(command, happened)
            )
            telemetry.orders_changed(news)

    def break_off(self, bug: BaseException) -> None:
        """Memory is in doubt: nothing more is written of it."""
        self._bug = bug
        self.wanted.set()

    def end(self, reason: BaseException) -> None:
        """Tells everyone who waits that the outcome is unknown."""
        for part in (self._pending, self._writing):
            for future in part.waiting if part is not None else ():
                if not future.done():
                    future.set_exception(reason)
        self._pending, self._writing = _Pending(), None
