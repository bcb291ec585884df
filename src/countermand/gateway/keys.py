"""API keys: whether a request's `x-api-key` may pass."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from countermand.gateway.asgi import gateway_answer

INVALID: Final = gateway_answer(401, "Invalid API key")


class ApiKeys:
    """Without keys everybody passes. With keys, no key and an empty one mean keyless, and pass."""

    def __init__(self, keys: Iterable[str]) -> None:
        # Digests, so that the time of a look-up says nothing about a key.
        self._digests = frozenset(sha256(key.encode()).digest() for key in keys)

    def admit(self, key: bytes | None) -> bool:
        return not self._digests or not key or sha256(key).digest() in self._digests
