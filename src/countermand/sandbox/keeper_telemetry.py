"""What an operator is told of keepers."""

from typing import Final

import structlog
from prometheus_client import Counter, Gauge

_log: Final = structlog.get_logger("countermand")

_TRANSACTIONS: Final = Counter(
    "countermand_keeper_transactions", "Transactions of the sandbox's keeper that came to an end", ["kind", "outcome"]
)
_UNDER_WAY: Final = Gauge("countermand_keeper_under_way", "Orders that the sandbox's keeper is busy with")


def under_way(orders: int) -> None:
    _UNDER_WAY.set(orders)


def landed(kind: str, order: str, signature: str) -> None:
    _TRANSACTIONS.labels(kind, "landed").inc()
    _log.info("a keeper's transaction landed", kind=kind, order=order, signature=signature)


def race_lost(kind: str, order: str) -> None:
    """Another transaction was faster, mostly a cancel. Nothing is wrong, so no line of the log says it."""
    _TRANSACTIONS.labels(kind, "race_lost").inc()
    _log.debug("a keeper's transaction came too late", kind=kind, order=order)


def failed(kind: str, order: str, reason: str) -> None:
    _TRANSACTIONS.labels(kind, "failed").inc()
    _log.warning("a keeper's transaction failed", kind=kind, order=order, reason=reason)
