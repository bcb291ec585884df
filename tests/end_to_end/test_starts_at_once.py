"""Several starts at once (B4): exactly one serves, and the others end within seconds and say why."""

import asyncio
import signal
from pathlib import Path

import asyncpg
import pytest

from tests.end_to_end.crash_support import Server, until

CANNOT_RUN, REPLACED = 2, 3
STARTERS = 3
ENDED_S = 20


async def race(data: Path, *options: str) -> list[int]:
    """The exit statuses of those that lose, once the one that is left serves."""
    servers = [Server(data, *options) for _ in range(STARTERS)]
    try:
        ready = await asyncio.gather(*(server.spawn() for server in servers))

        async def one_is_left() -> bool:
            return sum(server.is_running for server in servers) <= 1

        await until(one_is_left, ENDED_S)
        await asyncio.sleep(1.5)  # The one that is left may have been replaced, too, and not know it yet.
        left = [number for number, server in enumerate(servers) if server.is_running]
        assert len(left) == 1, servers[0].log()
        winner = servers[left[0]]
        assert ready[left[0]].startswith("Countermand is ready:"), f"{ready}\n{winner.log()}"
        winner.port = int(ready[left[0]].rpartition(":")[2])
        assert (await winner.ask("GET", "/health/ready")).status == 200
        await winner.price("151")
        return sorted([await server.ended() for server in servers if server is not winner])
    finally:
        for server in servers:
            await server.kill()
        servers[0].sweep()


@pytest.mark.parametrize("race_number", range(4))
async def test_of_three_starts_on_one_database_one_serves(database_url: str, tmp_path: Path, race_number: int) -> None:
    """They share a data directory that is empty, and so a master seed that one of them makes."""
    assert await race(tmp_path / "venue", "--database-url", database_url) == [REPLACED, REPLACED]
    assert [each.name for each in (tmp_path / "venue").iterdir()] == ["master-seed"]
    # Again, now that everything is there.
    assert await race(tmp_path / "venue", "--database-url", database_url) == [REPLACED, REPLACED]


async def test_of_three_starts_in_one_data_directory_one_serves(tmp_path: Path) -> None:
    assert await race(tmp_path / "venue") == [CANNOT_RUN, CANNOT_RUN]
    log = (tmp_path / "venue.log").read_text()
    assert log.count("is in use by process") == STARTERS - 1
    assert "Traceback" not in log


BLOCKED_STARTS = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT mint%sandbox_tokens%'
"""


async def test_a_start_that_was_overtaken_half_way_does_not_end_the_one_that_overtook_it(
    database_url: str, tmp_path: Path
) -> None:
    """If it took the chain's fence before and the shards' fences after the other one, neither would serve."""
    slow, quick = (Server(tmp_path / "venue", "--database-url", database_url) for _ in range(2))
    await slow.start()
    await slow.kill()
    blocker, watcher = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    try:
        holding = blocker.transaction()
        await holding.start()
        await blocker.execute("LOCK TABLE sandbox_tokens IN ACCESS EXCLUSIVE MODE")
        spawning = asyncio.create_task(slow.spawn())

        async def is_half_way() -> bool:
            return bool(await watcher.fetchval(BLOCKED_STARTS))

        await until(is_half_way, ENDED_S)
        slow.send(signal.SIGSTOP)
        await holding.rollback()
        await quick.start()
        slow.send(signal.SIGCONT)
        assert await slow.ended(ENDED_S) == REPLACED
        assert await spawning == "", "it says that it is ready"
        await asyncio.sleep(1.5)  # Within a second it would know that it was replaced.
        await quick.price("151")
    finally:
        await blocker.close()
        await watcher.close()
        await slow.kill()
        await quick.kill()
