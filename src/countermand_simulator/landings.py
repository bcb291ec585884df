"""What a chain shows of a transaction that landed: the form in which the checkers read it, whatever chain it was."""

from typing import TypeAlias

from msgspec import Struct

Balance: TypeAlias = tuple[int, str, int]
"""Lamports, the mint of a token account (empty for others), and its amount."""


class Landing(Struct, frozen=True):
    signature: str
    message: str
    """Base64."""
    at_ms: int
    error: str | None
    payer: str
    """Empty: a stranger."""
    changes: tuple[tuple[str, Balance | None, Balance | None], ...]
    """Each account that changed, before and after; None where there was or is none."""
    fee: int = 0
    """In lamports; gone for good."""
    block_time: int = 0
    """As programs saw it, in seconds."""
