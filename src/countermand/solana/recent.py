"""The transactions that landed lately: all that a blockhash which is still valid could let in a second time."""

from collections import deque

from countermand.solana.clockwork import BLOCKHASH_SLOTS
from countermand.values.structs import Struct


class RecentStatus(Struct, frozen=True):
    """`position`: the commit that must be done before it may be shown. `error` is JSON text."""

    slot: int
    error: str | None
    position: int


class RecentTransactions:
    """A message's blockhash is at most as old as its landing, so after 150 slots neither can come back.

    Older transactions need no entry here: their blockhash is refused. So is the value of a durable nonce, from the
    landing on: its account holds another one.
    """

    def __init__(self) -> None:
        self._statuses: dict[bytes, RecentStatus] = {}
        self._messages: dict[bytes, None] = {}
        self._order: deque[tuple[int, bytes, bytes]] = deque()

    def add(self, signature: bytes, message_hash: bytes, status: RecentStatus) -> None:
        self._statuses[signature] = status
        self._messages[message_hash] = None
        self._order.append((status.slot, signature, message_hash))

    def status(self, signature: bytes) -> RecentStatus | None:
        return self._statuses.get(signature)

    def knows(self, signature: bytes, message_hash: bytes) -> bool:
        """One message may carry different valid signatures, and must still land once."""
        return message_hash in self._messages or signature in self._statuses

    def forget_before(self, now: int) -> None:
        """Drops what landed more than 150 slots before the slot `now`."""
        while self._order and self._order[0][0] < now - BLOCKHASH_SLOTS:
            _, signature, message_hash = self._order.popleft()
            del self._statuses[signature], self._messages[message_hash]
