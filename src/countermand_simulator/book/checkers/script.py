"""The events of one journal entry, read one after the other."""

from collections.abc import Sequence

from countermand_simulator.book.checkers.claim import Claim
from countermand_simulator.book.checkers.floor import Floor
from countermand_simulator.book.checkers.fold import Json
from countermand_simulator.violation import broken, must


class Script:
    def __init__(self, floor: Floor, command: str, at: int, events: Sequence[tuple[str, Json]]) -> None:
        self._floor = floor
        self.command = command
        self.at = at
        self._events = events
        self._next = 0

    def next_kind(self) -> str | None:
        return None if self._next == len(self._events) else self._events[self._next][0]

    def see(self, kind: str, claim: Claim) -> Json:
        """The next event, which must be of this kind."""
        if self.next_kind() != kind:
            broken(claim, f"{self.command} (entry {self._floor.seq}) brought {self._rest()}, and not {kind}")
        return self._events[self._next][1]

    def take(self, kind: str, claim: Claim) -> Json:
        """The same, and it happens."""
        event = self.see(kind, claim)
        self._next += 1
        self._floor.happened(kind, event, self.at, self.command)
        return event

    def ends(self) -> None:
        """Nothing else happened."""
        rest = self._events[self._next :]
        for kind, event in rest:
            self._floor.happened(kind, event, self.at, self.command)
        must(not rest, Claim.CANCEL_IS_MEANT, f"{self.command} (entry {self._floor.seq}) also brought {list(rest)}")

    def _rest(self) -> str:
        kind = self.next_kind()
        return "nothing more" if kind is None else f"{kind} {self._events[self._next][1]}"
