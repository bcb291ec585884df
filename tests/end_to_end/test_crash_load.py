"""Processes are killed while many trade. Nothing that was answered is lost, and nothing stays half done."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from random import Random

import pytest
import pytest_asyncio

from tests.end_to_end.crash_load import Trader, all_is_well, trader, trading
from tests.end_to_end.crash_support import ROUNDS, THOROUGH, Lost, Server, running, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRADERS = 8
HUNG = 1
REFUSED_TO_START = 2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running(tmp_path_factory.mktemp("load") / "venue") as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def random() -> Random:
    seed = int(os.environ.get("COUNTERMAND_CRASH_SEED", "0")) or int.from_bytes(os.urandom(4))
    print(f"COUNTERMAND_CRASH_SEED={seed}")  # Shown if the test fails.
    return Random(seed)


@pytest_asyncio.fixture(loop_scope="module")
async def traders(server: Server, random: Random) -> AsyncIterator[list[Trader]]:
    if not server.is_running:
        await server.start()
    await server.faults()
    traders = await asyncio.gather(*(trader(server, Random(random.random())) for _ in range(TRADERS)))
    yield traders
    for one in traders:
        one.wallet.http.close()


async def serves(server: Server) -> bool:
    try:
        return (await server.ask("GET", "/health/ready")).status == 200
    except Lost:
        return False


async def test_a_data_directory_in_use_is_refused_in_one_line(server: Server) -> None:
    second = Server(server.data)
    before = len(second.log())
    assert await second.spawn() == ""
    assert await second.ended() == REFUSED_TO_START
    said = second.log()[before:].splitlines()
    assert said == [f"countermand: the data directory {server.data} is in use by process {server.pid}"]
    await server.audited()


async def test_the_server_is_killed_under_load(server: Server, traders: list[Trader], random: Random) -> None:
    for _ in range(3 * ROUNDS):
        async with trading(server, traders, random):
            await asyncio.sleep(random.uniform(0.2, 1.2))
            await until(partial(were_answered, traders, 40 + sum(one.answers for one in traders)))
            await server.kill()
        await server.start()
        await all_is_well(server, traders)
    assert any(kept.filled for one in traders for kept in one.orders), "nothing was filled"
    assert any(kept.withdrawn for one in traders for kept in one.orders), "nothing was withdrawn"


async def test_postgresql_is_killed_under_load(server: Server, traders: list[Trader], random: Random) -> None:
    """The server lives on, and starts it again."""
    pid = server.pid
    for _ in range(ROUNDS):
        async with trading(server, traders, random):
            await asyncio.sleep(random.uniform(0.2, 0.8))
            killed = await slow_death(server)
            await until(partial(is_back, server, killed), 30)
            await asyncio.sleep(0.3)
        await all_is_well(server, traders)
    assert server.pid == pid
    assert server.is_running


async def slow_death(server: Server) -> int:
    """PostgreSQL hangs for a moment before it dies: what was answered meanwhile, and not committed, would be lost."""
    postmaster, backends = server.postmaster(), server.backends()
    for backend in backends:
        os.kill(backend, signal.SIGSTOP)
    await asyncio.sleep(0.15)
    for process in (postmaster, *backends):
        os.kill(process, signal.SIGKILL)
    return postmaster


async def is_back(server: Server, killed: int) -> bool:
    try:
        return server.postmaster() not in (0, killed) and await serves(server)
    except FileNotFoundError:
        return False


async def test_backends_of_postgresql_are_killed_under_load(
    server: Server, traders: list[Trader], random: Random
) -> None:
    for _ in range(ROUNDS):
        async with trading(server, traders, random):
            await asyncio.sleep(random.uniform(0.2, 0.8))
            os.kill(random.choice(server.backends()), signal.SIGKILL)
            await asyncio.sleep(1)
            await until(lambda: serves(server), 30)
            await asyncio.sleep(0.3)
        await all_is_well(server, traders)
    assert server.is_running


async def test_a_stop_under_load_answers_everything_that_it_accepted(
    server: Server, traders: list[Trader], random: Random
) -> None:
    await server.faults(landDelayMs=100)
    async with trading(server, traders, random):
        await asyncio.sleep(0.5)
        await until(lambda: several_wait(traders))
        asked = time.monotonic()
        await server.does("GET", "/health/live")  # What was sent before it has been read now.
        server.send(signal.SIGTERM)
        status = await server.ended()
    assert status == 0
    for one in traders:
        for began in one.cut:
            assert began > asked, f"a request was accepted {asked - began:.3f} s before the stop, and cut"
    words = await server.audited_from_outside()
    assert "Everything agrees." in words
    await server.start()
    await all_is_well(server, traders)


@pytest.mark.skipif(not THOROUGH, reason="it takes the ten seconds that a stop may take")
async def test_a_stop_while_the_database_hangs_ends_hard_and_loses_nothing(
    server: Server, traders: list[Trader], random: Random
) -> None:
    hanging = server.backends()
    async with trading(server, traders, random):
        await asyncio.sleep(0.5)
        for backend in hanging:
            os.kill(backend, signal.SIGSTOP)
        await asyncio.sleep(0.2)
        server.send(signal.SIGTERM)
        assert await server.ended() == HUNG
    for backend in hanging:
        os.kill(backend, signal.SIGCONT)
    await server.start()
    await all_is_well(server, traders)


async def were_answered(traders: Sequence[Trader], many: int) -> bool:
    return sum(one.answers for one in traders) >= many


async def several_wait(traders: Sequence[Trader]) -> bool:
    now = time.monotonic()
    return sum(one.asked_at is not None and now - one.asked_at > 0.03 for one in traders) >= 3
