"""A node that does what a test says: one answer to each request, in JSON-RPC or in any bytes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from countermand.solana.rpc import RpcChain


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    params: list[Any]
    id: int


Behaviour = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ScriptedNode:
    """Answers each method with what stands in `results`, or calls it to know; `behaviour` takes over all of that."""

    results: dict[str, Any] = field(default_factory=dict)
    behaviour: Behaviour | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def questions(self, method: str) -> list[list[Any]]:
        """The parameters of every request of a method."""
        return [asked.params for asked in self.asked if asked.method == method]

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                asked = await _read(reader)
                self.asked.append(asked)
                if self.behaviour is not None:
                    await self.behaviour(asked, writer)
                else:
                    writer.write(http(self._answer(asked)))
                await writer.drain()

    def _answer(self, asked: Asked) -> bytes:
        result = self.results[asked.method]
        if callable(result):
            result = result(*asked.params)
        key = "error" if isinstance(result, dict) and set(result) == {"code", "message"} else "result"
        return json.dumps({"jsonrpc": "2.0", key: result, "id": asked.id}).encode()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
    request = json.loads(await reader.readexactly(length))
    return Asked(request["method"], request["params"], request["id"])


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def saying(raw: bytes) -> Behaviour:
    async def say(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return say


@contextlib.asynccontextmanager
async def scripted(node: ScriptedNode, *, timeout_ms: int = 2_000) -> AsyncIterator[RpcChain]:
    server = await asyncio.start_server(node.serve, "127.0.0.1", 0)
    node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    chain = RpcChain(f"{node.url}/secret-path?key=secret-key", timeout_ms=timeout_ms)
    try:
        yield chain
    finally:
        await chain.close()
        node.hang_up()
        server.close()
