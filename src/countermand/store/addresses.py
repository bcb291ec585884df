"""The form of an address of the chain, for rows that hold one."""

from typing import Final

import base58

_CHARS_MAX: Final = 44
_KEY_BYTES: Final = 32


def is_address(text: str) -> bool:
    """32 bytes in base58."""
    try:
        return len(text) <= _CHARS_MAX and len(base58.b58decode(text)) == _KEY_BYTES
    except ValueError:
        return False
