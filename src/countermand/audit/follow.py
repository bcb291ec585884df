"""A shard's journal, entry by entry: whether its chain of hashes holds, and whether it can be replayed."""

from collections.abc import AsyncIterable, Callable

from countermand.audit.findings import Audit
from countermand.engine import journal
from countermand.engine.ports import Epoch, JournalRow


class Follower:
    """`replay` is given each entry; it raises `AssertionError`, `KeyError` or `ValueError` for one that cannot be."""

    def __init__(self, audit: Audit, replay: Callable[[JournalRow], None]) -> None:
        self._audit = audit
        self._replay = replay
        self._head = journal.GENESIS
        self._seq = 0

    async def follow(self, rows: AsyncIterable[JournalRow]) -> bool:
        """False: one of them makes no sense, and there is no telling what came after it."""
        async for row in rows:
            self._audit.entries += 1
            if row.seq != self._seq + 1:
                self._audit.differs(f"the journal lacks what lies between entries {self._seq} and {row.seq}")
                return False
            if journal.broken_link([row], self._head) is not None:
                self._audit.differs(f"journal entry {row.seq} is not what its hash was made of")
                return False
            try:
                self._replay(row)
            except (AssertionError, KeyError, ValueError) as problem:
                self._audit.differs(f"journal entry {row.seq} cannot be replayed: {problem}")
                return False
            self._head, self._seq = row.hash, row.seq
        return True

    def compare_end(self, epoch: Epoch) -> None:
        """The head of the chain of hashes is kept outside the journal."""
        if (self._seq, self._head) != (epoch.seq, epoch.head or journal.GENESIS):
            self._audit.differs(f"the journal ends with entry {self._seq}, but entry {epoch.seq} was committed")
