"""A node's WebSocket, which rings when a transaction with one of our addresses is final. What rang is read elsewhere.

A ring is a reason to look and no record: at finalized commitment a node tells the logs of its newest root alone, and
roots skip slots when several become final at once (`notify_watchers` in Agave's `rpc_subscriptions.rs`). It also drops
what a slow peer has not read.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec

from countermand.solana.port import Address, ChainUnavailable
from countermand.solana.rpc.node import NodeClient
from countermand.solana.rpc.shapes import Context

OPEN_TIMEOUT_MS: Final = 5_000
MESSAGE_BYTES_MAX: Final = 1024 * 1024


class _At(msgspec.Struct, frozen=True):
    context: Context


class _Params(msgspec.Struct, frozen=True):
    result: _At


class _Message(msgspec.Struct, frozen=True):
    """An answer to a subscription, or a notification."""

    id: int | str | None = None
    result: int | None = None
    error: dict[str, Any] | None = None
    params: _Params | None = None


_decode: Final = msgspec.json.Decoder(_Message).decode


class LandingBell:
    """`slot` is the newest of which the node said that something landed in it."""

    def __init__(self) -> None:
        self.slot = 0
        self._failure: ChainUnavailable | None = None
        self._rang = asyncio.Event()

    async def rings(self, after: int, timeout_ms: int) -> bool:
        """Whether something landed in a later slot than `after`. Raises `ChainUnavailable` once the socket ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_ms / 1000):
                while self._failure is None and self.slot <= after:
                    self._rang.clear()
                    await self._rang.wait()
        if self._failure is not None:
            raise self._failure
        return self.slot > after

    def ring(self, slot: int) -> None:
        self.slot = max(self.slot, slot)
        self._rang.set()

    def end(self, reason: ChainUnavailable) -> None:
        self._failure = reason
        self._rang.set()


@asynccontextmanager
async def bell(
    node: NodeClient, url: str, addresses: Sequence[Address], on_refused: Callable[[str], None]
) -> AsyncIterator[LandingBell | None]:
    """None if the node does not push: no socket there, or no such subscription. `on_refused` is told why."""
    opened = await _opened(node, url, addresses, on_refused)
    if opened is None:
        yield None
        return
    socket, heard = opened
    reader = asyncio.create_task(_read(node, socket, heard), name="a node's pushes")
    try:
        yield heard
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await socket.close()


def websocket_url(url: str) -> str:
    """Where clients look for the WebSocket of a node: the next port if the address names one, else the same address.

    As `makeWebsocketUrl` of @solana/web3.js does it: a validator serves its WebSocket on the port after its JSON-RPC's,
    and who names no port speaks to a proxy that serves both.
    """
    parts = urlsplit(url)
    place = parts.netloc
    if parts.port is not None:
        place = f"{place.rpartition(':')[0]}:{parts.port + 1}"
    return urlunsplit(parts._replace(scheme="wss" if parts.scheme == "https" else "ws", netloc=place))


class _Refused(Exception):
    """The socket is there, and the subscription is not."""


async def _opened(
    node: NodeClient, url: str, addresses: Sequence[Address], on_refused: Callable[[str], None]
) -> tuple[aiohttp.ClientWebSocketResponse, LandingBell] | None:
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_MS / 1000):
            socket = await node.open_socket(url, bytes_max=MESSAGE_BYTES_MAX)
            return socket, await _subscribed(socket, addresses)
    except (TimeoutError, aiohttp.ClientError, OSError, TypeError, ValueError, RecursionError, _Refused) as problem:
        on_refused(_reason(problem))
        return None


async def _subscribed(socket: aiohttp.ClientWebSocketResponse, addresses: Sequence[Address]) -> LandingBell:
    """Returns when the node has taken a subscription for each address: it takes one in each."""
    try:
        for number, address in enumerate(addresses):
            params = [{"mentions": [address]}, {"commitment": "finalized"}]
            asked = {"jsonrpc": "2.0", "id": number, "method": "logsSubscribe", "params": params}
            await socket.send_str(msgspec.json.encode(asked).decode())
        heard, open_ = LandingBell(), dict.fromkeys(range(len(addresses)))
        while open_:
            message = _decode(await socket.receive_str())
            if message.params is not None:
                heard.ring(message.params.result.context.slot)
            elif message.error is not None or message.result is None or message.id not in open_:
                raise _Refused
            else:
                del open_[int(message.id)]
    except BaseException:
        await socket.close()
        raise
    return heard


async def _read(node: NodeClient, socket: aiohttp.ClientWebSocketResponse, heard: LandingBell) -> None:
    try:
        while True:
            message = _decode(await socket.receive_str())
            if message.params is not None:
                heard.ring(message.params.result.context.slot)
    except (aiohttp.ClientError, OSError, TypeError, ValueError, RecursionError) as problem:
        heard.end(ChainUnavailable(f"{node.name} no longer pushes what lands: {_reason(problem)}"))


def _reason(problem: Exception) -> str:
    """(The text of some names the address with its query, which may be a secret.)"""
    if isinstance(problem, aiohttp.WSServerHandshakeError):
        return f"HTTP status {problem.status}"
    return "the subscription is refused" if isinstance(problem, _Refused) else type(problem).__name__
