"""Says what a real node does not answer: the answers of the APIs to their clients do not tell why."""

from collections.abc import Callable
from typing import Final

import structlog

from countermand.solana.port import ChainUnavailable

AGAIN_MS: Final = 60_000
_log: Final = structlog.get_logger("countermand")


class NodeLog:
    """A line for each method at most once in `AGAIN_MS`."""

    def __init__(self, elapsed_ms: Callable[[], int]) -> None:
        self._elapsed_ms = elapsed_ms
        self._said_at: dict[str, int] = {}

    def unanswered(self, method: str, problem: ChainUnavailable) -> None:
        now = self._elapsed_ms()
        said_at = self._said_at.get(method)
        if said_at is None or now - said_at >= AGAIN_MS:
            self._said_at[method] = now
            _log.warning("the node did not answer a question", method=method, reason=str(problem))
