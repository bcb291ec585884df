"""The two worlds that the contract of the store is tried in, each with the same misfortunes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from countermand.kernel.ports import Batch, CommitUnknown, Epoch
from countermand.store import fences
from countermand.store.postgres import PostgresStore
from countermand.store.shard_postgres import ShardPostgres
from countermand_simulator.fenced import FencedDatabase
from countermand_simulator.memory_store import AFTER_COMMIT, BEFORE_COMMIT, HeldInside, MemoryDatabase, MemoryStore

AnyStore: TypeAlias = MemoryStore | PostgresStore
Strike: TypeAlias = Callable[[], Awaitable[None]]
PATIENCE_S = 30
_Id = TypeVar("_Id")


async def bodies(reading: Awaitable[Sequence[tuple[_Id, bytes]]]) -> list[bytes]:
    """What a load reads, without the ids."""
    return [body for _, body in await reading]


class World(Protocol):
    async def open(self) -> AnyStore:
        """Another process's store on the same database."""

    async def open_unlucky(self, *, applied: bool) -> tuple[AnyStore, Strike]:
        """A store whose next commit after the call loses its answer, having been applied or not."""

    async def begin_epoch_while_inside(self, batch: Batch[Any], *, lands: bool) -> Epoch:
        """A new epoch begins while the batch is inside the database; then it lands, or hangs for ever."""

    async def close(self) -> None: ...


class Fate:
    """Raises what it was told to, once, at the point it was told."""

    def __init__(self, *, lands: bool = True) -> None:
        self.lands = lands
        self.next: dict[str, Exception] = {}

    async def at(self, point: str) -> None:
        misfortune = self.next.pop(point, None)
        if misfortune is not None:
            raise misfortune

    def waits_for(self, _batch: Batch[Any], /) -> bool:
        return self.lands


class InMemory:
    """`opens` makes another family's store on the database."""

    def __init__(
        self, database: FencedDatabase[Any] | None = None, opens: Callable[..., MemoryStore] = MemoryStore
    ) -> None:
        self.database = MemoryDatabase() if database is None else database
        self._opens = opens

    async def open(self) -> MemoryStore:
        return self._opens(self.database)

    async def open_unlucky(self, *, applied: bool) -> tuple[AnyStore, Strike]:
        fate = Fate()

        async def strike() -> None:
            fate.next[AFTER_COMMIT if applied else BEFORE_COMMIT] = CommitUnknown("lost")

        return self._opens(self.database, fate), strike

    async def begin_epoch_while_inside(self, batch: Batch[Any], *, lands: bool) -> Epoch:
        fate = Fate()
        fate.next[BEFORE_COMMIT] = HeldInside()
        with pytest.raises(CommitUnknown):
            await self._opens(self.database, fate).commit(batch)
        assert self.database.held == [batch]
        return await self._opens(self.database, Fate(lands=lands)).begin_epoch(batch.shard)

    async def close(self) -> None:
        pass


class InPostgres:
    """`kind`: of another family."""

    def __init__(
        self, url: str, monkeypatch: pytest.MonkeyPatch, kind: type[ShardPostgres[Any]] = PostgresStore
    ) -> None:
        self.url = url
        self._kind: Any = kind
        self._monkeypatch = monkeypatch
        self._stores: list[PostgresStore] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._servers: list[asyncio.Server] = []

    async def open(self) -> PostgresStore:
        return await self._open(self.url)

    async def _open(self, url: str) -> PostgresStore:
        store: PostgresStore = await self._kind.connect(url)
        self._stores.append(store)
        return store

    async def open_unlucky(self, *, applied: bool) -> tuple[AnyStore, Strike]:
        if applied:
            url, cut = await self._behind_a_cable()
            return await self._open(url), cut
        blocker = await asyncpg.connect(self.url)

        async def strike() -> None:
            transaction = blocker.transaction()
            await transaction.start()
            await blocker.execute("SELECT FROM shards FOR UPDATE")

            async def end_the_waiting_backend() -> None:
                async with self._helper() as helper:
                    waiting = await waits_for(helper, blocker)
                    assert await helper.fetchval("SELECT pg_terminate_backend($1, 5000)", waiting) is True
                await transaction.rollback()
                await blocker.close()

            self._tasks.append(asyncio.create_task(end_the_waiting_backend()))

        return await self._open(self.url), strike

    async def _behind_a_cable(self) -> tuple[str, Strike]:
        """A URL that leads to the server through us, and what cuts the cable just before the next answer."""
        url = urlsplit(self.url)
        where = {key: values[0] for key, values in parse_qs(url.query).items()}
        socket = f"{where['host']}/.s.PGSQL.{where['port']}"
        is_cut = False

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool) -> None:
            with suppress(ConnectionError):
                while data := await source.read(65_536):
                    if answers and is_cut:
                        break
                    sink.write(data)
                    await sink.drain()
            sink.close()

        async def accept(asked: asyncio.StreamReader, answered: asyncio.StreamWriter) -> None:
            up_reader, up_writer = await asyncio.open_unix_connection(socket)
            self._tasks.append(asyncio.create_task(pump(up_reader, answered, answers=True)))
            await pump(asked, up_writer, answers=False)

        async def cut() -> None:
            nonlocal is_cut
            is_cut = True

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self._servers.append(server)
        port = server.sockets[0].getsockname()[1]
        return f"postgresql://{url.username}@127.0.0.1:{port}{url.path}", cut

    async def begin_epoch_while_inside(self, batch: Batch[Any], *, lands: bool) -> Epoch:
        if not lands:
            self._monkeypatch.setattr(fences, "HOLDER_S", 0.2)
        holder = await asyncpg.connect(self.url)
        transaction = holder.transaction()
        await transaction.start()
        assert await holder.fetchval(self._kind.family.statement(), *self._kind.family.parameters(batch)) == 1
        successor = await self.open()
        beginning = asyncio.create_task(successor.begin_epoch(batch.shard))
        if lands:
            async with self._helper() as helper:
                await waits_for(helper, holder)
            assert not beginning.done()
            await transaction.commit()
        epoch = await beginning
        if not lands:
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
                await transaction.commit()
        holder.terminate()
        return epoch

    @asynccontextmanager
    async def _helper(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for store in self._stores:
            await store.close()
        await asyncio.gather(*self._tasks)


async def waits_for(helper: "asyncpg.Connection[asyncpg.Record]", holder: "asyncpg.Connection[asyncpg.Record]") -> int:
    """The backend that waits for a lock of `holder`, once there is one."""
    query = "SELECT pid FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))"
    async with asyncio.timeout(PATIENCE_S):
        while (pid := await helper.fetchval(query, holder.get_server_pid())) is None:
            pass
    assert isinstance(pid, int)
    return pid
