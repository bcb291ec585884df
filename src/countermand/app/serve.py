"""Starts, serves and stops a venue."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeAlias

import structlog

from countermand.app.database import Database, database_of
from countermand.app.families import Families
from countermand.app.garbage import begin_collecting, collect_garbage
from countermand.app.reachable import Reachable
from countermand.app.running import App
from countermand.app.seeds import keys_of, seed_of
from countermand.app.together import together
from countermand.app.unheard import quieten
from countermand.gateway.announce import announce, announce_demo, begin_announcing, end_announcing
from countermand.gateway.listeners import Listeners, claim
from countermand.gateway.server import Addresses, stop_at_end_of_stdin, stop_on_signals
from countermand.gateway.server import serve as serve_http
from countermand.gateway.spares import SpareDescriptors
from countermand.kernel.ports import DatabaseWentBack, Unavailable, WriterReplaced
from countermand.orders.book.shard import BookShard
from countermand.orders.chain.shard import ChainIndexShard
from countermand.orders.dca.shard import DcaShard
from countermand.orders.trigger.shard import TriggerShard
from countermand.services.custody.vaults import VaultKeys
from countermand.services.transactions.client_transactions import REMEMBERED_BLOCKS
from countermand.settings import Settings
from countermand.solana.embedded import EmbeddedChain
from countermand.store.book_postgres import PostgresBookStore
from countermand.store.chain_index_postgres import PostgresChainIndexStore
from countermand.store.dca_postgres import PostgresDcaStore
from countermand.store.postgres import PostgresStore

EXIT_HUNG: Final = 1
_HOUSEKEEPING_S: Final = 60
_FENCE_S: Final = 1
_SILENT_S: Final = 3
"""Without an answer to a look at the fence, the database does not answer."""
_STOP_S_MAX: Final = 9.5

_ShardStore: TypeAlias = PostgresStore | PostgresDcaStore | PostgresBookStore | PostgresChainIndexStore
AppOf = Callable[[Settings, VaultKeys, str], AbstractAsyncContextManager[App]]

_log: Final = structlog.get_logger("countermand")


async def serve(settings: Settings, app_of: AppOf | None = None) -> int:
    """Runs a venue until SIGTERM or SIGINT, and returns 0. `cli.endings` reads what it raises.

    `app_of` puts it together on a database; None: the root that the settings name.
    """
    gc.disable()  # Until all is loaded: most of what a start allocates is never freed.
    quieten(asyncio.get_running_loop())
    stop = stop_on_signals()
    if settings.end_with_stdin:
        stop_at_end_of_stdin(stop)
    listeners = claim(settings.host, settings.port)
    leaving = asyncio.create_task(_leave_in_time(stop))
    try:
        begin_announcing(settings)  # The file may be that of the venue that has the port.
        seed = seed_of(settings)
        async with database_of(settings) as database:
            keys = await keys_of(settings, seed, database.dsn)
            async with (app_of or _app_of)(settings, keys, database.dsn) as app:
                with SpareDescriptors():
                    await _run(app, database, listeners, stop)
        return 0
    finally:
        leaving.cancel()
        listeners.close()
        end_announcing(settings)


@asynccontextmanager
async def _app_of(settings: Settings, keys: VaultKeys, dsn: str) -> AsyncIterator[App]:
    """Each root is imported only if it is served: a venue's process holds nothing of the sandbox."""
    if settings.sandbox:
        from countermand.app.sandbox import sandbox_app  # noqa: PLC0415

        async with sandbox_app(settings, keys, dsn) as sandbox:
            yield sandbox.app
    else:
        from countermand.app.venue import venue_app  # noqa: PLC0415

        async with venue_app(settings, keys, dsn) as venue:
            yield venue


async def _leave_in_time(stop: asyncio.Event) -> None:
    """Ends the process when a stop hangs, as it does when the database hangs. No answer is lost by that."""
    await stop.wait()
    await asyncio.sleep(_STOP_S_MAX)
    _log.error("something hangs: the stop ends hard", seconds=_STOP_S_MAX)
    os._exit(EXIT_HUNG)


async def _run(app: App, database: Database, listeners: Listeners, stop: asyncio.Event) -> None:
    families = app.families
    infra, trigger, dca, book = families.infrastructure, families.trigger, families.dca, families.book
    index = families.on_chain.index
    background = (
        trigger.shard.run(),
        trigger.outbox.run(),
        dca.shard.run(),
        dca.outbox.run(),
        book.shard.run(),
        index.shard.run(),
        index.run(),
        database.keep_alive(),
        *([] if app.embedded is None else [_end_with_the_chain(app.embedded)]),
        _watch_the_fence(trigger.shard, infra.stores.trigger, infra.reachable),
        _watch_the_fence(dca.shard, infra.stores.dca, infra.reachable),
        _watch_the_fence(book.shard, infra.stores.book, infra.reachable),
        _watch_the_fence(index.shard, infra.stores.index, infra.reachable),
        infra.incarnation.follow(infra.clock),
        infra.clock.watch(),
        _housekeeping(families),
        collect_garbage(),
        *(each() for each in app.background),
    )

    demonstrating: list[asyncio.Task[None]] = []

    def on_ready(addresses: Addresses) -> None:
        announce(infra.settings, addresses, rpc=app.embedded is not None)
        if infra.settings.demo:
            demonstrating.append(asyncio.create_task(_demonstrate(addresses)))

    async def serving() -> None:
        if await _loaded(app, stop):
            begin_collecting()
            await serve_http(
                app.gateway,
                infra.settings,
                on_ready=on_ready,
                stop=stop,
                listeners=listeners,
            )
        await trigger.shard.drain()
        await dca.shard.drain()
        await book.shard.drain()
        await index.shard.drain()

    await together(serving(), background, stop)


async def _demonstrate(addresses: Addresses) -> None:
    """By its own HTTP, as any client would, in a thread that waits for the answers."""
    from countermand.testkit import demo  # noqa: PLC0415  A venue has no use for it.

    try:
        wallet = await asyncio.to_thread(demo.play_at, addresses.base_url)
    except Exception as problem:  # noqa: BLE001  The venue serves all the same.
        _log.warning("the demo could not begin", reason=str(problem))
    else:
        announce_demo(wallet)


async def _loaded(app: App, stop: asyncio.Event) -> bool:
    """Every family is loaded: true. False if the start is stopped before."""

    async def load() -> None:
        await app.begin()
        await app.families.trigger.shard.loaded()
        await app.families.dca.shard.loaded()
        await app.families.book.shard.loaded()
        await app.families.on_chain.index.shard.loaded()

    loading, stopping = asyncio.create_task(load()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            return False
        await loading
    finally:
        # Waited for, too: the database is closed next, and a query must not be under way then.
        await _cancelled(loading, stopping)
    trigger, dca, book = app.families.trigger, app.families.dca, app.families.book
    shards = (trigger.shard, book.shard, dca.shard, app.families.on_chain.index.shard)
    _log.info("all orders are loaded", epochs=[shard.epoch for shard in shards])
    return True


async def _cancelled(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _end_with_the_chain(chain: EmbeddedChain) -> None:
    raise await chain.stopped()


async def _watch_the_fence(
    shard: TriggerShard | DcaShard | BookShard | ChainIndexShard,
    store: _ShardStore,
    reachable: Reachable,
) -> None:
    """A writer without commits would not learn that it was replaced, or that the database is away.

    One that hangs is away long before its statement is given up.
    """
    while True:
        await asyncio.sleep(_FENCE_S)
        epoch = shard.epoch
        hangs = asyncio.get_running_loop().call_later(_SILENT_S, reachable.was_silent, shard.number)
        try:
            newest, read_only = await _look(store, shard.number)
        except Unavailable:
            reachable.was_silent(shard.number)
            continue
        finally:
            hangs.cancel()
        reachable.answered(shard.number, read_only=read_only)
        if epoch is not None and epoch == shard.epoch and newest != epoch:
            if newest < epoch:
                raise DatabaseWentBack(f"shard {shard.number} is in epoch {newest}, and was in {epoch}")
            raise WriterReplaced(f"shard {shard.number} is in epoch {newest}, not in {epoch}")


async def _look(store: _ShardStore, shard: int) -> tuple[int, bool]:
    """A connection that was cut while it was idle says nothing of the database: another one is asked."""
    try:
        return await store.look(shard)
    except Unavailable:
        return await store.look(shard)


async def _housekeeping(families: Families) -> None:
    """Deletes deposits that were crafted and never signed, and builds and drafts that cannot be executed any more."""
    infra = families.infrastructure
    while True:
        await asyncio.sleep(_HOUSEKEEPING_S)
        try:
            height = await families.trigger.custody.block_height()
            families.trigger.shard.forget_dead_crafts(height)
            families.dca.shard.forget_dead_crafts(height)
            await infra.stores.trigger.delete_dead_crafts(height)
            await infra.stores.dca.delete_dead_crafts(height)
            await infra.stores.builds.delete_below(height - REMEMBERED_BLOCKS)
            await infra.stores.book.delete_drafts(infra.clock.now())
        except Unavailable:
            continue
