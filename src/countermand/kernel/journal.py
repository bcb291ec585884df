"""The journal: what was asked, by what it was judged, and what happened; a chain of hashes holds it together.

An entry's hash is H(head ‖ H(seq ‖ at ‖ kind ‖ 0 ‖ body)) with SHA-256: `head` is the hash of the entry before it, the
sequence number and the instant are 8 bytes each, big endian. So a chain can be checked by the entries' inner hashes,
without the bodies that concern others. The chain of an incarnation starts from 32 zero bytes. What a body holds is its
family's business.
"""

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Final, Generic, TypeVar

import msgspec

from countermand.kernel.ports import JournalRow
from countermand.values.instant import Instant

GENESIS: Final = bytes(32)

_ENCODER: Final = msgspec.json.Encoder()

encode = _ENCODER.encode

T = TypeVar("T")


class Kinds(Generic[T]):
    """The stable names by which the journal knows a family's commands or events. A class may be renamed, a name not."""

    def __init__(self, named: Mapping[str, type[T]]) -> None:
        self._types = named
        self._names = {kind: name for name, kind in named.items()}
        assert len(self._names) == len(named), "two kinds are of one class"

    def name_of(self, value: T) -> str:
        return self._names[type(value)]

    def name_of_type(self, kind: type[T]) -> str:
        return self._names[kind]

    def type_of(self, name: str) -> type[T]:
        """Raises `KeyError` for a name that no version of ours wrote."""
        return self._types[name]

    def names(self) -> Collection[str]:
        return self._types.keys()


def entry_hash(head: bytes, seq: int, at: Instant, kind: str, body: bytes) -> bytes:
    return sha256(head + content_hash(seq, at, kind, body)).digest()


def content_hash(seq: int, at: Instant, kind: str, body: bytes) -> bytes:
    """The inner hash: that of an entry alone."""
    return sha256(b"%b%b%b\0%b" % (seq.to_bytes(8, "big"), at.to_bytes(8, "big"), kind.encode(), body)).digest()


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
