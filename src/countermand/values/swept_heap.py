"""A heap whose stale entries are dropped: those on top when they surface, all others a few at a time."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

_Entry = TypeVar("_Entry", bound=tuple[int, str])

STALE_ALLOWED: Final = 64
"""So many stale entries are left alone, however few orders there are."""
SWEPT_AT_ONCE: Final = 8
"""So many entries are looked at with each change: enough to be done long before the next sweep is needed."""


class SweptHeap(Generic[_Entry]):
    """`is_current` says whether an entry still counts.

    A sweep moves what counts, and each entry once, to a new heap, from the end of the old one: without its last leaf a
    heap is a heap. Meanwhile the first of both is the first.
    """

    __slots__ = ("_heap", "_is_current", "_kept", "_rest")

    def __init__(self, is_current: Callable[[_Entry], bool]) -> None:
        self._is_current = is_current
        self._heap: list[_Entry] = []
        self._rest: list[_Entry] = []
        """What a sweep has not looked at."""
        self._kept: set[_Entry] = set()
        """What the sweep has moved."""

    def __len__(self) -> int:
        return len(self._heap) + len(self._rest)

    def push(self, entry: _Entry) -> None:
        heappush(self._heap, entry)

    def first(self) -> _Entry | None:
        """Current or stale."""
        heap = self._nearer()
        return heap[0] if heap else None

    def pop(self) -> _Entry:
        """Takes the first out."""
        return heappop(self._nearer())

    def begin_sweep(self) -> None:
        """Does nothing while one is under way."""
        if not self._rest:
            self._rest, self._heap = self._heap, []
            self._kept.clear()

    def sweep(self, most: int) -> int:
        """Looks at so many entries at most, and drops those that are stale or there twice. Returns how many it saw."""
        seen = 0
        while self._rest and seen < most:
            entry = self._rest.pop()
            seen += 1
            if entry not in self._kept and self._is_current(entry):
                heappush(self._heap, entry)
                self._kept.add(entry)
        if not self._rest:
            self._kept.clear()
        return seen

    def is_swept(self) -> bool:
        return not self._rest

    def _nearer(self) -> list[_Entry]:
        heap, rest = self._heap, self._rest
        if not rest:
            return heap
        return rest if not heap or rest[0] < heap[0] else heap
