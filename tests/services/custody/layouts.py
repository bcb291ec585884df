"""Messages taken apart by hand, from Solana's documentation of the wire format and not by the code that made them."""

from dataclasses import dataclass

import base58


@dataclass(frozen=True)
class Taken:
    program: str
    accounts: list[str]
    data: bytes


@dataclass(frozen=True)
class Message:
    header: tuple[int, int, int]
    keys: list[str]
    blockhash: bytes
    instructions: list[Taken]

    @property
    def signers(self) -> list[str]:
        return self.keys[: self.header[0]]

    @property
    def writable(self) -> list[str]:
        signers, readonly_signers, readonly = self.header
        return self.keys[: signers - readonly_signers] + self.keys[signers : len(self.keys) - readonly]


def decoded(message: bytes) -> Message:
    """A legacy message; every count in it is below 128 and takes one byte."""
    header = message[0], message[1], message[2]
    keys = [base58.b58encode(message[4 + 32 * i : 36 + 32 * i]).decode() for i in range(message[3])]
    at = 4 + 32 * len(keys)
    blockhash, at = message[at : at + 32], at + 32
    count, at = message[at], at + 1
    instructions = []
    for _ in range(count):
        program, accounts = keys[message[at]], message[at + 2 : at + 2 + message[at + 1]]
        at += 2 + len(accounts)
        data = message[at + 1 : at + 1 + message[at]]
        at += 1 + len(data)
        instructions.append(Taken(program, [keys[i] for i in accounts], data))
    assert at == len(message)
    return Message(header, keys, blockhash, instructions)
