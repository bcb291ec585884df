"""Where everything meets: the adapters, the engine and the dialects, put together by hand."""

import asyncio
import gc
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass
from typing import Final, cast
from uuid import UUID

import asyncpg
import structlog

from countermand.audit.run import audit
from countermand.custody.custody import VaultCustody
from countermand.custody.vaults import SeedRefused, VaultKeys, load_or_make_seed
from countermand.dialects.price_v3 import routes as price_routes
from countermand.dialects.recurring_v1 import openapi as recurring_openapi
from countermand.dialects.recurring_v1 import routes as recurring_routes
from countermand.dialects.tanx import absent as tanx_absent
from countermand.dialects.tanx import auth as tanx_auth
from countermand.dialects.tanx import openapi as tanx_openapi
from countermand.dialects.tanx import public_routes as tanx_public_routes
from countermand.dialects.tanx import routes as tanx_routes
from countermand.dialects.tanx.render import Renderer
from countermand.dialects.tanx.session import LoginTexts
from countermand.dialects.tanx.session import Sessions as TanxSessions
from countermand.dialects.tanx.verifier import Verifier
from countermand.dialects.trigger_v1 import openapi as limit_openapi
from countermand.dialects.trigger_v1 import routes as limit_routes
from countermand.dialects.trigger_v2 import auth
from countermand.dialects.trigger_v2 import openapi as trigger_openapi
from countermand.dialects.trigger_v2 import routes as trigger_routes
from countermand.domain.book.markets import MARKETS
from countermand.domain.identity import Address, Mint
from countermand.domain.ledger.amount import AMOUNT_SCALE
from countermand.domain.quantities import UsdPrice, decimal_text
from countermand.engine.book_shard import BookShard
from countermand.engine.clock import VenueClock
from countermand.engine.ids import Ids
from countermand.engine.members import StarkKeys
from countermand.engine.onchain import REMEMBERED_BLOCKS, OnChainOrders
from countermand.engine.outbox import Outbox
from countermand.engine.ports import Unavailable, WriterReplaced
from countermand.engine.shard import Shard
from countermand.engine.shards import BOOK_SHARD, TRIGGER_SHARD
from countermand.engine.trigger import TriggerOrders
from countermand.engine.venue import Venue
from countermand.gateway import operations
from countermand.gateway.announce import announce
from countermand.gateway.asgi import App
from countermand.gateway.door import Door
from countermand.gateway.falcon_app import new_app
from countermand.gateway.faults import GatewayFaults
from countermand.gateway.listeners import Listeners, claim
from countermand.gateway.server import serve as serve_http
from countermand.gateway.server import stop_on_signals
from countermand.liquidity.pool import SandboxPool, pool_account, sandbox_accounts
from countermand.onchain.blocks import Blocks
from countermand.onchain.landing import ChainLanding
from countermand.onchain.limit import LimitChain
from countermand.onchain.recurring import RecurringOrders
from countermand.prices.feed import Token, TokenRegistry
from countermand.sandbox import openapi as sandbox_openapi
from countermand.sandbox import routes as sandbox_routes
from countermand.sandbox.faults import CrashingBookStore, CrashingStore, FaultyChain, WorldFaults
from countermand.sandbox.sandbox import Parts, Sandbox, stored_clock, stored_seed
from countermand.sandbox.tanx import TanxSandbox
from countermand.sandbox.wire import AuditWire, ColumnWire, CurrencyWire
from countermand.settings import Settings, StartRefused
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade.http import RpcResource, SocketHub
from countermand.solana.genesis import Genesis
from countermand.solana.ledger_store import LedgerReplaced
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.artifacts import program_builds
from countermand.store.book_postgres import PostgresBookStore
from countermand.store.chain_postgres import PostgresLedgerStore
from countermand.store.embedded import EmbeddedPostgres, PostgresUnavailable
from countermand.store.members_postgres import PostgresMembers
from countermand.store.postgres import PostgresStore, migrate
from countermand.store.sandbox_postgres import PostgresSandboxStore

MASTER_SEED_FILE: Final = "master-seed"
EXIT_HUNG: Final = 1
EXIT_REPLACED: Final = 3
_POOL_CONNECTIONS: Final = 4
_HOUSEKEEPING_S: Final = 60
_RESTART_PAUSE_S: Final = 0.5
_FENCE_S: Final = 1
_STOP_S_MAX: Final = 9.5
_LIMIT_UNIT_PRICE: Final = 15_406
_RECURRING_UNIT_PRICE: Final = 200_000
"""What `auto` is for limit orders on the embedded chain, where nobody competes: as in the published transactions."""
_OWNERS: Final = {limit_order.PROGRAM: [limit_order.ORDER_MAKER_AT], dca.PROGRAM: [dca.DCA_USER_AT]}
"""By what accounts of the order programs are found."""
_YOUNG_OBJECTS: Final = 20_000
"""So many more than before, and the collector looks: a few times what a batch of requests holds."""

_log: Final = structlog.get_logger("countermand")


async def serve(settings: Settings) -> int:
    """Runs a venue until SIGTERM or SIGINT. The exit status: 0, or `EXIT_REPLACED`. Raises `StartRefused`."""
    gc.disable()  # Until all is loaded: what a start makes, lasts.
    stop = stop_on_signals()
    listeners = claim(settings.host, settings.port)
    leaving = asyncio.create_task(_leave_in_time(stop))
    try:
        keys = _keys(settings)
        async with _database(settings) as database, _house(settings, keys, database.dsn) as house:
            return await _run(house, settings, database, listeners, stop)
    finally:
        leaving.cancel()
        listeners.close()


async def _leave_in_time(stop: asyncio.Event) -> None:
    """Ends hard when a stop hangs, as it does with a database that does. Nothing that was answered is lost by that."""
    await stop.wait()
    await asyncio.sleep(_STOP_S_MAX)
    _log.error("something hangs: the stop ends hard", seconds=_STOP_S_MAX)
    os._exit(EXIT_HUNG)


def _keys(settings: Settings) -> VaultKeys:
    path = settings.master_seed
    if path is None:
        path = settings.data / MASTER_SEED_FILE
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        except OSError as refused:
            raise StartRefused(f"the data directory {settings.data} cannot be used: {refused}") from refused
    try:
        return VaultKeys(load_or_make_seed(path))
    except (SeedRefused, OSError) as refused:
        raise StartRefused(str(refused)) from refused


# --- the database


@dataclass(frozen=True, slots=True)
class _Database:
    """`server` None: somebody else runs it."""

    dsn: str
    server: EmbeddedPostgres | None

    async def keep_alive(self) -> None:
        """Starts our own PostgreSQL again whenever it died."""
        if self.server is None:
            return
        while True:
            await self.server.died.wait()
            _log.error("PostgreSQL died and is started again")
            await asyncio.sleep(_RESTART_PAUSE_S)
            try:
                await self.server.stop()
                self.server.died.clear()
                await self.server.start()
            except PostgresUnavailable as reason:
                _log.error("PostgreSQL does not start again", reason=str(reason))
                self.server.died.set()
                continue
            assert self.server.dsn == self.dsn, "a restarted PostgreSQL is found where it was"


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[_Database]:
    if settings.database_url is not None:
        await migrate(settings.database_url)
        yield _Database(settings.database_url, None)
        return
    async with EmbeddedPostgres(settings.data) as server:
        await migrate(server.dsn)
        yield _Database(server.dsn, server)


# --- the house


@dataclass(frozen=True, slots=True)
class _House:
    """A venue with everything in it, but for its door."""

    shard: Shard
    outbox: Outbox
    orders: TriggerOrders
    store: PostgresStore
    book: BookShard
    venue: Venue
    book_store: PostgresBookStore
    chain: EmbeddedChain
    world: FaultyChain
    keys: VaultKeys
    custody: VaultCustody
    on_chain: "_OnChain"
    tokens: TokenRegistry
    clock: VenueClock
    gateway_faults: GatewayFaults
    sessions: auth.Sessions
    challenges: auth.Challenges
    tanx: "_Tanx"
    sandbox: Sandbox


@dataclass(frozen=True, slots=True)
class _Tanx:
    """Who trades on the book: members, their sessions, and the keys that sign their orders."""

    members: PostgresMembers
    texts: LoginTexts
    sessions: TanxSessions
    stark_keys: StarkKeys
    verifier: Verifier

    async def clear(self) -> None:
        await self.members.clear()
        self.sessions.forget()
        self.stark_keys.forget()


@dataclass(frozen=True, slots=True)
class _OnChain:
    """What the families have whose orders live on the chain: one service, and a view of the chain for each."""

    orders: OnChainOrders
    limit_blocks: Blocks
    limits: LimitChain
    recurring_blocks: Blocks
    recurring: RecurringOrders

    def forget(self) -> None:
        """The chain has leapt, or begins anew."""
        self.limit_blocks.forget()
        self.recurring_blocks.forget()


@asynccontextmanager
async def _house(settings: Settings, keys: VaultKeys, dsn: str) -> AsyncIterator[_House]:
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=_POOL_CONNECTIONS)
    store = await CrashingStore.connect(dsn)
    book_store = await CrashingBookStore.connect(dsn)
    ledger = PostgresLedgerStore(pool)
    try:
        sandbox_store = PostgresSandboxStore(pool)
        await _check_seed(sandbox_store, keys)
        clock = VenueClock(await stored_clock(sandbox_store))
        tokens = TokenRegistry(
            [
                Token(Mint(row.mint), row.symbol, row.decimals, Address(row.program))
                for row in await sandbox_store.tokens()
            ]
        )
        chain = await EmbeddedChain.open(ledger, clock, genesis=_genesis(keys))
        tanx = _tanx(PostgresMembers(pool), keys, clock)
        try:
            yield await _furnish(settings, keys, store, book_store, sandbox_store, tanx, clock, tokens, chain)
        finally:
            tanx.verifier.close()
            await chain.close()
    finally:
        await ledger.close()
        await store.close()
        await book_store.close()
        pool.terminate()


def _tanx(members: PostgresMembers, keys: VaultKeys, clock: VenueClock) -> _Tanx:
    secret = keys.jwt_secret()
    return _Tanx(
        members, LoginTexts(secret, clock), TanxSessions(secret, clock, members), StarkKeys(members), Verifier()
    )


async def _check_seed(store: PostgresSandboxStore, keys: VaultKeys) -> None:
    if await store.keep(keys.fingerprint()) != keys.fingerprint():
        raise StartRefused(
            "the vaults in this database belong to another master seed; give --master-seed the file that it began with"
        )


async def _furnish(
    settings: Settings,
    keys: VaultKeys,
    store: CrashingStore,
    book_store: CrashingBookStore,
    sandbox_store: PostgresSandboxStore,
    tanx: _Tanx,
    clock: VenueClock,
    tokens: TokenRegistry,
    chain: EmbeddedChain,
) -> _House:
    faults, gateway_faults = WorldFaults(), GatewayFaults()
    world = FaultyChain(chain, faults)
    seed = await stored_seed(sandbox_store) if settings.seed is None else settings.seed
    ids = Ids(seed, await store.epoch(TRIGGER_SHARD))
    store.faults = book_store.faults = faults
    shard = Shard(TRIGGER_SHARD, store, clock, lambda groups, loaded: outbox.on_committed(groups, loaded))  # noqa: PLW0108
    pool = SandboxPool(keys.pool.address, shard.price_of)
    custody = VaultCustody(keys, world, tokens, shard.price_of, pool, clock.wall_ms)
    outbox = Outbox(shard, custody, clock, settings.confirm_timeout_ms)
    orders = TriggerOrders(shard, outbox, custody, store, clock, ids, settings.confirm_timeout_ms)
    landing = ChainLanding(world)
    on_chain = _on_chain(
        OnChainOrders(shard, store, landing, clock, settings.confirm_timeout_ms),
        world,
        clock,
        ids,
        shard.price_of,
    )
    book = BookShard(BOOK_SHARD, book_store, clock, MARKETS, faults)
    sessions = auth.Sessions(keys.jwt_secret(), clock)
    challenges = auth.Challenges(keys.jwt_secret(), clock)

    async def clear_orders() -> None:
        await store.reset(TRIGGER_SHARD)
        await book_store.reset(BOOK_SHARD)
        await tanx.clear()

    def expire_tokens() -> None:
        sessions.expire_tokens_now()
        tanx.sessions.expire_tokens_now()

    def forget() -> None:
        custody.forget()
        on_chain.forget()

    async def equip(token: Token) -> None:
        await chain.put_accounts({pool.pool_account_of(token): pool_account(keys.pool.address, token)})

    parts = Parts(
        shard=shard,
        book=book,
        outbox=outbox,
        chain=chain,
        world=world,
        faults=faults,
        gateway_faults=gateway_faults,
        pool=pool,
        tokens=tokens,
        clock=clock,
        ids=ids,
        store=sandbox_store,
        expire_tokens=expire_tokens,
        forget=forget,
        clear_orders=clear_orders,
        genesis=lambda: _genesis(keys),
        equip=equip,
    )
    return _House(
        shard=shard,
        outbox=outbox,
        orders=orders,
        store=store,
        book=book,
        venue=Venue(book, book_store, ids),
        book_store=book_store,
        chain=chain,
        world=world,
        keys=keys,
        custody=custody,
        on_chain=on_chain,
        tokens=tokens,
        clock=clock,
        gateway_faults=gateway_faults,
        sessions=sessions,
        challenges=challenges,
        tanx=tanx,
        sandbox=Sandbox(parts, seed),
    )


def _on_chain(
    orders: OnChainOrders,
    world: FaultyChain,
    clock: VenueClock,
    ids: Ids,
    price_of: Callable[[Mint], UsdPrice | None],
) -> _OnChain:
    limit_blocks = Blocks(world, world, clock.wall_ms, _LIMIT_UNIT_PRICE)
    recurring_blocks = Blocks(world, world, clock.wall_ms, _RECURRING_UNIT_PRICE)

    def unique_id() -> int:
        return UUID(ids.request_id()).int >> 65

    return _OnChain(
        orders,
        limit_blocks,
        LimitChain(world, world, limit_blocks, unique_id),
        recurring_blocks,
        RecurringOrders(orders, world, world, recurring_blocks, clock, price_of),
    )


def _genesis(keys: VaultKeys) -> Genesis:
    accounts = sandbox_accounts(keys, TokenRegistry().all())
    secret = secrets.token_bytes
    return Genesis(
        secret(32),
        secret(32),
        secret(32),
        {str(address): account for address, account in accounts.items()},
        programs=program_builds(),
        indexed=_OWNERS,
    )


# --- running


async def _run(
    house: _House, settings: Settings, database: _Database, listeners: Listeners, stop: asyncio.Event
) -> int:
    door, hub = _door(house, settings)
    status = 0
    try:
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(house.shard.run()),
                tasks.create_task(house.book.run()),
                tasks.create_task(house.outbox.run()),
                tasks.create_task(database.keep_alive()),
                tasks.create_task(_end_with_the_chain(house.chain)),
                tasks.create_task(_watch_the_fence(house.shard, house.store)),
                tasks.create_task(_watch_the_fence(house.book, house.book_store)),
                tasks.create_task(_keep_house(house)),
            ]
            await house.sandbox.begin()
            _spare_what_lasts()
            await serve_http(
                door,
                settings,
                on_ready=lambda addresses: announce(settings, addresses),
                stop=stop,
                listeners=listeners,
            )
            await hub.close()
            await house.shard.drain()
            await house.book.drain()
            for task in background:
                task.cancel()
    except* WriterReplaced as replaced:
        _log.error("this venue is served by another process now", reason=str(replaced.exceptions[0]))
        status = EXIT_REPLACED
    return status


def _spare_what_lasts() -> None:
    """The garbage collector leaves alone what has been loaded: to walk through 10⁵ orders took it 0.3 s each time."""
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
    gc.enable()


def _door(house: _House, settings: Settings) -> tuple[Door, SocketHub]:
    """The HTTP side: dialects, the chain's JSON-RPC, the sandbox and the operations behind one door."""
    app = new_app()
    custody, tokens = house.custody, house.tokens
    venue = trigger_routes.Venue(
        orders=house.orders,
        vaults=custody,
        vault_id_of=house.keys.vault_id_of,
        tokens=tokens,
        price_of=house.shard.price_of,
        sessions=house.sessions,
        challenges=house.challenges,
        now=house.clock.now,
    )
    prices = price_routes.resources(tokens, house.shard.price_of, lambda: house.chain.slot, house.clock.wall_ms())
    recurring = recurring_routes.resources(house.on_chain.recurring)
    for path, resource in (
        *trigger_routes.resources(venue),
        *_limit_resources(house),
        *recurring,
        *_tanx_resources(house, settings),
        *prices,
    ):
        app.add_route(path, resource)
    hub = SocketHub(house.chain, is_up=house.world.is_up)
    app.add_route("/rpc", RpcResource(house.chain, hub, send=house.world.send, is_up=house.world.is_up))
    documents = {
        "trigger-v2": trigger_openapi.openapi,
        "trigger-v1": limit_openapi.openapi,
        "recurring-v1": recurring_openapi.openapi,
        "tanx": tanx_openapi.openapi,
    }
    if settings.sandbox:
        tanx = TanxSandbox(house.venue, house.tanx.members, house.tanx.stark_keys, house.clock.now)
        sandbox = sandbox_routes.SandboxResource(house.sandbox, tanx, lambda: _audited(house.store))
        sandbox_routes.mount(app, sandbox)
        documents["sandbox"] = sandbox_openapi.openapi
    operations.mount(
        app,
        not_ready_because=lambda: (
            None if house.shard.is_ready() and house.book.is_ready() else "the orders are being loaded"
        ),
        documents=documents,
        sandbox=settings.sandbox,
    )
    return Door(cast("App", app), settings, house.gateway_faults, closers=[hub.close]), hub


def _limit_resources(house: _House) -> list[tuple[str, object]]:
    venue = limit_routes.Venue(
        orders=house.on_chain.orders,
        limits=house.on_chain.limits,
        tokens=house.tokens,
        price_of=house.shard.price_of,
        clock=house.clock,
    )
    return limit_routes.resources(venue)


def _tanx_resources(house: _House, settings: Settings) -> list[tuple[str, object]]:
    tanx, venue = house.tanx, house.venue
    renderer = Renderer(venue.markets, settings.tanx_utc_offset)
    reception = tanx_auth.Reception(tanx.members, tanx.texts, tanx.sessions, tanx.stark_keys, house.clock.now)
    orders = tanx_routes.House(venue, tanx.sessions, tanx.stark_keys.of, tanx.verifier.verify, renderer)
    return [
        *tanx_auth.resources(reception),
        *tanx_routes.resources(orders),
        *tanx_public_routes.resources(venue, renderer),
        *tanx_absent.resources(),
    ]


async def _end_with_the_chain(chain: EmbeddedChain) -> None:
    reason = await chain.stopped()
    raise WriterReplaced(str(reason)) if isinstance(reason, LedgerReplaced) else reason


async def _watch_the_fence(shard: Shard | BookShard, store: PostgresStore | PostgresBookStore) -> None:
    """Who has nothing to commit is not told that it was replaced, and would go on to answer from an old memory."""
    while True:
        await asyncio.sleep(_FENCE_S)
        epoch = shard.epoch
        try:
            newest = await store.epoch(shard.number)
        except Unavailable:
            continue
        if epoch is not None and epoch == shard.epoch and newest > epoch:
            raise WriterReplaced(f"shard {shard.number} is in epoch {newest}, not in {epoch}")


async def _keep_house(house: _House) -> None:
    """Forgets, now and then, deposits that were crafted and never signed, and what nobody executes again."""
    while True:
        await asyncio.sleep(_HOUSEKEEPING_S)
        try:
            height = await house.custody.block_height()
            await house.store.delete_dead_crafts(height)
            await house.store.delete_builds(height - REMEMBERED_BLOCKS)
            await house.book_store.delete_drafts(house.clock.now())
        except Unavailable:
            continue


async def _audited(store: PostgresStore) -> AuditWire:
    found = await audit(store)
    mints = {
        mint: ColumnWire(str(column.deposited), str(column.filled), str(column.withdrawn), str(column.remaining))
        for mint, column in found.columns.items()
    }
    currencies = {
        name: CurrencyWire(*(decimal_text(each, AMOUNT_SCALE) for each in astuple(there)))
        for name, there in found.currencies.items()
    }
    return AuditWire(found.ok, mints, currencies)
