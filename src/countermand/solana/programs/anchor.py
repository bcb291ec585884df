"""The conventions of Anchor that our programs follow: names as eight bytes, absent accounts, events.

An instruction, an account and an event begin with eight bytes of the SHA-256 of their name. An event is the data of an
instruction by which a program calls itself, signed by a derived key that only it can sign for.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from msgspec import Struct
from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from countermand.solana.ledger import LedgerTransaction
from countermand.solana.port import Address
from countermand.solana.wire import WireTransaction, read_transaction

ProgramEvent = TypeVar("ProgramEvent")

DISCRIMINATOR_BYTES: Final = 8
EVENT_TAG: Final = bytes.fromhex("e445a52e51cb9a1d")
"""Before the discriminator of each event."""

_LAMPORTS_PER_BYTE: Final = 6_960
_ACCOUNT_OVERHEAD_BYTES: Final = 128

FRAMEWORK_ERRORS: Final[Mapping[int, str]] = MappingProxyType(
    {
        100: "InstructionMissing",
        101: "InstructionFallbackNotFound",
        102: "InstructionDidNotDeserialize",
        2000: "ConstraintMut",
        2001: "ConstraintHasOne",
        2002: "ConstraintSigner",
        2003: "ConstraintRaw",
        2004: "ConstraintOwner",
        2006: "ConstraintSeeds",
        2009: "ConstraintAssociated",
        2012: "ConstraintAddress",
        2014: "ConstraintTokenMint",
        2015: "ConstraintTokenOwner",
        3001: "AccountDiscriminatorNotFound",
        3002: "AccountDiscriminatorMismatch",
        3003: "AccountDidNotDeserialize",
        3005: "AccountNotEnoughKeys",
        3006: "AccountNotMutable",
        3007: "AccountOwnedByWrongProgram",
        3008: "InvalidProgramId",
        3010: "AccountNotSigner",
        3012: "AccountNotInitialized",
    }
)
"""Those of Anchor that a wrong account or a wrong order of events gives, in every program that it made."""

_Field = TypeVar("_Field")


def instruction_discriminator(name: str) -> bytes:
    return _eight_bytes(f"global:{name}")


def account_discriminator(name: str) -> bytes:
    return _eight_bytes(f"account:{name}")


def event_discriminator(name: str) -> bytes:
    return _eight_bytes(f"event:{name}")


def event_authority_of(program: Address) -> Address:
    """The key that signs the program's events."""
    return derived(program, b"__event_authority")[0]


def derived(program: Address, *seeds: bytes) -> tuple[Address, int]:
    """A program's derived address and its bump."""
    address, bump = Pubkey.find_program_address(list(seeds), key(program))
    return str(address), bump


@lru_cache(maxsize=65_536)
def key(address: Address) -> Pubkey:
    return Pubkey.from_string(address)


def rent_lamports(data_bytes: int) -> int:
    """What an account holds to be free of rent."""
    return (_ACCOUNT_OVERHEAD_BYTES + data_bytes) * _LAMPORTS_PER_BYTE


def readonly(account: Address) -> AccountMeta:
    return AccountMeta(key(account), is_signer=False, is_writable=False)


def writable(account: Address) -> AccountMeta:
    return AccountMeta(key(account), is_signer=False, is_writable=True)


def signer(account: Address) -> AccountMeta:
    return AccountMeta(key(account), is_signer=True, is_writable=False)


def paying_signer(account: Address) -> AccountMeta:
    return AccountMeta(key(account), is_signer=True, is_writable=True)


def writable_or_absent(account: Address | None, program: Address) -> AccountMeta:
    """An optional account that is left out is the program itself, readonly."""
    return readonly(program) if account is None else writable(account)


def u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def i64(number: int) -> bytes:
    return number.to_bytes(8, "little", signed=True)


def u16(number: int) -> bytes:
    return number.to_bytes(2, "little")


def option(value: _Field | None, encode: Callable[[_Field], bytes]) -> bytes:
    return b"\0" if value is None else b"\1" + encode(value)


class Unreadable(ValueError):
    """These bytes are not what they are read as."""


class Fields:
    """The fields of some bytes, one after the other. Bytes that are left over are ignored."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise Unreadable(f"{len(self._data)} bytes end before byte {self._at}")
        return self._data[start : self._at]

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    def unsigned(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def u8(self) -> int:
        return self.unsigned(1)

    def u16(self) -> int:
        return self.unsigned(2)

    def u32(self) -> int:
        return self.unsigned(4)

    def u64(self) -> int:
        return self.unsigned(8)

    def i64(self) -> int:
        return int.from_bytes(self.take(8), "little", signed=True)

    def i16(self) -> int:
        return int.from_bytes(self.take(2), "little", signed=True)

    def f64(self) -> float:
        (number,) = struct.unpack("<d", self.take(8))
        return float(number)

    def key(self) -> Address:
        return str(Pubkey(self.take(32)))

    def flag(self) -> bool:
        value = self.u8()
        if value > 1:
            raise Unreadable(f"{value} is neither yes nor no")
        return value == 1

    def option(self, read: Callable[[], _Field]) -> _Field | None:
        return read() if self.flag() else None


class ProgramCall(Struct, frozen=True):
    """An instruction that a landed transaction gave to a program."""

    accounts: tuple[Address, ...]
    data: bytes


def calls_of(transaction: LedgerTransaction, program: Address) -> Iterator[ProgramCall]:
    """Those of the message, and each followed by those that it made. Of a transaction that failed, as it was asked."""
    wire = read_transaction(transaction.raw)
    keys = _keys_of(transaction, wire)
    inner = {group.index: group.instructions for group in transaction.inner_instructions}
    for index, outer in enumerate(wire.message.instructions):
        for at, accounts, data in (
            (outer.program_id_index, bytes(outer.accounts), bytes(outer.data)),
            *((each.program_index, each.accounts, each.data) for each in inner.get(index, ())),
        ):
            if keys[at] == program:
                yield ProgramCall(tuple(keys[account] for account in accounts), data)


class ProgramEvents(Generic[ProgramEvent]):
    """The events of a program. `readers`: by discriminator, what reads the fields behind it."""

    def __init__(
        self, program: Address, authority: Address, readers: Mapping[bytes, Callable[[Fields], ProgramEvent]]
    ) -> None:
        self._program = program
        self._authority = authority
        self._readers = readers

    def of(self, transaction: LedgerTransaction) -> Iterator[ProgramEvent]:
        """What happened in a landed transaction, in its order; nothing if it failed."""
        for data in self._data(transaction):
            event = self.read(data)
            if event is not None:
                yield event

    def read(self, data: bytes) -> ProgramEvent | None:
        """From its discriminator on. None: unknown here. Fields that a newer program adds are ignored."""
        read = self._readers.get(data[:DISCRIMINATOR_BYTES])
        if read is None:
            return None
        try:
            return read(Fields(data, DISCRIMINATOR_BYTES))
        except Unreadable:
            return None

    def _data(self, transaction: LedgerTransaction) -> Iterator[bytes]:
        if transaction.error is not None:
            return
        keys = _keys_of(transaction, read_transaction(transaction.raw))
        for group in transaction.inner_instructions:
            for call in group.instructions:
                # Only the program can have the authority sign, and it refuses the tag from any other caller.
                if (
                    keys[call.program_index] == self._program
                    and [keys[index] for index in call.accounts[:1]] == [self._authority]
                    and call.data.startswith(EVENT_TAG)
                ):
                    yield call.data[len(EVENT_TAG) :]


def _keys_of(transaction: LedgerTransaction, wire: WireTransaction) -> list[Address]:
    return [*map(str, wire.static_keys), *transaction.loaded_writable, *transaction.loaded_readonly]


def _eight_bytes(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:DISCRIMINATOR_BYTES]
