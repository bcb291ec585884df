"""web3.js through an advanced clock (E3), lookup tables (E1) and durable nonces (E5), with kill -9 between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.clients.node import PACKAGES, node_binary
from tests.end_to_end.crash_support import Server, running

SCRIPT = Path(__file__).parent / "chain_web3.mjs"
ENDS_S = 120


@pytest.fixture
async def server(database_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    """On a port that stays the same, since the client's connection does."""
    async with running(tmp_path / "venue", "--database-url", database_url, keeps_port=True) as server:
        yield server


async def test_one_connection_of_web3_survives_it_all(server: Server) -> None:
    assert PACKAGES.is_dir(), f"{PACKAGES} is missing; `make test` installs it"
    pipe = asyncio.subprocess.PIPE
    url = f"http://127.0.0.1:{server.port}"
    client = await asyncio.create_subprocess_exec(node_binary(), SCRIPT, url, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(ENDS_S):
            said = await _served(client, server)
            assert client.stderr is not None
            errors = (await client.stderr.read()).decode()
            assert await client.wait() == 0, errors[-4_000:]
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()
    assert said == ["kill"] * 5 + ["web3.js is content"]


async def _served(client: asyncio.subprocess.Process, server: Server) -> list[str]:
    """All that it says. Where it asks for that, the venue is killed and started again."""
    assert client.stdout is not None
    assert client.stdin is not None
    said = []
    while line := (await client.stdout.readline()).decode().strip():
        said.append(line)
        if line == "kill":
            await server.kill()
            await server.start()
            client.stdin.write(b"it runs again\n")
            with suppress(ConnectionError):  # It died: its last words tell why.
                await client.stdin.drain()
    return said
