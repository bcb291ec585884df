"""A chain with the facade before it, for the tests of both: in memory, or served on real sockets."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import falcon.asgi
import msgspec
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from solders.keypair import Keypair

from countermand.simulation.memory_ledger import MemoryLedgerStore
from countermand.solana.embedded import EmbeddedChain, Genesis
from countermand.solana.facade.dispatch import Dispatcher
from countermand.solana.facade.http import RpcResource, SocketHub
from countermand.solana.facade.methods import RpcMethods
from countermand.solana.facade.session import Limits

MINT_AUTHORITY = Keypair.from_seed(bytes(range(32)))
"""Owns every mint of the chain: the clients mint with it."""


class Clock:
    """The real clock, and faster if told to: `speed` passes so many times the time."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return self.wall_ms()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


async def open_chain(clock: Clock | None = None) -> EmbeddedChain:
    genesis = Genesis(entropy=bytes(32), faucet_seed=bytes([1] * 32), mint_authority_seed=bytes(range(32)))
    return await EmbeddedChain.open(MemoryLedgerStore(), clock or Clock(), genesis=genesis)


@dataclass
class Facade:
    """The methods without a socket. `call` answers the result, `fails` the error; both insist on a well-formed answer."""

    chain: EmbeddedChain
    sent: list[bytes] = field(default_factory=list)
    loses_transactions: bool = False

    def __post_init__(self) -> None:
        self.dispatcher = Dispatcher(RpcMethods(self.chain, self._send).by_name())

    async def _send(self, raw: bytes) -> None:
        self.sent.append(raw)
        if not self.loses_transactions:
            await self.chain.send(raw)

    async def answer(self, body: bytes) -> Any:
        answer = await self.dispatcher.answer(body)
        return msgspec.json.decode(answer.body) if answer.body else None

    async def request(self, method: str, *params: object) -> dict[str, Any]:
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        answer = await self.answer(body)
        assert answer["jsonrpc"] == "2.0"
        assert answer["id"] == 7
        assert ("result" in answer) != ("error" in answer)
        return dict(answer)

    async def call(self, method: str, *params: object) -> Any:
        answer = await self.request(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    async def value(self, method: str, *params: object) -> Any:
        return (await self.call(method, *params))["value"]

    async def fails(self, method: str, *params: object) -> Any:
        answer = await self.request(method, *params)
        assert "error" in answer, answer
        return answer["error"]


@dataclass
class Node:
    """The facade served by Granian on two ports, the second for those clients that look for the WebSocket there."""

    chain: EmbeddedChain
    hub: SocketHub
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/rpc"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port + 1}/rpc"


@contextlib.asynccontextmanager
async def served(
    chain: EmbeddedChain,
    *,
    limits: Limits | None = None,
    send: Callable[[bytes], Awaitable[None]] | None = None,
    is_up: Callable[[], bool] = lambda: True,
) -> AsyncIterator[Node]:
    hub = SocketHub(chain, limits=limits)
    app = falcon.asgi.App()
    app.add_route("/rpc", RpcResource(chain, hub, send=send, is_up=is_up))
    port = free_pair_of_ports()
    servers = [_server(app, port), _server(app, port + 1)]
    serving = [asyncio.create_task(server.serve()) for server in servers]
    try:
        for server_port in (port, port + 1):
            await _listening(server_port)
        yield Node(chain, hub, port)
    finally:
        await hub.close()
        for server in servers:
            server.stop()
        await asyncio.wait_for(asyncio.gather(*serving), 10)


def _server(app: falcon.asgi.App[Any, Any], port: int) -> Server:
    return Server(
        app,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        backlog=4_096,
        backpressure=60_000,
        log_enabled=False,
    )


def free_pair_of_ports() -> int:
    """A port that is free, and so is the next one."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port


async def _listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                return
