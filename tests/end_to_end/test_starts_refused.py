"""A start, or an audit, that cannot run (B1, B5, B6): one line, status 2, within seconds, and no secret in it."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from countermand.store.embedded import EmbeddedPostgres
from tests.conftest import NUMBERS
from tests.end_to_end.crash_support import Lost, Reply, Server, Wallet, command, running

CANNOT_RUN = 2
LINE_CHARS_MAX = 500
SECRET = "hunter2"


END_BLOCKED_WRITER = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name LIKE '%writer of shard 0' AND wait_event_type = 'Lock'
"""


def one_line(ended: tuple[int, str]) -> str:
    """What it said: that it cannot run, and why, and nothing else."""
    status, words = ended
    assert status == CANNOT_RUN, ended
    assert words.startswith("countermand: "), words
    assert words.count("\n") == 1, words
    assert len(words) < LINE_CHARS_MAX, words
    assert SECRET not in words, words
    return words


async def serve(data: Path, *options: str) -> tuple[int, str]:
    return await command("serve", "--port", "0", "--data", str(data), *options)


async def sql(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


# --- rows that cannot be read (B1)


async def test_an_order_that_cannot_be_read_is_named(database_url: str, tmp_path: Path) -> None:
    async with running(tmp_path / "venue", "--database-url", database_url) as server:
        alice = Wallet(server)
        await alice.comes()
        order_id = await alice.places("200")
        await server.settled()
        alice.http.close()
    for body in ("{}", "x", '{"state":"nowhere"}'):
        await sql(database_url, f"UPDATE orders SET body = '{body}'")
        said = one_line(await serve(tmp_path / "venue", "--database-url", database_url))
        assert f"row {order_id} of table orders cannot be read" in said


async def test_a_row_that_is_damaged_while_a_venue_serves_ends_it_at_the_next_load(
    database_url: str, tmp_path: Path
) -> None:
    async with running(tmp_path / "venue", "--database-url", database_url) as server:
        alice = Wallet(server)
        await alice.comes()
        order_id = await alice.places("200")
        await server.settled()
        await sql(database_url, "UPDATE orders SET body = '{}'")
        await loses_the_answer_of_a_commit(alice.cancel(order_id), database_url)
        assert await server.ended() == CANNOT_RUN
        assert f"countermand: row {order_id} of table orders cannot be read" in server.log()
        assert "Traceback" not in server.log()
        alice.http.close()


async def loses_the_answer_of_a_commit(request: Coroutine[Any, Any, Reply], url: str) -> None:
    """What a venue does not know of a commit, it finds out by loading again."""
    holder, watcher = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        holding = holder.transaction()
        await holding.start()
        await holder.execute("SELECT FROM shards FOR UPDATE")
        asking = asyncio.create_task(request)
        ended = 0
        while not ended:
            ended = await watcher.fetchval(END_BLOCKED_WRITER)
        await holding.rollback()
        with suppress(Lost):
            assert not (await asking).is_definite
    finally:
        await holder.close()
        await watcher.close()


async def test_books_that_cannot_be_read_are_known_before_anything_is_announced(
    database_url: str, tmp_path: Path
) -> None:
    """B5."""
    server = Server(tmp_path / "venue", "--database-url", database_url)
    await server.start()
    await server.kill()
    await sql(database_url, "INSERT INTO book_balances VALUES (1, '0xa11ce', 'usdc', 1, 0)")
    assert await server.spawn() == "", "it says that it is ready"
    assert await server.ended() == CANNOT_RUN
    assert "row 1 of table book_counters cannot be read" in server.log()


async def test_a_damaged_page_is_one_line_for_a_start_and_for_an_audit(tmp_path: Path) -> None:
    """B5. A start names the table. An audit that cannot read has found no difference, so its status is not 1."""
    data = tmp_path / "venue"
    async with running(data) as server:
        alice = Wallet(server)
        await alice.comes()
        await alice.places("200")
        await server.settled()
        alice.http.close()
        server.send(signal.SIGTERM)  # All pages are on the disk then.
        assert await server.ended() == 0
    async with EmbeddedPostgres(data) as postgres:
        connection = await asyncpg.connect(postgres.dsn)
        page = data / "postgres" / await connection.fetchval("SELECT pg_relation_filepath('orders')")
        await connection.close()
    with page.open("r+b") as file:
        file.seek(100)
        file.write(b"damage" * 100)
    assert "table orders cannot be read: invalid page" in one_line(await serve(data))
    assert "invalid page" in one_line(await command("audit", "--data", str(data)))


# --- databases that cannot be used (B5)


@asynccontextmanager
async def refusing_password() -> AsyncIterator[str]:
    """The address of a PostgreSQL that knows no password of ours."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4))
        if size == 8:  # It asks for TLS first.
            await reader.readexactly(4)
            writer.write(b"N")
            size = int.from_bytes(await reader.readexactly(4))
        await reader.readexactly(size - 4)
        told = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "me"\0\0'
        writer.write(b"E" + (len(told) + 4).to_bytes(4) + told)
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        yield f"postgresql://me:{SECRET}@127.0.0.1:{server.sockets[0].getsockname()[1]}/venue"


async def both(data: Path, url: str) -> list[str]:
    """What a start and an audit say."""
    ends = await serve(data, "--database-url", url), await command("audit", "--database-url", url)
    assert not (data / "master-seed").exists()
    return [one_line(end) for end in ends]


async def test_a_wrong_password_is_one_line_without_it(tmp_path: Path) -> None:
    async with refusing_password() as url:
        for said in await both(tmp_path / "data", url):
            assert "password authentication failed" in said


@pytest.mark.parametrize("password", [f"{SECRET}#", f"{SECRET}/x", f"[{SECRET}", f"{SECRET}?", f"{SECRET}:x", "%zz"])
async def test_an_address_that_cannot_be_read_shows_no_part_of_a_password(tmp_path: Path, password: str) -> None:
    for said in await both(tmp_path / "data", f"postgresql://me:{password}@127.0.0.1:1/venue"):
        assert "address" in said or "no connection" in said


async def test_a_database_that_does_not_exist_is_one_line(database_url: str, tmp_path: Path) -> None:
    name = database_url.rpartition("/postgres?")[0] or database_url
    for said in await both(tmp_path / "data", name.replace("/test_", "/no_test_")):
        assert "does not exist" in said


@pytest.mark.parametrize("grant", ["SELECT", "INSERT", ""])
async def test_a_role_that_may_not_do_what_a_venue_does_is_one_line(
    database_url: str, tmp_path: Path, grant: str
) -> None:
    role = f"guest_{next(NUMBERS)}"
    await sql(database_url, f"CREATE ROLE {role} LOGIN")
    if grant:
        await sql(database_url, f"GRANT {grant} ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        said = one_line(
            await serve(tmp_path / "data", "--database-url", database_url.replace("//countermand@", f"//{role}@"))
        )
        assert "permission denied" in said
        assert not (tmp_path / "data").exists()
        if grant != "SELECT":
            audit = await command("audit", "--database-url", database_url.replace("//countermand@", f"//{role}@"))
            assert "permission denied" in one_line(audit)
    finally:
        await sql(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_a_database_that_is_no_venues_is_one_line_for_an_audit(postgres: EmbeddedPostgres) -> None:
    said = one_line(await command("audit", "--database-url", postgres.dsn))
    assert "the database has no table shards: it is none of a venue" in said


async def test_a_cluster_without_its_version_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    for end in (await serve(tmp_path), await command("audit", "--data", str(tmp_path))):
        assert "PG_VERSION" in one_line(end)
    (tmp_path / "postgres" / "PG_VERSION").write_bytes(b"\xff")
    assert "holds no PostgreSQL" in one_line(await serve(tmp_path))


@pytest.mark.parametrize("kind", ["file", "beneath a file", "cluster is a file", "nowhere"])
async def test_a_data_directory_that_is_none_is_one_line(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("x")
    data = {"file": tmp_path / "file", "beneath a file": tmp_path / "file" / "data", "nowhere": Path("/proc/none")}
    if kind == "cluster is a file":
        (tmp_path / "postgres").write_text("x")
    one_line(await serve(data.get(kind, tmp_path)))
    one_line(await command("audit", "--data", str(data.get(kind, tmp_path))))


@pytest.mark.parametrize("seed", [b"", b"\xff" * 31, None])
async def test_a_master_seed_that_cannot_be_used_is_one_line_and_starts_nothing(
    tmp_path: Path, seed: bytes | None
) -> None:
    path = tmp_path / "seed"
    if seed is None:
        path.mkdir()
    else:
        path.touch(0o600)
        path.write_bytes(seed)
    one_line(await serve(tmp_path / "data", "--master-seed", str(path)))
    assert not (tmp_path / "data").exists()


# --- no master seed beside a database (B6)


async def test_a_lost_master_seed_is_not_replaced(database_url: str, tmp_path: Path) -> None:
    """B6: nothing is written that is not used, neither beside the database nor in a new directory."""
    async with running(tmp_path / "venue", "--database-url", database_url):
        pass
    (tmp_path / "venue" / "master-seed").rename(tmp_path / "kept")
    for data in (tmp_path / "venue", tmp_path / "other"):
        said = one_line(await serve(data, "--database-url", database_url))
        assert f"there is no master seed at {data / 'master-seed'}" in said
        assert not (data / "master-seed").exists()
    assert not (tmp_path / "other").exists()
    async with running(tmp_path / "venue", "--database-url", database_url, "--master-seed", str(tmp_path / "kept")):
        pass


async def test_a_lost_master_seed_of_a_data_directory_is_not_replaced(tmp_path: Path) -> None:
    """B6."""
    async with running(tmp_path / "venue"):
        pass
    (tmp_path / "venue" / "master-seed").unlink()
    assert "there is no master seed" in one_line(await serve(tmp_path / "venue"))
    assert not (tmp_path / "venue" / "master-seed").exists()
    shutil.rmtree(tmp_path / "venue" / "postgres")
    async with running(tmp_path / "venue"):  # With an empty database, a new one is right.
        assert (tmp_path / "venue" / "master-seed").stat().st_size == 32


async def test_a_lost_fingerprint_is_not_replaced(database_url: str, tmp_path: Path) -> None:
    """B6: else a start with another seed would take the vaults of the first one for its own."""
    async with running(tmp_path / "venue", "--database-url", database_url) as server:
        alice = Wallet(server)
        await alice.comes()
        await alice.places("200")
        alice.http.close()
    await sql(database_url, "DELETE FROM venue")
    assert "table venue cannot be read" in one_line(await serve(tmp_path / "venue", "--database-url", database_url))
    assert "table venue cannot be read" in one_line(await serve(tmp_path / "new", "--database-url", database_url))
    assert not (tmp_path / "new").exists()
