"""The events of a shard, in order, from any past position on and then live.

A reader holds only its position, so a slow one costs nothing: the newest events are kept here, what is older is read
from the store. Only what is committed is here.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from countermand.kernel.ports import Epoch, EventRow, EventStore
from countermand.values.structs import Struct

EVENTS_KEPT: Final = 10_000
PAGE_MAX: Final = 1_000


class Position(Struct, frozen=True, order=True):
    """Right after the event `n` of the journal entry `seq`. `n` -1: before the first event of that entry.

    As text: `incarnation:shard:seq:n`. A reset or a restore begins a new incarnation.
    """

    incarnation: int
    shard: int
    seq: int
    n: int

    def __str__(self) -> str:
        return f"{self.incarnation}:{self.shard}:{self.seq}:{self.n}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Raises `ValueError` for anything that `str` does not make."""
        parts = text.split(":")
        if len(text) > _TEXT_MAX or len(parts) != 4:
            raise ValueError("a position is incarnation:shard:seq:n")
        position = cls(*map(int, parts))
        incarnation, shard, seq, n = position.incarnation, position.shard, position.seq, position.n
        if str(position) != text or min(incarnation, shard, seq, n + 1) < 0 or n > _LAST or seq > _SEQ_MAX:
            raise ValueError("a position is incarnation:shard:seq:n, each a whole number")
        return position


_TEXT_MAX: Final = 80
_SEQ_MAX: Final = 2**63 - 1
"""More is no number of the database."""


class PositionGone(Exception):
    """The position is of an older incarnation. `start` is the beginning of the present one."""

    def __init__(self, start: Position) -> None:
        super().__init__(f"the venue began anew since: start from {start}")
        self.start = start


class PositionAhead(Exception):
    """Nothing has this position yet, nor has it ever been told."""


class EventLog:
    def __init__(self, shard: int, store: EventStore, kept: int = EVENTS_KEPT) -> None:
        self._shard = shard
        self._store = store
        self._kept = kept
        self._newest: deque[EventRow] = deque()
        self._since = 0
        """The log has every event of the entries after this one, up to the newest that is committed."""
        self._committed = 0
        self._began = 0
        self._incarnation = 0
        self._news = asyncio.Event()

    # --- what the shard tells

    def on_loaded(self, epoch: Epoch) -> None:
        """What was committed meanwhile, by this process without its knowledge or by another, is in the store."""
        if epoch.incarnation != self._incarnation or epoch.seq != self._committed:
            self._newest.clear()
            self._since = epoch.seq
        self._incarnation, self._began, self._committed = epoch.incarnation, epoch.began, epoch.seq
        self._wake()

    def on_committed(self, seq: int, events: Sequence[EventRow]) -> None:
        """All up to the entry `seq` is committed."""
        self._committed = seq
        self._newest.extend(events)
        while len(self._newest) > self._kept:
            self._since = self._newest.popleft().seq
        # An entry of which a part has left is not whole any more.
        while self._newest and self._newest[0].seq == self._since:
            self._newest.popleft()
        self._wake()

    # --- reading

    def start(self) -> Position:
        """Before everything that happened in this incarnation."""
        return Position(self._incarnation, self._shard, self._began, -1)

    def end(self) -> Position:
        """After everything that is committed."""
        return self._at(self._committed, _LAST)

    async def read(self, after: Position, limit: int = PAGE_MAX) -> tuple[Sequence[EventRow], Position]:
        """The first events after the position, and the position after them. No events: nothing has happened since.

        Raises `PositionGone`, `PositionAhead`, and `Unavailable` if the store does not answer.
        """
        self._check(after)
        until, limit = self._committed, min(limit, PAGE_MAX)
        if after.seq > self._since or (after.seq, after.n) == (self._since, _LAST):
            events: Sequence[EventRow] = self._kept_after(after, limit)
        else:
            events = await self._store.events(self._shard, (after.seq, after.n), until, limit)
            self._check(after)  # The venue may have begun anew meanwhile.
        if len(events) == limit:
            return events, self._at(events[-1].seq, events[-1].n)
        return events, self._at(until, _LAST)

    def knows(self, position: Position) -> bool:
        """Whether it can be read from there on."""
        try:
            self._check(position)
        except (PositionGone, PositionAhead):
            return False
        return True

    async def changed(self, since: Position) -> None:
        """Returns once something is committed after the position, or the venue began anew."""
        while since.incarnation == self._incarnation and since.seq >= self._committed:
            await self._news.wait()

    def _kept_after(self, after: Position, limit: int) -> Sequence[EventRow]:
        found: list[EventRow] = []
        for event in reversed(self._newest):  # Most readers are near the end.
            if (event.seq, event.n) <= (after.seq, after.n):
                break
            found.append(event)
        found.reverse()
        return found[:limit]

    def _check(self, position: Position) -> None:
        if position.incarnation < self._incarnation or position.seq < self._began:
            raise PositionGone(self.start())
        if position.incarnation > self._incarnation or position.shard != self._shard or position.seq > self._committed:
            raise PositionAhead(str(position))

    def _at(self, seq: int, n: int) -> Position:
        return Position(self._incarnation, self._shard, seq, n)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


_LAST: Final = 2**31 - 1
"""After every event of an entry, however many it has."""
