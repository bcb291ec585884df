"""What happened in a run, line by line: to read when it fails, and to compare two runs of one seed."""

import hashlib
from collections import Counter


class Trace:
    def __init__(self) -> None:
        self._told: list[tuple[float, str, str]] = []
        self.situations: Counter[str] = Counter()
        """How often each interesting thing occurred."""

    def tell(self, at_s: float, who: str, what: str) -> None:
        self._told.append((at_s, who, what))

    def lines(self, last: int) -> list[str]:
        return [_line(*told) for told in self._told[-last:]]

    def count(self, situation: str) -> None:
        self.situations[situation] += 1

    def digest(self) -> str:
        return hashlib.sha256("".join(_line(*told) for told in self._told).encode()).hexdigest()


def _line(at_s: float, who: str, what: str) -> str:
    return f"{at_s:12.4f} {who:<10} {what}"
