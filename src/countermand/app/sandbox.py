"""The root of a sandbox: a whole venue, with a chain, prices and a clock that its owner moves, and faults on demand."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from typing import Final

from msgspec import Struct

from countermand.app.families import EMBEDDED_UNIT_PRICES, BookServices, Families, families_of
from countermand.app.gateway import GatewayExtensions, build_gateway
from countermand.app.infrastructure import (
    SHARDS,
    Infrastructure,
    Stores,
    added_tokens,
    genesis_of,
    known_tokens,
    opened_stores,
    price_store,
)
from countermand.app.inspected import LiveView, inspector_of
from countermand.app.running import App
from countermand.audit.run import audit
from countermand.audit.wire import ColumnWire, currencies_as_wire
from countermand.console.files import console_files
from countermand.dialects.swap_v1 import openapi as swap_openapi
from countermand.dialects.swap_v1 import routes as swap_routes
from countermand.dialects.swap_v1.routes import SwapV1Context
from countermand.gateway.falcon_app import FalconApp
from countermand.gateway.files import BuiltFiles
from countermand.inspection.on_chain import NO_SANDBOX_KEEPER, Keepers, Pausing
from countermand.inspection.stream import EventStream
from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.kernel.ids import Ids
from countermand.orders.book.inspection import BookInspection
from countermand.orders.shards import BOOK_SHARD, CHAIN_SHARD, DCA_SHARD, TRIGGER_SHARD
from countermand.orders.swap.service import SwapService
from countermand.sandbox import openapi
from countermand.sandbox.endpoints import routes
from countermand.sandbox.endpoints.asking import Endpoints
from countermand.sandbox.endpoints.makers import MakersResource
from countermand.sandbox.endpoints.orders import OrdersResource
from countermand.sandbox.endpoints.playback import PlaybackResource
from countermand.sandbox.endpoints.prices import PricesResource
from countermand.sandbox.endpoints.snapshots import SnapshotsResource
from countermand.sandbox.endpoints.state import StateResource
from countermand.sandbox.endpoints.tanx import TanxResource
from countermand.sandbox.endpoints.watching import WatchingResource
from countermand.sandbox.faucet import Faucet
from countermand.sandbox.faults import (
    CrashingBookStore,
    CrashingBuilds,
    CrashingDcaStore,
    CrashingPrices,
    CrashingSnapshots,
    CrashingStore,
    CrashingVaults,
    FaultyChain,
    WorldFaults,
)
from countermand.sandbox.feeds import feeds_of
from countermand.sandbox.gateway_faults import FaultyApp, GatewayFaults
from countermand.sandbox.keeper import Keeper
from countermand.sandbox.keeper_tasks import Judge
from countermand.sandbox.market_maker import MarketMakers
from countermand.sandbox.markets import PoolMarkets
from countermand.sandbox.operator import Operator
from countermand.sandbox.playback import Playbacks
from countermand.sandbox.pool import (
    LIQUIDITY_USD,
    POOL_UNITS,
    SandboxPool,
    keeper_accounts,
    pool_account,
    sandbox_accounts,
)
from countermand.sandbox.requests import RequestLog
from countermand.sandbox.sandbox import BEGINNING, NULL, Sandbox, SandboxDependencies, stored_clock, stored_seed
from countermand.sandbox.snapshots import Snapshots
from countermand.sandbox.strict import Strict, StrictApp
from countermand.sandbox.tanx import TanxSandbox
from countermand.sandbox.wallets import Wallets
from countermand.sandbox.wire import AuditWire, SandboxWire
from countermand.services.custody.vaults import VaultKeys
from countermand.services.prices import Prices
from countermand.services.token_incarnation import TokenIncarnation
from countermand.services.tokens import Token, TokenRegistry
from countermand.services.transactions.builder import TransactionBuilder
from countermand.services.transactions.landing import ChainLanding
from countermand.settings import Settings
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade.http import RpcResource, SocketHub
from countermand.solana.genesis import Genesis
from countermand.solana.programs.artifacts import sandbox_program_builds
from countermand.solana.tokens import with_minted
from countermand.store.fences import take_all
from countermand.store.postgres import PostgresStore
from countermand.store.records_postgres import PostgresRecords
from countermand.values.identity import Address
from countermand.values.instant import Instant
from countermand.values.structs import replace

_SWAP_UNIT_PRICE: Final = 25_715
"""As in the published answer of `swap`."""


class SandboxApp(Struct, frozen=True):
    families: Families
    chain: EmbeddedChain
    sandbox: Sandbox
    app: App


@asynccontextmanager
async def sandbox_app(settings: Settings, keys: VaultKeys, dsn: str) -> AsyncIterator[SandboxApp]:
    """Raises `StartRefused`, `VenueRefused` or `Unavailable`."""
    async with opened_stores(
        dsn, CrashingStore, CrashingDcaStore, CrashingBookStore, builds=CrashingBuilds, vaults=CrashingVaults
    ) as stores:
        await stores.venue.serve_as_sandbox((BEGINNING, NULL))
        clock, faults = VenueClock(await stored_clock(stores.sandbox)), WorldFaults()
        seed = await stored_seed(stores.sandbox) if settings.seed is None else settings.seed
        taken = await take_all(dsn, stores.readers, SHARDS)
        chain = await EmbeddedChain.open(stores.ledger, clock, genesis=_genesis(keys), opened=taken.chain)
        if settings.keeper and None in await chain.accounts(list(added := keeper_accounts(keys))):
            await chain.put_accounts(added)  # The chain began before there were keepers.
        clock.not_before(Instant(chain.block_time(chain.slot) * 1000))
        world = FaultyChain(chain, faults)
        prices = Prices(CrashingPrices(price_store(stores, taken), faults))
        pool = SandboxPool(keys.pool.address, prices.price_of)
        try:
            infra = Infrastructure(
                settings=settings,
                keys=keys,
                clock=clock,
                ids=Ids(seed, await stores.trigger.epoch(TRIGGER_SHARD)),
                tokens=await known_tokens(stores),
                prices=prices,
                stores=stores,
                chain=world,
                newest_slot=lambda: chain.slot,
                incarnation=await TokenIncarnation.loaded(stores.venue),
                taken=taken,
            )
            with families_of(infra, pool, EMBEDDED_UNIT_PRICES, faults) as families:
                assembled = _assembled(families, chain, world, faults, pool, seed, dsn)
                try:
                    yield assembled
                finally:
                    assembled.sandbox.end_all()
        finally:
            await chain.close()


def _assembled(
    families: Families,
    chain: EmbeddedChain,
    world: FaultyChain,
    faults: WorldFaults,
    pool: SandboxPool,
    seed: int | None,
    dsn: str,
) -> SandboxApp:
    stores = families.infrastructure.stores
    for store in (stores.trigger, stores.dca, stores.book, stores.builds, stores.vaults):
        assert isinstance(store, CrashingStore | CrashingDcaStore | CrashingBookStore | CrashingBuilds | CrashingVaults)
        store.faults = faults
    gateway_faults, strict = GatewayFaults(), Strict(time.time)
    faucet, seen = Faucet(chain), _Seen.of(families)
    markets = PoolMarkets(pool, chain, faucet, families.infrastructure.tokens)
    families.infrastructure.prices.add_observer(markets.observe_prices)
    keeper = _keeper(families, chain, world, pool) if families.infrastructure.settings.keeper else None
    dependencies = _dependencies(
        families, chain, world, faults, gateway_faults, strict, pool, markets, faucet, seen, keeper
    )
    sandbox = Sandbox(dependencies, seed)
    kept = CrashingSnapshots(dsn)
    kept.faults = faults
    snapshots = Snapshots(sandbox, dependencies, kept, lambda: _forget_members(families.book))
    events = seen.events(families, sandbox.shown)
    endpoints = _endpoints(families, chain, sandbox, snapshots, seen, events, keeper)
    console = console_files()
    swaps = _swaps(families, world, markets)
    hub = SocketHub(chain, is_up=world.is_up)
    extensions = GatewayExtensions(
        rpc=(RpcResource(chain, hub, send=world.send, airdrop=faucet.airdrop, is_up=world.is_up), hub),
        missing=lambda: (),
        not_ready_because=sandbox.not_whole_because,
        liquidity_usd=LIQUIDITY_USD,
        mount=lambda app: _mount(app, endpoints, console, swaps),
        around=lambda app: FaultyApp(StrictApp(app, strict), gateway_faults, sandbox.until_whole),
        documents={"sandbox": openapi.openapi, "swap-v1": swap_openapi.openapi},
        observe=seen.requests,
        closers=(events.close,),
        front=None if console is None else console.page,
    )
    background = () if keeper is None else (keeper.run,)
    app = App(families, build_gateway(families, extensions), sandbox.begin, chain, background)
    return SandboxApp(families, chain, sandbox, app)


class _Seen(Struct, frozen=True):
    """What the sandbox remembers of its venue, in memory alone."""

    inspected: LiveView
    requests: RequestLog

    @classmethod
    def of(cls, families: Families) -> "_Seen":
        inspected = LiveView.of(families)
        return cls(inspected, RequestLog(families.infrastructure.clock.now, inspected.bell))

    def forget(self) -> None:
        self.requests.forget()
        self.inspected.prices.forget()

    def events(self, families: Families, shown: Callable[[], SandboxWire]) -> EventStream:
        return self.inspected.stream(families, feeds_of(self.requests, self.inspected.prices, shown))


def _mount(app: FalconApp, endpoints: Sequence[Endpoints], console: BuiltFiles | None, swaps: SwapV1Context) -> None:
    for path, resource in swap_routes.resources(swaps):
        app.add_route(path, resource)
    if console is not None:
        app.add_route("/console/{file}", console)
    routes.mount(app, endpoints)


def _endpoints(
    families: Families,
    chain: EmbeddedChain,
    sandbox: Sandbox,
    snapshots: Snapshots,
    seen: _Seen,
    events: EventStream,
    keeper: Keeper | None,
) -> list[Endpoints]:
    infra, book = families.infrastructure, families.book
    trigger, dca = families.trigger, families.dca
    tanx = TanxSandbox(book.service, infra.stores.members, book.stark_keys, infra.clock.now)
    booked = BookInspection(book.shard, PostgresRecords(infra.stores.trigger.readers))
    inspector = inspector_of(families, keepers=_keepers(keeper))
    operator = Operator(trigger.shard, trigger.orders, dca.shard, dca.orders, booked, tanx)
    playbacks = Playbacks(sandbox, infra.prices)
    makers = MarketMakers(book.service, infra.stores.members, infra.clock.now)
    sandbox.end_what_runs += [playbacks.stop, makers.end]
    wallets = Wallets(infra.stores.vaults, trigger.transactions, chain)
    return [
        StateResource(sandbox, partial(_audited, infra.stores.trigger)),
        PricesResource(sandbox, seen.inspected.prices),
        PlaybackResource(sandbox, playbacks),
        SnapshotsResource(sandbox, snapshots),
        TanxResource(sandbox, tanx),
        MakersResource(sandbox, makers, book.service.markets),
        OrdersResource(sandbox, inspector, operator),
        WatchingResource(sandbox, seen.requests, events, book.service, wallets),
    ]


def _keepers(keeper: Keeper | None) -> Keepers:
    if keeper is None:
        return Keepers(NO_SANDBOX_KEEPER)

    def pause_of(address: Address) -> Pausing | None:
        pause = keeper.pause_of(address)
        return None if pause is None else Pausing(pause.until, pause.kind, pause.reason)

    return Keepers(None, pause_of, keeper.obstacle_to)


def _dependencies(
    families: Families,
    chain: EmbeddedChain,
    world: FaultyChain,
    faults: WorldFaults,
    gateway_faults: GatewayFaults,
    strict: Strict,
    pool: SandboxPool,
    markets: PoolMarkets,
    faucet: Faucet,
    seen: _Seen,
    keeper: Keeper | None,
) -> SandboxDependencies:
    infra, trigger, book = families.infrastructure, families.trigger, families.book

    async def equip(token: Token) -> None:
        address = pool.pool_account_of(token)
        account, mint = await chain.accounts([address, token.mint])
        if account is None and mint is not None:
            minted = replace(mint, data=with_minted(mint.data, POOL_UNITS))
            await chain.put_accounts({address: pool_account(infra.keys.pool.address, token), token.mint: minted})

    return SandboxDependencies(
        shard=trigger.shard,
        book=book.shard,
        index=families.on_chain.index,
        dca=families.dca.shard,
        outboxes=(trigger.outbox, families.dca.outbox),
        chain=chain,
        faucet=faucet,
        world=world,
        faults=faults,
        gateway_faults=gateway_faults,
        strict=strict,
        pool=pool,
        markets=markets,
        tokens=infra.tokens,
        prices=infra.prices,
        clock=infra.clock,
        ids=infra.ids,
        store=infra.stores.sandbox,
        incarnation=infra.incarnation,
        invalidate=families.on_chain_jumped,
        clear_orders=lambda: _clear_orders(infra.stores, book),
        genesis=lambda: _genesis(infra.keys),
        forget_seen=seen.forget,
        equip=equip,
        added_tokens=lambda: added_tokens(infra.stores),
        keeper=keeper,
    )


def _swaps(families: Families, world: FaultyChain, markets: PoolMarkets) -> SwapV1Context:
    infra = families.infrastructure
    return SwapV1Context(
        swaps=SwapService(markets, world, families.blockhashes, infra.newest_slot),
        tokens=infra.tokens,
        price_of=infra.prices.price_of,
        slot=infra.newest_slot,
        auto_price=_SWAP_UNIT_PRICE,
    )


def _keeper(families: Families, chain: EmbeddedChain, world: FaultyChain, pool: SandboxPool) -> Keeper:
    infra = families.infrastructure
    clock, delay_ms = infra.clock, 1000 * infra.settings.keeper_refund_delay

    def jitter(order: str, at_s: int) -> int:
        """None on a clock that its owner has moved or stopped: who moves it expects what is due."""
        if clock.setting != ClockSetting():
            return 0
        return int.from_bytes(sha256(f"{infra.ids.seed}:{order}:{at_s}".encode()).digest()[:4])

    judge = Judge(pool, infra.tokens, infra.prices.price_of, clock.now, jitter, delay_ms, world.holds_refunds)
    keeper = Keeper(
        chain,
        ChainLanding(world),
        TransactionBuilder(world, world, families.blockhashes),
        pool,
        judge,
        (infra.keys.keeper, infra.keys.pool),
        clock.now,
        families.trigger.shard.loaded,
    )
    infra.prices.add_observer(keeper.observe_prices)
    return keeper


async def _clear_orders(stores: Stores, book: BookServices) -> None:
    await stores.trigger.reset(TRIGGER_SHARD)
    await stores.dca.reset(DCA_SHARD)
    await stores.builds.clear()
    await stores.vaults.clear()
    await stores.book.reset(BOOK_SHARD)
    await stores.index.reset(CHAIN_SHARD)
    await stores.members.clear()
    _forget_members(book)


def _forget_members(book: BookServices) -> None:
    book.sessions.forget()
    book.stark_keys.forget()


def _genesis(keys: VaultKeys) -> Genesis:
    return genesis_of(sandbox_accounts(keys, TokenRegistry().all()), sandbox_program_builds(), faucet=True)


async def _audited(store: PostgresStore) -> AuditWire:
    found = await audit(store)
    mints = {
        mint: ColumnWire(str(column.deposited), str(column.filled), str(column.withdrawn), str(column.remaining))
        for mint, column in found.columns.items()
    }
    return AuditWire(found.ok, mints, currencies_as_wire(found.currencies), found.differences)
