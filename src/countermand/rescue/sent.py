"""The note of what was sent, kept over the end of a run: it is written before anything is sent.

A line of JSON for each transaction, and one for what became of it. So a later run knows what may still land, and asks.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from countermand.solana.port import Address, Blockhash, Signature

_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700


class Busy(Exception):
    """Another run uses the note."""


class Sent(msgspec.Struct, frozen=True, rename="camel"):
    """A transaction that was signed to be sent. `wire`: its bytes, signed, so that it can be sent again as it is."""

    signature: Signature
    wire: bytes
    orders: list[Address]
    last_valid_height: int
    cluster: Blockhash
    """The genesis hash of the chain."""


class _Over(msgspec.Struct, frozen=True, rename="camel"):
    over: Signature


_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class SentNote:
    """`unresolved`: what may still land, for this chain, in the order in which it was sent."""

    file: Path
    cluster: Blockhash
    unresolved: dict[Signature, Sent]
    _descriptor: int | None = field(default=None, repr=False)

    def add(self, sent: Sent) -> None:
        """On disk when it returns. Raises `OSError`."""
        self._append(sent)
        self.unresolved[sent.signature] = sent

    def resolve(self, signature: Signature) -> None:
        """What became of it is final."""
        self._append(_Over(signature))
        self.unresolved.pop(signature, None)

    def _append(self, line: Sent | _Over) -> None:
        assert self._descriptor is not None, "a note that was only looked at is not written"
        # The line before may be torn: its run was killed.
        _write(self._descriptor, b"\n" + _encode(line) + b"\n")
        os.fsync(self._descriptor)


def look(file: Path, cluster: Blockhash) -> SentNote:
    """The note as it is, which another run may be writing."""
    return SentNote(file, cluster, _read(file, cluster))


@contextmanager
def opened(file: Path, cluster: Blockhash) -> Iterator[SentNote]:
    """Raises `Busy` while another run has it open, and `OSError`."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=_DIRECTORY_MODE)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(str(file)) from None
        yield SentNote(file, cluster, _read(file, cluster), descriptor)
    finally:
        os.close(descriptor)


def _read(file: Path, cluster: Blockhash) -> dict[Signature, Sent]:
    """A line that cannot be read was never finished, so nothing was sent for it."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    unresolved: dict[Signature, Sent] = {}
    for line in lines:
        entry = _entry(line)
        if isinstance(entry, _Over):
            unresolved.pop(entry.over, None)
        elif entry is not None and entry.cluster == cluster:
            unresolved[entry.signature] = entry
    return unresolved


def _entry(line: bytes) -> Sent | _Over | None:
    try:
        if "over" in _decode(line):
            return msgspec.json.decode(line, type=_Over)
        return msgspec.json.decode(line, type=Sent)
    except (msgspec.MsgspecError, ValueError):
        return None


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
