"""API keys: which programs may use the dialects.

The keys of `--api-keys` say that and no more. A key of the database, which has scopes, passes as well.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final

from countermand.api_keys import KEY_CHARS_MAX, KeyStore, digest_of
from countermand.gateway.asgi import gateway_answer

INVALID: Final = gateway_answer(401, "Invalid API key")
_REMEMBERED: Final = 4_096
_FRESH_S: Final = 1.0
"""So long may a key that was revoked still pass here."""


class ApiKeys:
    """What dialects ask for. Without listed keys every request passes; with them, no key and an empty one pass, too."""

    def __init__(
        self, listed: Iterable[str], stored: KeyStore | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        # Digests, so that the time of a look-up says nothing about a key.
        self._digests = frozenset(digest_of(key) for key in listed)
        self._stored = stored
        self._clock = clock
        self._known: dict[bytes, tuple[float, bool]] = {}

    def admit(self, key: bytes | None) -> bool:
        return not self._digests or not key or digest_of(key) in self._digests

    async def knows(self, key: bytes) -> bool:
        """Whether it is a key of the database. The answer is remembered for a second, whatever it is."""
        if self._stored is None or len(key) > KEY_CHARS_MAX:
            return False
        digest, now = digest_of(key), self._clock()
        asked_at, known = self._known.get(digest, (now - _FRESH_S, False))
        if now - asked_at < _FRESH_S:
            return known
        known = await self._stored.find(digest) is not None
        self._known.pop(digest, None)
        if len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[digest] = now, known
        return known
