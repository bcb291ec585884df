"""A venue without a free descriptor (B8) whose PostgreSQL dies: it serves again once there are descriptors."""

import asyncio
import os
import resource
import signal
import socket
from pathlib import Path

from tests.end_to_end.crash_support import Lost, Server, Wallet, running, until

MANY = 100
"""Connections that take all descriptors which are still free."""


def limit_descriptors(server: Server, number: int) -> None:
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (number, hard))


async def test_it_recovers_when_there_are_descriptors_again(tmp_path: Path) -> None:
    """B8."""
    async with running(tmp_path / "venue") as server:
        alice = Wallet(server)
        await alice.comes()
        order_id = await alice.places("200")
        soft, _ = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        limit_descriptors(server, 3)  # Those that are open stay, and no more can be opened.
        os.kill(server.postmaster(), signal.SIGKILL)

        async def has_failed_to_start() -> bool:
            return server.log().count("PostgreSQL does not start again") >= 2

        await until(has_failed_to_start, 20)
        assert "Too many open files" in server.log()
        limit_descriptors(server, soft)

        async def serves_again() -> bool:
            try:
                return (await alice.ask("GET", f"/orders/history/{order_id}")).status == 200
            except (Lost, OSError):
                return False

        await until(serves_again, 30)
        assert await alice.is_in(order_id, "open")
        assert "Traceback" not in server.log()
        alice.http.close()


async def test_it_can_be_stopped_without_a_descriptor(tmp_path: Path) -> None:
    """B8."""
    async with running(tmp_path / "venue") as server:
        assert (await server.ask("GET", "/health/ready")).status == 200
        limit_descriptors(server, 1 + max(int(each.name) for each in Path(f"/proc/{server.pid}/fd").iterdir()))
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(MANY)]
        try:
            await asyncio.sleep(0.5)
            server.send(signal.SIGTERM)
            assert await server.ended(12) == 0, server.log()
        finally:
            for client in clients:
                client.close()
        assert "Traceback" not in server.log()
