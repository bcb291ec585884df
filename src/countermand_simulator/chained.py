"""The journal's chain of hashes, computed from its description and not by the engine."""

from hashlib import sha256


def hash_after(head: bytes, seq: int, at: int, kind: str, body: bytes) -> bytes:
    """What the hash of an entry must be, when `head` is that of the one before it."""
    entry = seq.to_bytes(8, "big") + at.to_bytes(8, "big") + kind.encode() + bytes(1) + body
    return sha256(head + sha256(entry).digest()).digest()
