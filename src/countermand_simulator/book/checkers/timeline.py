"""What something was after which journal entry."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Timeline(Generic[T]):
    """`first` is what it was before the journal's first entry."""

    __slots__ = ("_numbers", "_values")

    def __init__(self, first: T) -> None:
        self._numbers = [0]
        self._values = [first]

    @property
    def now(self) -> T:
        return self._values[-1]

    def became(self, seq: int, value: T) -> None:
        if self._numbers[-1] == seq:
            self._values[-1] = value
        else:
            self._numbers.append(seq)
            self._values.append(value)

    def at(self, seq: int) -> T:
        return self._values[bisect_right(self._numbers, seq) - 1]

    def since(self, seq: int) -> Sequence[T]:
        """What it was at the sequence number and at all that follow."""
        return self._values[bisect_right(self._numbers, seq) - 1 :]
