"""The note of what was sent, kept over the end of a run: it is written before anything is sent.

A line of JSON for each transaction, and one for what became of it. So a later run knows what may still land, and asks.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from countermand.rescue.lock import Busy, take
from countermand.solana.port import Address, Blockhash, Signature
from countermand.solana.wire import MalformedTransaction, read_transaction

BYTES_MAX: Final = 16 * 1024 * 1024
"""Some seven thousand transactions."""
_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700
_BEGINS: Final = b"\n"
"""As every line that is added does."""


class NoteRefused(Exception):
    """The note cannot be used. One line, with the option, the file and the remedy."""


class Sent(msgspec.Struct, frozen=True, rename="camel"):
    """A transaction that was signed to be sent. `wire`: its bytes, signed, so that it can be sent again as it is."""

    signature: Signature
    wire: bytes
    owner: Address
    orders: list[Address]
    last_valid_height: int
    cluster: Blockhash
    """The genesis hash of the chain."""

    @property
    def is_sound(self) -> bool:
        try:
            return str(read_transaction(self.wire).versioned.signatures[0]) == self.signature
        except (MalformedTransaction, IndexError):
            return False


class _Over(msgspec.Struct, frozen=True, rename="camel"):
    over: Signature


_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class SentNote:
    """`unresolved`: what may still land for this owner on this chain, in the order in which it was sent."""

    file: Path
    owner: Address
    cluster: Blockhash
    unresolved: dict[Signature, Sent]
    _descriptor: int | None = field(default=None, repr=False)

    def add(self, sent: Sent) -> None:
        """On disk when it returns. Raises `NoteRefused`."""
        self._append(sent)
        self.unresolved[sent.signature] = sent

    def resolve(self, signature: Signature) -> None:
        """What became of it is final. If that cannot be written, the next run asks the chain once more."""
        self.unresolved.pop(signature, None)
        with suppress(NoteRefused):
            self._append(_Over(signature))

    def _append(self, line: Sent | _Over) -> None:
        assert self._descriptor is not None, "a note that was only looked at is not written"
        try:
            # The line before may be torn: its run was killed.
            _write(self._descriptor, _BEGINS + _encode(line) + b"\n")
            os.fsync(self._descriptor)
        except OSError as error:
            raise NoteRefused(f"{_cannot(self.file, 'written', error)}; nothing is sent that is not noted") from None


def look(file: Path, owner: Address, cluster: Blockhash) -> SentNote:
    """The note as it is, which another run may be writing. Raises `NoteRefused`."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return SentNote(file, owner, cluster, {})
    except OSError as error:
        raise NoteRefused(_cannot(file, "read", error)) from None
    try:
        return SentNote(file, owner, cluster, _unresolved(_read(file, descriptor), owner, cluster))
    finally:
        os.close(descriptor)


@contextmanager
def opened(file: Path, owner: Address, cluster: Blockhash) -> Iterator[SentNote]:
    """Raises `Busy` while another run has it open, and `NoteRefused`."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=_DIRECTORY_MODE)
        # A pipe or a terminal must not make it wait.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(file, flags, _MODE)
    except OSError as error:
        raise NoteRefused(_cannot(file, "written", error)) from None
    try:
        _take(file, descriptor)
        yield SentNote(file, owner, cluster, _unresolved(_read(file, descriptor), owner, cluster), descriptor)
    finally:
        os.close(descriptor)


def _take(file: Path, descriptor: int) -> None:
    try:
        take(descriptor)
    except Busy:
        raise Busy(f"--note {file} is in use by another rescue; let it end first, or give another file") from None
    except OSError as error:
        raise NoteRefused(_cannot(file, "locked", error)) from None


def _read(file: Path, descriptor: int) -> bytes:
    """Devices and pipes may have no end, and what is no note must not be written to."""
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        raise NoteRefused(f"--note {file} is no regular file; give one, or one that is still to be made")
    if about.st_size > BYTES_MAX:
        raise NoteRefused(
            f"--note {file} has {about.st_size} bytes, and a note has at most {BYTES_MAX}; move it away once nothing "
            "of it can land any more, which is two minutes after the last run, or give another file"
        )
    try:
        text = os.pread(descriptor, BYTES_MAX, 0)
    except OSError as error:
        raise NoteRefused(_cannot(file, "read", error)) from None
    if text and not text.startswith(_BEGINS):
        raise NoteRefused(f"--note {file} is no note of a rescue, so nothing is added to it; give another file")
    return text


def _unresolved(text: bytes, owner: Address, cluster: Blockhash) -> dict[Signature, Sent]:
    """A line that cannot be read was never finished, so nothing was sent for it."""
    unresolved: dict[Signature, Sent] = {}
    for line in text.splitlines():
        entry = _entry(line)
        if isinstance(entry, _Over):
            unresolved.pop(entry.over, None)
        elif entry is not None and (entry.owner, entry.cluster) == (owner, cluster) and entry.is_sound:
            unresolved[entry.signature] = entry
    return unresolved


def _entry(line: bytes) -> Sent | _Over | None:
    try:
        if "over" in _decode(line):
            return msgspec.json.decode(line, type=_Over)
        return msgspec.json.decode(line, type=Sent)
    except (msgspec.MsgspecError, ValueError):
        return None


def _cannot(file: Path, be: str, error: OSError) -> str:
    return f"--note {file} cannot be {be}: {error.strerror}; give another file"


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
