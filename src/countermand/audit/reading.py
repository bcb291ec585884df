"""Values from a database that anything may have happened to."""

from collections.abc import Callable
from typing import Final, TypeVar

import asyncpg
from solders.pubkey import Pubkey

from countermand.kernel.journal import encode
from countermand.sandbox.sandbox import LATEST
from countermand.solana.ledger import read_ledger_transaction
from countermand.solana.ledger_store import StoredTransaction
from countermand.solana.port import LedgerTransaction
from countermand.values.bucket import bucket_of
from countermand.values.identity import Wallet

SENSELESS: Final = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""What is raised for a value that no engine wrote: it is decoded and applied by code that trusts its own."""

_TRANSACTION: Final = ("signature", "message_hash", "position", "slot", "block_time", "raw", "error", "meta")

_T = TypeVar("_T")


def canonical(decode: Callable[[bytes], _T], body: bytes) -> _T | None:
    """None: these bytes are not what an engine writes, letter by letter."""
    try:
        value = decode(body)
    except SENSELESS:
        return None
    return value if encode(value) == body else None


def transaction_in(row: asyncpg.Record) -> LedgerTransaction:
    """A stored transaction of the chain."""
    return read_ledger_transaction(StoredTransaction(**{name: row[name] for name in _TRANSACTION}, addresses=()))


def is_key(text: str) -> bool:
    """Whether it is the one spelling of a public key or an address."""
    try:
        return str(Pubkey.from_string(text)) == text
    except ValueError:
        return False


def is_bucket_of(bucket: int, wallet: str) -> bool:
    """No, if that is no wallet."""
    return is_key(wallet) and bucket == bucket_of(Wallet(wallet))


def is_instant(at: int) -> bool:
    return 0 < at <= LATEST


def shown(key: bytes) -> str:
    """An address as people write it; other bytes in hexadecimal digits."""
    return str(Pubkey(key)) if len(key) == Pubkey.LENGTH else key.hex()
