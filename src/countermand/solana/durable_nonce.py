"""Durable nonces: transactions that stay good until their nonce account is advanced.

Such a transaction names, in the place of a recent blockhash, the value that its nonce account holds, and its first
instruction advances that account. It lands at most once, since:

* it runs only while the account holds its value;
* once it has landed, with or without success, the account holds another value;
* no account ever holds the same value twice: a value is made of the slot's blockhash and of the transaction's position
  in the ledger, which only rise.

A node makes values of the blockhash alone, and so lets an account advance once a slot. Here a transaction is confirmed
in the slot in which it was sent, and its sender may go on at once.
"""

import hashlib
from typing import Final

from msgspec import Struct
from solders.account import Account
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey

from countermand.solana.tokens import SYSTEM_PROGRAM

NONCE_ACCOUNT_BYTES: Final = 80
_SYSTEM: Final = Pubkey.from_string(SYSTEM_PROGRAM)
ADVANCE_NONCE: Final = (4).to_bytes(4, "little")
"""How the data of the instruction begins that advances one."""
NONCE_INITIALIZED: Final = b"\1\0\0\0\1\0\0\0"
"""How the data of an account begins that holds one, in the present version."""
_AUTHORITY: Final = slice(8, 40)
_VALUE: Final = slice(40, 72)


class NonceUse(Struct, frozen=True):
    """What a message that uses a nonce says: the account, and who signs its first instruction."""

    account: Pubkey
    signers: tuple[bytes, ...]


def nonce_use(message: Message | MessageV0) -> NonceUse | None:
    """None for a message that no nonce can keep alive: its account must be a static key that it may write."""
    instructions, keys = message.instructions, message.account_keys
    if not instructions:
        return None
    first, signed = instructions[0], message.header.num_required_signatures
    accounts = bytes(first.accounts)
    if keys[first.program_id_index] != _SYSTEM or bytes(first.data)[:4] != ADVANCE_NONCE or not accounts:
        return None
    if not _may_write(message, accounts[0]):
        return None
    return NonceUse(keys[accounts[0]], tuple(bytes(keys[index]) for index in accounts if index < signed))


def _may_write(message: Message | MessageV0, index: int) -> bool:
    """Of a static key. One that is called as a program is never written."""
    header, size = message.header, len(message.account_keys)
    signed = header.num_required_signatures
    if any(instruction.program_id_index == index for instruction in message.instructions):
        return False
    if index < signed:
        return index < signed - header.num_readonly_signed_accounts
    return index < size - header.num_readonly_unsigned_accounts


def permits(use: NonceUse, account: Account | None, blockhash: bytes) -> bool:
    """Whether the nonce account holds the value of this message, and one of its signers is the account's authority."""
    if account is None or nonce_value(account) != blockhash:
        return False
    return account.data[_AUTHORITY] in use.signers


def nonce_value(account: Account) -> bytes | None:
    """None unless it is an initialized nonce account."""
    if account.owner != _SYSTEM:
        return None
    data = account.data
    if len(data) != NONCE_ACCOUNT_BYTES or not data.startswith(NONCE_INITIALIZED):
        return None
    return data[_VALUE]


def value_at(position: int, blockhash: bytes) -> bytes:
    """The value of every account that the transaction at this position advances."""
    return hashlib.sha256(b"DURABLE_NONCE" + blockhash + position.to_bytes(8, "little")).digest()


def with_value(account: Account, value: bytes) -> Account:
    data = account.data
    changed = data[: _VALUE.start] + value + data[_VALUE.stop :]
    return Account(account.lamports, changed, account.owner, account.executable)
