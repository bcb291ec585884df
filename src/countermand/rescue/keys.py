"""Secret keys, from a file or from standard input. No message ever shows anything of what was read."""

import json
from pathlib import Path
from typing import Final

from solders.keypair import Keypair

BYTES_MAX: Final = 4_096


class KeyRefused(Exception):
    """There is no key to be had. One line, without anything of it."""


def key_in(file: Path) -> Keypair:
    """A file as `solana-keygen` writes it, or with the key in base58."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(BYTES_MAX + 1)
    except OSError as error:
        # What stands for the file may be the key itself.
        raise KeyRefused(f"the key file cannot be read: {error.strerror}; a key itself is never an argument") from None
    return key_of(raw)


def key_of(raw: bytes) -> Keypair:
    """From JSON, an array of 64 bytes, or from base58."""
    try:
        text = raw[: BYTES_MAX + 1].decode("ascii").strip()
        if len(text) <= BYTES_MAX:
            return Keypair.from_bytes(_array(text)) if text.startswith("[") else Keypair.from_base58_string(text)
    except (ValueError, TypeError, RecursionError):
        pass
    raise KeyRefused("what was given is no key: neither 64 bytes as a JSON array, nor 64 bytes in base58")


def _array(text: str) -> bytes:
    return bytes(json.loads(text))
