"""What the kernel promises to any family, by one as small as can be: a jar, which has room for ten and leaks."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest

from countermand.kernel.event_log import Position
from countermand.kernel.journal import encode
from countermand.kernel.ports import Batch, CommitUnknown, Epoch, EventRecord, EventRow
from countermand.kernel.shard import Shard
from countermand.kernel.writer_epoch import Entry, WriterEpoch
from countermand.values.instant import Instant
from countermand.values.refusal import CommandRefused
from countermand.values.structs import Struct
from tests.orders.trigger.stubs import quiet, under_virtual_time

ROOM = 10
LEAKS_MS = 1_000


class Pour(Struct, frozen=True):
    units: int


class Leak(Struct, frozen=True):
    """One unit, a second after the last change."""


class Poured(Struct, frozen=True):
    units: int


class Leaked(Struct, frozen=True):
    pass


class JarFull(CommandRefused, frozen=True):
    room: int


Command: TypeAlias = Pour | Leak
Event: TypeAlias = Poured | Leaked
Rows: TypeAlias = Sequence[int]


class Jar:
    """`kernel.writer_epoch.ShardState`."""

    def __init__(self, level: int, changed_at: Instant) -> None:
        self.level, self.changed_at = level, changed_at
        self._rows: list[int] = []

    def due_before(self, command: Command, at: Instant) -> tuple[Instant, Command] | None:
        return self.command_due(at)

    def begin_due(self, at: Instant, most: int) -> bool:
        return True

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        due = Instant(self.changed_at + LEAKS_MS)
        return (due, Leak()) if self.level and due <= at else None

    def decide(self, command: Command, at: Instant) -> tuple[Event, ...] | JarFull:
        if isinstance(command, Leak):
            return (Leaked(),)
        if command.units < 0:
            raise ZeroDivisionError("a bug")
        if self.level + command.units > ROOM:
            return JarFull(ROOM - self.level)
        return (Poured(command.units),) if command.units else ()

    def apply(self, command: Command, events: tuple[Event, ...], at: Instant) -> Entry:
        for event in events:
            self.level += event.units if isinstance(event, Poured) else -1
        self.changed_at = at
        self._rows.append(self.level)
        name, body = type(command).__name__, encode({"cause": "test", "level": self.level})
        return Entry(name, b"{}", [EventRecord("wallet", "jar", name, body) for _ in events])

    def has_rows(self) -> bool:
        return False

    def take_rows(self) -> Rows:
        rows, self._rows = self._rows, []
        return rows

    def size(self) -> int:
        return 1


class Shelf:
    """`kernel.ports.ShardStore`. It commits when it may, and may lose the answer."""

    def __init__(self) -> None:
        self.stands = Epoch(0, 0, b"", Instant(0))
        self.levels, self.kinds, self.rows = [0], list[str](), list[EventRow]()
        self.may_commit = asyncio.Event()
        self.may_commit.set()
        self.answers_lost = 0

    async def begin_epoch(self, shard: int, opened: int | None = None) -> Epoch:
        last = self.stands
        self.stands = Epoch(last.number + 1, last.seq, last.head, last.last_at)
        return self.stands

    async def commit(self, batch: Batch[Rows]) -> None:
        await self.may_commit.wait()
        at = batch.journal[-1].at if batch.journal else self.stands.last_at
        self.stands = Epoch(batch.epoch, batch.seq_after, batch.head, at)
        self.levels += batch.rows
        self.kinds += [row.kind for row in batch.journal]
        self.rows += batch.events
        if self.answers_lost:
            self.answers_lost -= 1
            raise CommitUnknown("the answer was lost")

    async def events(self, shard: int, after: tuple[int, int], until: int, limit: int) -> Sequence[EventRow]:
        return [row for row in self.rows if after < (row.seq, row.n) and row.seq <= until][:limit]


class Clock:
    def __init__(self) -> None:
        self.ms = 0

    def now(self) -> Instant:
        return Instant(self.ms)

    def not_before(self, instant: Instant) -> None:
        self.ms = max(self.ms, instant)

    def wall_ms(self) -> int:
        return self.ms

    def elapsed_ms(self) -> int:
        return self.ms

    async def sleep(self, ms: int) -> None:
        await asyncio.sleep(ms / 1000)


class JarShard(Shard[Jar, Command, Event, JarFull, Rows]):
    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        super().__init__(0, shelf, clock)
        self.shelf, self.clock = shelf, clock

    async def pour(self, units: int) -> int | JarFull:
        """The level after it."""
        writer = await self._ready()
        decided = self._turn(writer, Pour(units))
        level = writer.state.level
        await self._settled(writer, decided)
        return decided if isinstance(decided, JarFull) else level

    async def told(self, after: Position | None = None) -> list[int]:
        """The level after each event."""
        events, _ = await self.read_events(after, 100)
        return [json.loads(event.record.body)["level"] for event in events]

    async def _load(self, epoch: Epoch) -> WriterEpoch[Jar, Command, Event, JarFull, Rows]:
        jar = Jar(self.shelf.levels[-1], epoch.last_at)
        return WriterEpoch(self.number, epoch, jar, jar)

    def _on_committed(self, state: Jar) -> None:
        """Nothing is owed."""


@asynccontextmanager
async def a_jar() -> AsyncIterator[JarShard]:
    shard = JarShard(Shelf(), Clock())
    running = asyncio.create_task(shard.run())
    await shard.loaded()
    yield shard
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@under_virtual_time
async def test_nothing_of_a_turn_is_told_before_its_commit() -> None:
    async with a_jar() as jar:
        jar.shelf.may_commit.clear()
        before = jar.events.end()
        pouring, watching = asyncio.create_task(jar.pour(3)), asyncio.create_task(jar.events.changed(before))
        refused, nothing = asyncio.create_task(jar.pour(8)), asyncio.create_task(jar.pour(0))
        await quiet()
        assert not any(task.done() for task in (pouring, watching, refused, nothing))
        assert (await jar.told(), jar.events.end(), jar.shelf.levels) == ([], before, [0])
        jar.shelf.may_commit.set()
        assert await pouring == await nothing == 3
        assert await refused == JarFull(7)
        await watching
        assert (await jar.told(before), jar.shelf.levels, jar.shelf.kinds) == ([3], [0, 3], ["Pour"])


@under_virtual_time
async def test_what_time_demands_comes_first_as_an_entry_of_its_own_at_its_instant() -> None:
    async with a_jar() as jar:
        assert await jar.pour(10) == 10
        jar.clock.ms = 2 * LEAKS_MS
        assert await jar.pour(2) == 10
        assert jar.shelf.kinds == ["Pour", "Leak", "Leak", "Pour"]
        assert await jar.told() == [10, 9, 8, 10]


@under_virtual_time
async def test_a_lost_answer_is_told_as_unknown_and_what_is_stored_is_loaded() -> None:
    async with a_jar() as jar:
        jar.shelf.answers_lost = 1
        with pytest.raises(CommitUnknown):
            await jar.pour(4)
        assert await jar.pour(2) == 6
        assert (jar.epoch, await jar.told()) == (2, [4, 6])


@under_virtual_time
async def test_a_bug_in_a_turn_ends_the_epoch_and_nothing_of_it_is_stored() -> None:
    async with a_jar() as jar:
        jar.shelf.may_commit.clear()
        first = asyncio.create_task(jar.pour(1))
        await quiet()
        second = asyncio.create_task(jar.pour(2))
        await quiet()
        with pytest.raises(ZeroDivisionError):
            await jar.pour(-1)
        jar.shelf.may_commit.set()
        assert await first == 1, "its commit was under way"
        with pytest.raises(CommitUnknown):
            await second
        assert await jar.pour(5) == 6
        assert (jar.epoch, jar.shelf.levels) == (2, [0, 1, 6])
