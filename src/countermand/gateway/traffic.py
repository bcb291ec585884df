"""Shared by all connections: their number, and the limits for late requests and unread answers."""

from typing import Final, Protocol

from msgspec import Struct

from countermand.gateway import telemetry
from countermand.gateway.deadlines import Deadlines

HEAD_SECONDS_MAX: Final = 10.0
HEAD_BYTES_MAX: Final = 64 * 1024
HEADERS_MAX: Final = 128
IDLE_SECONDS_MAX: Final = 75
"""Longer than proxies keep a connection (nginx: 60 s), so that none is closed under a request of theirs."""

CONNECTIONS_PER_PEER_MAX: Final = 4_096
UNREAD_SECONDS_MAX: Final = 30.0
UNREAD_BYTES_MAX: Final = 256 * 1024 * 1024
"""Of all connections together."""

LINGER_SECONDS_MAX: Final = 2.0
"""A refused peer still sends: what it sends is read away for so long, since a socket that is closed with bytes unread
resets, and the peer might never see its answer."""

PIECE_BYTES: Final = 8 * 1024
"""So much is parsed at a time: many small requests or frames that arrive together are not all held as objects."""


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """Of connections. The reference has them (docs/reference/operations.md)."""

    head_seconds: float = HEAD_SECONDS_MAX
    connections_per_peer: int = CONNECTIONS_PER_PEER_MAX
    unread_seconds: float = UNREAD_SECONDS_MAX
    unread_bytes: int = UNREAD_BYTES_MAX
    linger_seconds: float = LINGER_SECONDS_MAX


class Connection(Protocol):
    def unsent_bytes(self) -> int:
        """How much of what was answered its peer has not taken."""

    def abort(self) -> None:
        """Ends it at once, and forgets what was not sent."""


class Traffic:
    """The limits that hold over all connections of a venue, of both ports."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.limits = limits or ConnectionLimits()
        self._peers: dict[str, int] = {}
        self._heads = Deadlines(self.limits.head_seconds)
        self._unread = Deadlines(self.limits.unread_seconds)
        self._unread_bytes: dict[object, int] = {}
        self._unread_total = 0

    def admits(self, peer: str) -> bool:
        """Counts a connection of this peer, and says whether it may stay. `leaves` must follow in any case."""
        count = self._peers[peer] = self._peers.get(peer, 0) + 1
        if count > self.limits.connections_per_peer:
            telemetry.connection_cut("too many")
            return False
        return True

    def leaves(self, peer: str) -> None:
        if self._peers[peer] > 1:
            self._peers[peer] -= 1
        else:
            del self._peers[peer]

    def awaits_head(self, connection: Connection) -> None:
        """From now on the head of a request must become complete."""
        self._heads.start(connection, lambda: _cut(connection, "slow head"))

    def has_head(self, connection: Connection) -> None:
        self._heads.stop(connection)

    def stops_reading(self, connection: Connection) -> None:
        """More waits for this peer than it takes. It has some time, and all peers together some memory."""
        self._unread_bytes[connection] = size = connection.unsent_bytes()
        self._unread_total += size
        self._unread.start(connection, lambda: self._cut_unread(connection))
        while self._unread_total > self.limits.unread_bytes and (expire := self._unread.oldest()) is not None:
            expire()

    def reads_again(self, connection: Connection) -> None:
        """Does nothing to one that never stopped."""
        self._unread.stop(connection)
        self._unread_total -= self._unread_bytes.pop(connection, 0)

    def _cut_unread(self, connection: Connection) -> None:
        self.reads_again(connection)
        _cut(connection, "unread answer")


def _cut(connection: Connection, reason: str) -> None:
    telemetry.connection_cut(reason)
    connection.abort()
