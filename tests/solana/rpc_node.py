"""A node that does what a test says: one answer to each request, in JSON-RPC or in any bytes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from countermand.solana.port import ChainUnavailable
from countermand.solana.rpc import RpcChain


@dataclass(frozen=True, slots=True)
class Asked:
    """`batch` is the number of the batch that it came in, if it did."""

    method: str
    params: list[Any]
    id: int
    batch: int | None = None


Behaviour = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ScriptedNode:
    """Answers each method with what stands in `results`, or calls it to know; `behaviour` takes over all of that."""

    results: dict[str, Any] = field(default_factory=dict)
    behaviour: Behaviour | None = None
    batch_refusal: bytes | None = None
    """The whole answer to a batch, with its HTTP status line, instead of its results."""
    batches: int = 0
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
                request = await _read(reader)
                if isinstance(request, list):
                    writer.write(self._answer_batch(request))
                else:
                    await self._answer_one(_asked(request), writer)
                await writer.drain()

    async def _answer_one(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.asked.append(asked)
        if self.behaviour is not None:
            await self.behaviour(asked, writer)
        else:
            writer.write(http(json.dumps(self._answer(asked)).encode()))

    def _answer_batch(self, requests: list[Any]) -> bytes:
        self.batches += 1
        if self.batch_refusal is not None:
            return self.batch_refusal
        asked = [_asked(request, self.batches) for request in requests]
        self.asked += asked
        # In any order, as JSON-RPC allows.
        return http(json.dumps([self._answer(each) for each in reversed(asked)]).encode())

    def _answer(self, asked: Asked) -> dict[str, Any]:
        result = self.results[asked.method]
        if callable(result):
            result = result(*asked.params)
        key = "error" if isinstance(result, dict) and set(result) == {"code", "message"} else "result"
        return {"jsonrpc": "2.0", key: result, "id": asked.id}


def _asked(request: dict[str, Any], batch: int | None = None) -> Asked:
    return Asked(request["method"], request["params"], request["id"], batch)


async def _read(reader: asyncio.StreamReader) -> Any:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
    return json.loads(await reader.readexactly(length))


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def saying(raw: bytes) -> Behaviour:
    async def say(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return say


@contextlib.asynccontextmanager
async def scripted(
    node: ScriptedNode,
    *,
    ws_url: str | None = None,
    timeout_ms: int = 2_000,
    busy_pauses_ms: Sequence[int] = (),
    on_unanswered: Callable[[str, ChainUnavailable], None] = lambda *_: None,
) -> AsyncIterator[RpcChain]:
    server = await asyncio.start_server(node.serve, "127.0.0.1", 0)
    node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    chain = RpcChain(
        f"{node.url}/secret-path?key=secret-key",
        ws_url=ws_url,
        timeout_ms=timeout_ms,
        busy_pauses_ms=busy_pauses_ms,
        on_unanswered=on_unanswered,
    )
    try:
        yield chain
    finally:
        await chain.close()
        node.hang_up()
        server.close()
