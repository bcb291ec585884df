"""The journal: what was asked, by what it was judged, and what happened; a chain of hashes holds it together.

An entry's hash is SHA-256 over the hash before it, the sequence number, the instant (8 bytes each, big endian), the
command's kind and the body. The chain starts from 32 zero bytes. What a body holds is its family's business; kinds are
the names of the domain's classes.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, get_args

import msgspec

from countermand.domain.instant import Instant
from countermand.engine.ports import JournalRow

GENESIS: Final = bytes(32)

_ENCODER: Final = msgspec.json.Encoder()

encode = _ENCODER.encode


def kinds_of(*unions: Any) -> dict[str, type[Any]]:
    """The classes of commands and events by the names that the journal knows them by."""
    return {kind.__name__: kind for union in unions for kind in get_args(union)}


def entry_hash(head: bytes, seq: int, at: Instant, kind: str, body: bytes) -> bytes:
    return sha256(head + seq.to_bytes(8, "big") + at.to_bytes(8, "big") + kind.encode() + body).digest()


def link(head: bytes, seq: int, at: Instant, kind: str, body: bytes) -> JournalRow:
    """The next entry of the chain that ends with `head`."""
    return JournalRow(seq, at, kind, body, entry_hash(head, seq, at, kind, body))


def broken_link(rows: Sequence[JournalRow], head: bytes = GENESIS) -> int | None:
    """The sequence number of the first row whose hash does not follow from the one before it."""
    for row in rows:
        if row.hash != entry_hash(head, row.seq, row.at, row.kind, row.body):
            return row.seq
        head = row.hash
    return None
