"""API keys of the database: a program's right to ask, with scopes.

A key is shown once, when it is made. What is stored is its digest.
"""

import secrets
from enum import Enum
from hashlib import sha256
from typing import Final, Protocol

from msgspec import Struct

KEY_CHARS_MAX: Final = 512
PREFIX: Final = "ck_"
_SECRET_BYTES: Final = 32


class Scope(Enum):
    READ = "read"
    TRADE = "trade"
    CANCEL = "cancel"
    ADMIN = "admin"


class ApiKey(Struct, frozen=True):
    """`owner`: a wallet, an account, or `*`. `created_at`: milliseconds of the wall clock."""

    digest: bytes
    scopes: tuple[Scope, ...]
    tier: str
    owner: str
    created_at: int

    @property
    def id(self) -> str:
        """What people call it by."""
        return self.digest.hex()[:16]


class KeyStore(Protocol):
    async def find(self, digest: bytes) -> ApiKey | None:
        """May raise `Unavailable`."""


def new_key() -> str:
    """256 random bits: so many that a plain digest of them cannot be guessed."""
    return PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def digest_of(key: str | bytes) -> bytes:
    return sha256(key.encode() if isinstance(key, str) else key).digest()
