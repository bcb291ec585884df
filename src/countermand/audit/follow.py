"""A shard's journal, entry by entry: whether its chain of hashes holds, and whether it can be replayed."""

from collections.abc import AsyncIterable, Callable

from countermand.audit.findings import Audit
from countermand.audit.reading import SENSELESS
from countermand.kernel import journal
from countermand.kernel.ports import Epoch, JournalRow


class JournalFollower:
    """`replay` is given each entry after `began`; it raises one of `SENSELESS` for one that cannot be."""

    def __init__(self, audit: Audit, shard: int, began: int, replay: Callable[[JournalRow], None]) -> None:
        self._audit = audit
        self._shard = shard
        self._replay = replay
        self._head = journal.GENESIS
        self._seq = self._began = began
        self._at = 0

    async def follow(self, rows: AsyncIterable[JournalRow]) -> bool:
        """False: one of them makes no sense, and there is no telling what came after it."""
        async for row in rows:
            self._audit.entries += 1
            if row.seq != self._seq + 1:
                self._differs(row.seq, f"the journal lacks what lies between entries {self._seq} and {row.seq}")
                if self._seq == self._began:
                    what = f"it began after entry {self._began}, but the journal begins with {row.seq}"
                    self._audit.differs("shards", self._shard, what)
                return False
            if self._is_broken(row):
                self._differs(row.seq, f"journal entry {row.seq} is not what its hash was made of")
                return False
            if row.at < self._at:
                self._differs(row.seq, f"its instant {row.at} is before that of the entry before it")
            try:
                self._replay(row)
            except SENSELESS as problem:
                self._differs(row.seq, f"journal entry {row.seq} cannot be replayed: {problem!r}")
                return False
            self._head, self._seq, self._at = row.hash, row.seq, row.at
        return True

    def _is_broken(self, row: JournalRow) -> bool:
        return row.at < 0 or journal.broken_link([row], self._head) is not None

    def compare_end(self, epoch: Epoch) -> None:
        """The head of the chain of hashes is kept outside the journal."""
        if self._seq < epoch.seq:
            self._differs(epoch.seq, "it was committed, but is missing")
        if (self._seq, self._head) != (epoch.seq, epoch.head or journal.GENESIS):
            what = f"the journal ends with entry {self._seq}, but entry {epoch.seq} was committed"
            self._audit.differs("shards", self._shard, what)
        elif self._at != epoch.last_at:
            what = f"its last instant is {epoch.last_at}, but that of the journal's last entry is {self._at}"
            self._audit.differs("shards", self._shard, what)

    def _differs(self, seq: int, what: str) -> None:
        self._audit.differs("journal", f"{self._shard}/{seq}", what)
