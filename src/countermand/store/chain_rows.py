"""Rows of the embedded chain's ledger, read at a load. One that makes no sense is named: `StoredRowUnreadable`."""

import json
from typing import Final

import asyncpg
import base58

from countermand.solana.ledger_store import RecentTransaction, StoredAccount
from countermand.stored_rows import UNREADABLE, StoredRowUnreadable, check, unreadable

_I64_MAX: Final = 2**63 - 1
_U64: Final = 2**64
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_NUMBER_MAX: Final = 2**53
"""Of slots, and of instants in milliseconds: far more than will ever pass."""
_SECRETS: Final = ("entropy", "faucet_seed", "mint_authority_seed")
_CLOCK: Final = ("slot", "wall_ms", "ceiling", "block_time")


def checked_fence(row: asyncpg.Record | None, newest: int | None) -> asyncpg.Record:
    """`newest` is the position of the newest transaction. A ledger that was founded is never founded again."""
    if row is None:
        raise StoredRowUnreadable("chain_ledger", None, "its only row is missing")
    missing = [name for name in (*_SECRETS, *_CLOCK) if row[name] is None]
    founded = bool(row["seq"] or newest)
    if missing and not founded and len(missing) == len(_SECRETS) + len(_CLOCK):
        return row
    _check_fence(that=not missing, otherwise=f"it has no {' and no '.join(missing)}")
    for name in _SECRETS:
        size = len(row[name])
        _check_fence(that=size == _KEY_BYTES, otherwise=f"its {name} has {size} bytes, not {_KEY_BYTES}")
    for name in _CLOCK:
        _check_fence(that=0 <= row[name] <= _NUMBER_MAX, otherwise=f"its {name} is {row[name]}")
    _check_fence(that=row["slot"] <= row["ceiling"], otherwise="its slot is above its ceiling")
    behind = f"it is at position {row['seq']}, and one of chain_transactions at {newest} has landed"
    _check_fence(that=max(newest or 0, 0) <= row["seq"] <= _NUMBER_MAX, otherwise=behind)
    return row


def _check_fence(*, that: bool, otherwise: str) -> None:
    check("chain_ledger", None, that=that, otherwise=otherwise)


def lamports_column(lamports: int) -> int:
    """What is too big for a bigint is its two's complement."""
    return lamports if lamports <= _I64_MAX else lamports - _U64


def lamports_of(column: int) -> int:
    return column % _U64


def account(row: asyncpg.Record) -> StoredAccount:
    address, lamports, owner, data, executable = row
    if len(address) != _KEY_BYTES or len(owner) != _KEY_BYTES:
        wrong = f"its address has {len(address)} bytes and its owner {len(owner)}, not {_KEY_BYTES} each"
        raise StoredRowUnreadable("chain_accounts", name(address), wrong)
    return StoredAccount(address, lamports_of(lamports), owner, data, executable)


def recent(row: asyncpg.Record) -> RecentTransaction:
    signature, message_hash, slot, error = row
    try:
        assert len(signature) == _SIGNATURE_BYTES, f"its signature has {len(signature)} bytes, not {_SIGNATURE_BYTES}"
        assert len(message_hash) == _KEY_BYTES, f"its hash has {len(message_hash)} bytes, not {_KEY_BYTES}"
        assert slot <= _NUMBER_MAX, f"its slot is {slot}"
        assert error is None or json.loads(error) is not None, "its error is null"
    except UNREADABLE as problem:
        raise unreadable("chain_transactions", name(signature), problem) from problem
    return RecentTransaction(signature, message_hash, slot, error)


def name(key: bytes) -> str:
    """In base58, as explorers show it."""
    return base58.b58encode(key[:_SIGNATURE_BYTES]).decode() or "with an empty key"
