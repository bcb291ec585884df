"""Memos: the words that a transaction carries, as a node tells them beside its signature."""

from typing import Final

from solders.pubkey import Pubkey

from countermand.solana.tokens import MEMO_PROGRAMS
from countermand.solana.wire import read_transaction

PROGRAM_KEYS: Final = tuple(bytes(Pubkey.from_string(program)) for program in MEMO_PROGRAMS)


def memo_of(raw: bytes) -> str | None:
    """`[4] text`: the bytes and the text of each memo of the message itself, joined by `; `.

    None without one. What its programs call is left out, as a node leaves it out.
    """
    if not may_have_memo(raw):
        return None
    message = read_transaction(raw).message
    keys = [bytes(key) for key in message.account_keys]
    memos = [
        _shown(bytes(called.data))
        for called in message.instructions
        if called.program_id_index < len(keys) and keys[called.program_id_index] in PROGRAM_KEYS
    ]
    return "; ".join(memos) or None


def may_have_memo(raw: bytes) -> bool:
    """Quick, and true at least where there is one: a program that is called is never a loaded key."""
    return any(program in raw for program in PROGRAM_KEYS)


def _shown(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "(unparsable)"
    return f"[{len(data)}] {text}"
