"""A transaction's message read from its bytes: who pays, what is called, with which accounts."""

import base64
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

_BUDGET: Final = "ComputeBudget111111111111111111111111111111"
_SIGNATURE_LAMPORTS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Call:
    program: str
    accounts: tuple[str, ...]
    data: bytes

    def number(self, at: int, size: int = 8) -> int:
        return int.from_bytes(self.data[at : at + size], "little")


@dataclass(frozen=True, slots=True)
class Message:
    signers: tuple[str, ...]
    calls: tuple[Call, ...]

    @property
    def payer(self) -> str:
        return self.signers[0]

    @property
    def fee(self) -> int:
        """For the signatures, and for the compute units that it asks for, at its price in millionths of a lamport."""
        units = price = 0
        for call in self.calls:
            if call.program == _BUDGET and call.data[0] == 2:
                units = call.number(1, 4)
            elif call.program == _BUDGET and call.data[0] == 3:
                price = call.number(1)
        return _SIGNATURE_LAMPORTS * len(self.signers) + -(-units * price // 10**6)


def read(message: str) -> Message:
    """Of a legacy message, base64."""
    reader = _Reader(base64.b64decode(message))
    signers = reader.take(3)[0]
    keys = [str(Pubkey(reader.take(32))) for _ in range(reader.length())]
    reader.take(32)
    calls = []
    for _ in range(reader.length()):
        program = keys[reader.take(1)[0]]
        accounts = tuple(keys[index] for index in reader.take(reader.length()))
        calls.append(Call(program, accounts, reader.take(reader.length())))
    return Message(tuple(keys[:signers]), tuple(calls))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def length(self) -> int:
        """Seven bits a byte, the lowest first."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
