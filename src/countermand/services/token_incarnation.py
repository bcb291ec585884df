"""Which tokens count. Each carries the incarnation that it was issued in, and only those of the newest are accepted.

To end all tokens is to raise that number. It does not depend on a clock: a token that is issued right afterwards is
good, also in the same second, or when the machine's clock has gone back. The number is stored before memory acts on it,
so what has ended stays ended after any number of restarts.
"""

from typing import Final, Protocol

from countermand.kernel.ports import Clock, Unavailable

_FOLLOW_MS: Final = 1_000


class IncarnationStore(Protocol):
    async def token_incarnation(self) -> int:
        """Raises `Unavailable`."""

    async def raise_token_incarnation(self) -> int:
        """The new number, which is stored when it is returned. Raises `CommitUnknown`."""


class TokenIncarnation:
    def __init__(self, store: IncarnationStore, current: int) -> None:
        self._store = store
        self._current = current

    @classmethod
    async def loaded(cls, store: IncarnationStore) -> "TokenIncarnation":
        """As it is stored. Raises `Unavailable`."""
        return cls(store, await store.token_incarnation())

    @property
    def current(self) -> int:
        """Tokens and challenges of any other number have ended."""
        return self._current

    async def end_tokens(self) -> None:
        """Every token and challenge that exists has ended, for good, when it returns.

        Raises `CommitUnknown` if the store's answer is lost: then they may have ended, and `follow` learns which.
        """
        self._adopt(await self._store.raise_token_incarnation())

    async def learn(self) -> None:
        """Adopts what is stored: another process, or a request whose answer was lost, may have raised it."""
        self._adopt(await self._store.token_incarnation())

    async def follow(self, clock: Clock) -> None:
        """Learns once a second, for ever."""
        while True:
            await clock.sleep(_FOLLOW_MS)
            try:
                await self.learn()
            except Unavailable:
                continue

    def _adopt(self, stored: int) -> None:
        self._current = max(self._current, stored)  # An answer may be overtaken by that of a later request.
