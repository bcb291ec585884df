"""The event log, compared with what the journal says that it tells."""

from collections.abc import AsyncIterable, Sequence
from hashlib import sha256
from typing import Final

from countermand.audit.findings import Audit
from countermand.kernel.ports import EventRecord, EventRow

_DIGEST_BYTES: Final = 16
"""Of each event only a digest is kept, since there are very many."""


class EventsReplay:
    """Each event of a shard as the journal says that it is."""

    def __init__(self, audit: Audit, shard: int) -> None:
        self._audit = audit
        self._shard = shard
        self._expected: dict[tuple[int, int], bytes] = {}

    def expect(self, seq: int, records: Sequence[EventRecord]) -> None:
        for n, record in enumerate(records):
            self._expected[seq, n] = _digest(record)

    async def compare(self, rows: AsyncIterable[EventRow]) -> None:
        async for row in rows:
            if self._expected.pop((row.seq, row.n), None) != _digest(row.record):
                self._differs(row.seq, row.n, "this event is not what happened")
        for seq, n in self._expected:
            self._differs(seq, n, "this event is missing")

    def _differs(self, seq: int, n: int, what: str) -> None:
        self._audit.differs("events", f"{self._shard}/{seq}/{n}", what)


def _digest(record: EventRecord) -> bytes:
    parts = (record.wallet.encode(), record.order_id.encode(), record.kind.encode(), record.body)
    return sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).digest()[:_DIGEST_BYTES]
