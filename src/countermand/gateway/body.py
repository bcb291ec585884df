"""The body of a request: at most 256 KiB, within 10 s."""

import asyncio
from typing import Final

from countermand.gateway.asgi import CLOSE, AsgiAnswer, Receive
from countermand.gateway.shapes import refused_before

BYTES_MAX: Final = 256 * 1024
SECONDS_MAX: Final = 10.0
SECONDS_WHEN_CLOSING: Final = 1.0

_SWEEP_SECONDS: Final = 0.2


class BodyRefused(Exception):
    """It is too large or too slow. The answer says which, and ends the connection."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def answer(self, path: str) -> AsgiAnswer:
        return refused_before(path, self.status, self.message, CLOSE)


class BodyMalformed(Exception):
    """Its bytes are not those that its headers announced."""


class PeerLeft(Exception):
    """The peer went away before its request was complete."""


class Bodies:
    """Reads bodies, and knows which are still coming, so that a stop need not wait for the slowest."""

    def __init__(self, seconds_max: float = SECONDS_MAX) -> None:
        self._seconds_max = seconds_max
        # In order of their deadlines, since each gets the same time. One timer serves all: a timer for each request
        # would cost more than the rest of the gateway.
        self._coming: dict[int, tuple[float, asyncio.Timeout]] = {}
        self._sweeping = False

    async def read(self, receive: Receive, declared: int | None) -> bytes:
        """The whole body. `declared` is its Content-Length, if it has one."""
        if declared is not None and declared > BYTES_MAX:
            raise _too_large()
        limit = asyncio.timeout(None)
        loop = asyncio.get_running_loop()
        self._coming[id(limit)] = loop.time() + self._seconds_max, limit
        if not self._sweeping:
            self._sweep(loop)
        try:
            async with limit:
                return await _read(receive, declared)
        except TimeoutError:
            raise BodyRefused(408, f"The body did not arrive within {SECONDS_MAX:.0f} seconds") from None
        finally:
            del self._coming[id(limit)]

    def hurry(self) -> None:
        """What has not arrived within a second from now is too slow."""
        self._seconds_max = min(self._seconds_max, SECONDS_WHEN_CLOSING)
        latest = asyncio.get_running_loop().time() + self._seconds_max
        for key, (deadline, limit) in self._coming.items():
            self._coming[key] = min(deadline, latest), limit

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends those whose time is up, and looks again soon, for as long as bodies are coming."""
        self._sweeping = bool(self._coming)
        if not self._sweeping:
            return
        now = loop.time()
        for deadline, limit in self._coming.values():
            if deadline > now:
                break
            if not limit.expired():
                limit.reschedule(now)
        loop.call_later(_SWEEP_SECONDS, self._sweep, loop)


async def _read(receive: Receive, declared: int | None) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            if event.get("malformed"):
                raise BodyMalformed
            raise PeerLeft
        part: bytes = event.get("body", b"")
        size += len(part)
        if size > BYTES_MAX:
            raise _too_large()
        parts.append(part)
        if size == declared or not event.get("more_body"):
            return b"".join(parts)


def _too_large() -> BodyRefused:
    return BodyRefused(413, f"The body is larger than {BYTES_MAX} bytes")
