"""The root of a venue: no faucet, no invented price, no clock but the wall's, and no fault.

Prices come from an operator. There is no router yet, so no order is filled; cancels and withdrawals always work.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from countermand.admin.authenticator import AdminAuthenticator
from countermand.admin.inspection import PATHS, InspectionResource, VenueInspection
from countermand.app.families import EMBEDDED_UNIT_PRICES, Families, UnitPrices, families_of
from countermand.app.gateway import GatewayExtensions, build_gateway
from countermand.app.infrastructure import (
    SHARDS,
    Infrastructure,
    Stores,
    genesis_of,
    known_tokens,
    opened_stores,
    price_store,
)
from countermand.app.inspected import LiveView, inspector_of
from countermand.app.node_log import NodeLog
from countermand.app.running import App
from countermand.console.files import VENUE_PAGE, console_files
from countermand.gateway.falcon_app import FalconApp
from countermand.inspection.on_chain import CHAINS_KEEPERS, NO_KEEPER, Keepers
from countermand.inspection.orders import OrderInspector
from countermand.kernel.clock import VenueClock
from countermand.kernel.ids import Ids
from countermand.orders.dca.bodies import decode_stored as decode_dca_order
from countermand.orders.shards import DCA_SHARD
from countermand.orders.trigger.bodies import decode_stored as decode_trigger_order
from countermand.services.custody.vaults import VaultKeys
from countermand.services.liquidity.no_router import NO_ROUTER, NoRouter
from countermand.services.prices import Prices
from countermand.services.token_incarnation import TokenIncarnation
from countermand.settings import Settings, StartRefused
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade.http import RpcResource, SocketHub
from countermand.solana.port import AccountInfo, Address, ChainUnavailable, Node
from countermand.solana.programs.artifacts import program_builds
from countermand.solana.rpc import RpcChain
from countermand.store.fences import Taken, take_all
from countermand.store.venue_postgres import EMBEDDED, VenueRefused
from countermand.values.identity import OrderId
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand.values.transactions import AttemptKind

NOTHING: Final[Mapping[Address, AccountInfo]] = {}
_CLUSTER_S: Final = 5


class _Opened(Struct, frozen=True):
    """What both kinds of venue begin with."""

    settings: Settings
    keys: VaultKeys
    dsn: str
    stores: Stores


@asynccontextmanager
async def venue_app(
    settings: Settings, keys: VaultKeys, dsn: str, accounts: Mapping[Address, AccountInfo] = NOTHING
) -> AsyncIterator[App]:
    """Raises `StartRefused`, `VenueRefused` or `Unavailable`.

    `accounts`: what a new embedded chain begins with, beside its programs and mints. Nothing gives more later.
    """
    async with opened_stores(dsn) as stores:
        opened = _Opened(settings, keys, dsn, stores)
        async with _over_a_node(opened) if settings.chain == "rpc" else _embedded(opened, accounts) as app:
            yield app


@asynccontextmanager
async def _embedded(opened: _Opened, accounts: Mapping[Address, AccountInfo]) -> AsyncIterator[App]:
    await opened.stores.venue.serve_as_venue(EMBEDDED, _is_filling)
    clock, taken = VenueClock(), await take_all(opened.dsn, opened.stores.readers, SHARDS)
    genesis = genesis_of(accounts, program_builds(), faucet=False)
    chain = await EmbeddedChain.open(opened.stores.ledger, clock, genesis=genesis, opened=taken.chain)
    clock.not_before(Instant(chain.block_time(chain.slot) * 1000))
    try:
        infra = await _infrastructure(opened, taken, clock, chain, lambda: chain.slot)
        with families_of(infra, NoRouter(), EMBEDDED_UNIT_PRICES) as families:
            hub = SocketHub(chain)
            extensions = _shown_to_operators(
                families,
                GatewayExtensions(rpc=(RpcResource(chain, hub), hub), missing=lambda: _missing(families)),
                inspector_of(families, keepers=Keepers(NO_KEEPER)),
            )
            yield App(families, build_gateway(families, extensions), _at_once, chain)
    finally:
        await chain.close()


@asynccontextmanager
async def _over_a_node(opened: _Opened) -> AsyncIterator[App]:
    url = opened.settings.rpc_url
    assert url is not None, "the settings were checked"
    cluster, clock = await _cluster(url), VenueClock()
    chain = RpcChain(url, ws_url=opened.settings.rpc_ws_url, on_unanswered=NodeLog(clock.elapsed_ms).unanswered)
    try:
        await opened.stores.venue.serve_as_venue(cluster, _is_filling)
        taken = await take_all(opened.dsn, opened.stores.readers, SHARDS)
        infra = await _infrastructure(opened, taken, clock, chain, lambda: chain.newest_slot)
        with families_of(infra, NoRouter(), UnitPrices()) as families:
            extensions = _shown_to_operators(
                families,
                GatewayExtensions(
                    rpc=None, missing=lambda: [*_silent(chain), *_missing(families)], no_creates=NO_ROUTER
                ),
                inspector_of(families, keepers=Keepers(CHAINS_KEEPERS), owns_chain=False),
            )
            watch = partial(_watch_the_cluster, chain, cluster)
            yield App(families, build_gateway(families, extensions), _at_once, None, background=(watch,))
    finally:
        await chain.close()


def _shown_to_operators(families: Families, extensions: GatewayExtensions, orders: OrderInspector) -> GatewayExtensions:
    """The console at `/`, and below `/admin` what it shows."""
    infra, inspected, console = families.infrastructure, LiveView.of(families), console_files()
    events = inspected.stream(families, {"prices": inspected.prices.feed})
    venue = VenueInspection(
        orders,
        inspected.prices,
        events,
        families.book.service,
        infra.tokens,
        infra.prices.price_of,
        infra.clock.now,
        infra.newest_slot,
        extensions.missing,
    )

    def mount(app: FalconApp) -> None:
        if console is not None:
            app.add_route("/console/{file}", console)

    def operator(app: FalconApp, authenticator: AdminAuthenticator) -> None:
        resource = InspectionResource(authenticator, venue)
        for path, suffix in PATHS:
            app.add_route(path, resource, suffix=suffix)

    return replace(
        extensions,
        mount=mount,
        operator=operator,
        closers=(events.close,),
        front=None if console is None else console.named(VENUE_PAGE),
    )


async def _cluster(url: str) -> str:
    chain = RpcChain(url)
    try:
        return await chain.genesis_hash()
    except ChainUnavailable as reason:
        # The whole address may hold a provider's key.
        raise StartRefused(f"the node of --rpc-url at {urlsplit(url).hostname} does not answer: {reason}") from None
    finally:
        await chain.close()


async def _watch_the_cluster(chain: RpcChain, cluster: str) -> None:
    """A node that is reset serves another chain under its address, and no order of this database is there."""
    while True:
        await asyncio.sleep(_CLUSTER_S)
        try:
            found = await chain.genesis_hash()
        except ChainUnavailable:
            continue
        if found != cluster:
            raise VenueRefused(
                f"the node of --rpc-url serves another chain now ({found}, not {cluster}), on which the orders in this "
                "database have no funds; use another database, or the node that it began with"
            )


async def _infrastructure(
    opened: _Opened, taken: Taken, clock: VenueClock, chain: Node, newest_slot: Callable[[], int | None]
) -> Infrastructure:
    stores = opened.stores
    return Infrastructure(
        settings=opened.settings,
        keys=opened.keys,
        clock=clock,
        ids=Ids(),
        tokens=await known_tokens(stores),
        prices=Prices(price_store(stores, taken)),
        stores=stores,
        chain=chain,
        newest_slot=newest_slot,
        incarnation=await TokenIncarnation.loaded(stores.venue),
        taken=taken,
    )


def _is_filling(shard: int, order_id: OrderId, body: bytes) -> bool:
    decode = decode_dca_order if shard == DCA_SHARD else decode_trigger_order
    attempt = decode(order_id, body).progress.attempt
    return attempt is not None and attempt.kind is AttemptKind.FILL


async def _at_once() -> None:
    """Nothing has to happen before a venue is served."""


def _silent(chain: RpcChain) -> list[str]:
    return [] if chain.answers else ["the node of --rpc-url does not answer: nothing is placed or cancelled"]


def _missing(families: Families) -> list[str]:
    price_of = families.infrastructure.prices.price_of
    unpriced = [token.symbol for token in families.infrastructure.tokens.all() if price_of(token.mint) is None]
    prices = [f"prices of {', '.join(unpriced)}: send them with PUT /admin/prices"] if unpriced else []
    return [f"{NO_ROUTER}: no order is filled", *prices]
