"""What a node tells of the steps of its slots, to those who subscribed to that.

Here a slot has no shreds and no votes: all that can be told of one is told when the next one begins.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

Json = dict[str, Any]


class Landings(Struct):
    """What has landed since the last slot was told."""

    successful: int = 0
    failed: int = 0

    def count(self, *, failed: bool) -> None:
        if failed:
            self.failed += 1
        else:
            self.successful += 1

    def stats(self) -> Json:
        """Each transaction is an entry of its own."""
        entries = self.successful + self.failed
        return {
            "numTransactionEntries": entries,
            "numSuccessfulTransactions": self.successful,
            "numFailedTransactions": self.failed,
            "maxTransactionsPerEntry": min(entries, 1),
        }


def slot_updates(slot: int, landed: Landings, timestamp_ms: int) -> Iterator[Json]:
    """This slot begins, and the one before is final."""
    for kind in ("completed", "frozen", "optimisticConfirmation", "root"):
        update = {"type": kind, "slot": slot - 1, "timestamp": timestamp_ms}
        yield {**update, "stats": landed.stats()} if kind == "frozen" else update
    yield {"type": "firstShredReceived", "slot": slot, "timestamp": timestamp_ms}
    yield {"type": "createdBank", "slot": slot, "parent": slot - 1, "timestamp": timestamp_ms}
