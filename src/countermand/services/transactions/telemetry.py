"""What an operator is told of transactions that clients signed."""

from collections.abc import Mapping
from typing import Final

import structlog
from prometheus_client import Counter

_log: Final = structlog.get_logger("countermand")

_ALTERED: Final = Counter(
    "countermand_transactions_altered", "Signed transactions that differ from what was built", ["kind"]
)


def transaction_altered(kind: str, of: str, differences: Mapping[str, object]) -> None:
    """The wallet signed another transaction than the one that was built: mostly a wallet that adds instructions.

    `kind` says what it was for, `of` names the order or the request.
    """
    _ALTERED.labels(kind).inc()
    _log.info("a signed transaction is not the one that was built", kind=kind, of=of, **differences)
