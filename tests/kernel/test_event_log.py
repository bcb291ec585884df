"""Every event, from any past position on and then live: none is missing, none comes twice."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from countermand.kernel.event_log import EventLog, Position, PositionAhead, PositionGone
from countermand.kernel.ports import Epoch, EventRecord, EventRow
from countermand.values.instant import Instant

RECORD = EventRecord("wallet", "order", "kind", b"{}")


def row(seq: int, n: int = 0) -> EventRow:
    return EventRow(seq, n, RECORD)


class Stored:
    def __init__(self) -> None:
        self.rows: list[EventRow] = []
        self.reads = 0
        self.held: asyncio.Event | None = None

    async def events(self, shard: int, after: tuple[int, int], until: int, limit: int) -> Sequence[EventRow]:
        self.reads += 1
        if self.held is not None:
            await self.held.wait()
        found = [each for each in self.rows if (each.seq, each.n) > after and each.seq <= until]
        return found[:limit]


class Written:
    """A log, and the store that a shard writes."""

    def __init__(self, kept: int = 10, *, incarnation: int = 1, began: int = 0) -> None:
        self.store = Stored()
        self.log = EventLog(3, self.store, kept)
        self.seq = began
        self.log.on_loaded(Epoch(1, began, b"", Instant(0), incarnation, began))

    def commit(self, *sizes: int) -> None:
        """A batch of entries with so many events each."""
        rows = [row(self.seq + nth, n) for nth, size in enumerate(sizes, 1) for n in range(size)]
        self.seq += len(sizes)
        self.store.rows += rows
        self.log.on_committed(self.seq, rows)

    async def all_from(self, position: Position, limit: int = 1000) -> list[EventRow]:
        found: list[EventRow] = []
        while True:
            events, after = await self.log.read(position, limit)
            found += events
            if not events and after == position:
                return found
            position = after


async def test_the_newest_events_are_read_without_the_store() -> None:
    it = Written()
    it.commit(2, 0, 1)
    assert await it.all_from(it.log.start()) == it.store.rows
    assert it.store.reads == 1, "what was before the load is the store's"
    after = it.log.end()
    it.commit(1)
    events, end = await it.log.read(after)
    assert (events, end) == ([row(4)], it.log.end())
    assert it.store.reads == 1


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
@pytest.mark.parametrize("kept", [0, 1, 5, 1000])
async def test_from_every_past_position_nothing_is_missing_and_nothing_comes_twice(kept: int, limit: int) -> None:
    random = Random(f"{kept} {limit}")
    it = Written(kept)
    for _ in range(20):
        it.commit(*(random.randrange(4) for _ in range(random.randrange(4))))
    expected = it.store.rows
    for number, each in enumerate(expected):
        assert await it.all_from(Position(1, 3, each.seq, each.n), limit) == expected[number + 1 :]
    assert await it.all_from(it.log.start(), limit) == expected


async def test_a_page_that_ends_within_an_entry_goes_on_within_it() -> None:
    it = Written()
    it.commit(3)
    first, position = await it.log.read(it.log.start(), 1)
    rest, end = await it.log.read(position)
    assert (first, rest) == ([row(1, 0)], [row(1, 1), row(1, 2)])
    assert await it.log.read(end) == ([], end)


async def test_a_slow_reader_and_a_quick_one_get_the_same_while_commits_go_on() -> None:
    it = Written(kept=5)

    async def reads(pause: int) -> list[EventRow]:
        found: list[EventRow] = []
        position = it.log.start()
        while len(found) < 300:
            events, position = await it.log.read(position, 3)
            found += events
            await (it.log.changed(position) if not events and len(found) < 300 else asyncio.sleep(0))
            for _ in range(pause):
                await asyncio.sleep(0)
        return found

    readers = [asyncio.create_task(reads(pause)) for pause in (0, 1, 9)]
    for _ in range(150):
        it.commit(1, 1)
        await asyncio.sleep(0)
    assert await asyncio.gather(*readers) == [it.store.rows] * 3


async def test_what_is_committed_while_the_store_is_read_comes_afterwards_and_once() -> None:
    it = Written(kept=1)
    it.commit(1, 1, 1)
    it.store.held = asyncio.Event()
    reading = asyncio.create_task(it.log.read(it.log.start()))
    await asyncio.sleep(0)
    it.commit(1)
    it.store.held.set()
    events, after = await reading
    assert [each.seq for each in events] == [1, 2, 3]
    assert [each.seq for each in await it.all_from(after)] == [4]


async def test_after_a_load_that_found_more_than_was_known_it_is_read_from_the_store() -> None:
    """The answer to a commit was lost, but it had happened."""
    it = Written()
    it.commit(1)
    position = it.log.end()
    it.store.rows += [row(2), row(3)]
    waiting = asyncio.create_task(it.log.changed(position))
    it.log.on_loaded(Epoch(2, 3, b"", Instant(0)))
    await asyncio.wait_for(waiting, 30)
    it.seq = 3
    it.commit(1)
    assert [each.seq for each in await it.all_from(position)] == [2, 3, 4]


async def test_a_position_of_an_older_incarnation_is_gone_and_the_new_start_is_told() -> None:
    it = Written()
    it.commit(1, 1)
    before = it.log.end()
    it.log.on_loaded(Epoch(2, 2, b"", Instant(0), incarnation=2, began=2))
    with pytest.raises(PositionGone) as gone:
        await it.log.read(before)
    assert gone.value.start == Position(2, 3, 2, -1) == it.log.start()
    await asyncio.wait_for(it.log.changed(before), 30)


@pytest.mark.parametrize("position", [Position(1, 3, 9, -1), Position(2, 3, 0, -1), Position(1, 4, 0, -1)])
async def test_a_position_that_was_never_told_is_ahead(position: Position) -> None:
    it = Written()
    it.commit(1)
    with pytest.raises(PositionAhead):
        await it.log.read(position)


def test_a_position_is_one_text() -> None:
    for position in (Position(1, 0, 42, 7), Position(3, 1, 0, -1)):
        assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text", ["", "1:0:42", "1:0:42:7:9", "1:0:x:7", "1:0:042:7", " 1:0:42:7", "1:0:-1:0", "1:0:1:-2", "9" * 99]
)
def test_anything_else_is_no_position(text: str) -> None:
    with pytest.raises(ValueError, match=r"position|invalid literal"):
        Position.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "1:0:0:2147483648",
        "1:0:9223372036854775808:0",
        "1:0:0:-2",
        "1:0:-1:0",
        "1:0:0",
        "1:0:0:0:0",
        " 1:0:0:0",
        "+1:0:0:0",
    ],
)
def test_what_no_position_can_be_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="a position is"):
        Position.parse(text)


@pytest.mark.parametrize("text", ["1:0:0:-1", "1:0:9223372036854775807:2147483647"])
def test_the_first_and_the_last_positions(text: str) -> None:
    assert str(Position.parse(text)) == text
