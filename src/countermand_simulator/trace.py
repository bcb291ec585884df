"""What happened in a run, line by line: to read when it fails, and to compare two runs of one seed."""

import hashlib
from collections import Counter, deque
from typing import Final

_KEPT: Final = 400


class Trace:
    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self.situations: Counter[str] = Counter()
        """How often each interesting thing occurred."""
        self._digest = hashlib.sha256()
        self._pending: list[str] = []
        """Lines that are not in the digest yet: many at once cost less."""

    def tell(self, at_s: float, who: str, what: str) -> None:
        line = f"{at_s:12.4f} {who:<10} {what}"
        self.lines.append(line)
        self._pending.append(line)
        if len(self._pending) >= _KEPT:
            self._digest_pending()

    def count(self, situation: str) -> None:
        self.situations[situation] += 1

    def digest(self) -> str:
        self._digest_pending()
        return self._digest.hexdigest()

    def _digest_pending(self) -> None:
        self._digest.update("".join(self._pending).encode())
        self._pending.clear()
