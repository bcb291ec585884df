"""Memos: the words that a transaction carries, as a node tells them beside its signature."""

from typing import Final

from solders.pubkey import Pubkey

from countermand.solana.tokens import MEMO_PROGRAMS
from countermand.solana.wire import read_transaction

_PROGRAMS: Final = tuple(bytes(Pubkey.from_string(program)) for program in MEMO_PROGRAMS)


def memo_of(raw: bytes) -> str | None:
    """`[4] text`: the bytes and the text of each memo of the message itself, joined by `; `.

    None without one. What its programs call is left out, as a node leaves it out.
    """
    if not any(program in raw for program in _PROGRAMS):  # A program is never a loaded key, so most are not read.
        return None
    message = read_transaction(raw).message
    keys = [bytes(key) for key in message.account_keys]
    memos = [
        _shown(bytes(called.data))
        for called in message.instructions
        if called.program_id_index < len(keys) and keys[called.program_id_index] in _PROGRAMS
    ]
    return "; ".join(memos) or None


def _shown(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "(unparsable)"
    return f"[{len(data)}] {text}"
