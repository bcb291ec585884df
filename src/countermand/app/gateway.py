"""Builds the HTTP gateway of a venue: dialects, the chain's JSON-RPC, an operator's paths."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import cast

from msgspec import Struct, field

from countermand.admin import routes as admin_routes
from countermand.admin.authenticator import AdminAuthenticator
from countermand.app.families import Families
from countermand.dialects.price_v2 import openapi as price_v2_openapi
from countermand.dialects.price_v2 import routes as price_v2_routes
from countermand.dialects.price_v3 import openapi as price_v3_openapi
from countermand.dialects.price_v3 import routes as price_v3_routes
from countermand.dialects.recurring_v1 import openapi as recurring_openapi
from countermand.dialects.recurring_v1 import routes as recurring_routes
from countermand.dialects.tanx import absent as tanx_absent
from countermand.dialects.tanx import auth as tanx_auth
from countermand.dialects.tanx import openapi as tanx_openapi
from countermand.dialects.tanx import public_routes as tanx_public_routes
from countermand.dialects.tanx import routes as tanx_routes
from countermand.dialects.tanx.render import Renderer
from countermand.dialects.tokens_v2 import openapi as tokens_openapi
from countermand.dialects.tokens_v2 import routes as tokens_routes
from countermand.dialects.trigger_v1 import openapi as limit_openapi
from countermand.dialects.trigger_v1 import routes as limit_routes
from countermand.dialects.trigger_v2 import openapi as trigger_openapi
from countermand.dialects.trigger_v2 import routes as trigger_routes
from countermand.dialects.trigger_v2.context import TriggerV2Context
from countermand.docs.files import viewer_files
from countermand.gateway import operations
from countermand.gateway.asgi import App as AsgiApp
from countermand.gateway.falcon_app import FalconApp, new_app
from countermand.gateway.http_gateway import HttpGateway
from countermand.gateway.watching import RequestObserver, unobserved
from countermand.solana.facade.http import RpcResource, SocketHub
from countermand.store.connections import shortage
from countermand.values.identity import Mint
from countermand.values.quantities import UsdPrice

Resources = Iterator[tuple[str, object]]
Documents = Mapping[str, Callable[[], operations.Document]]


class GatewayExtensions(Struct, frozen=True):
    """What a root adds to the dialects.

    `rpc`: the facade of a chain of our own. `mount`: more paths. `around`: wraps the dialects. `documents`: OpenAPI.
    `liquidity_usd`: how much can be swapped here. `no_creates`: why no Trigger v2 order can be placed here.
    `missing`: what this venue lacks, so that some orders never fill. `observe` is shown the dialects' requests,
    `closers` end streams when the server stops, and `front` is at `/` in the place of the small page. `operator` makes
    what is below `/admin` beside prices.
    """

    rpc: tuple[RpcResource, SocketHub] | None
    missing: Callable[[], Sequence[str]]
    not_ready_because: Callable[[], str | None] = lambda: None
    liquidity_usd: int = 0
    no_creates: str | None = None
    mount: Callable[[FalconApp], None] = lambda _: None
    operator: Callable[[FalconApp, AdminAuthenticator], None] = lambda _app, _authenticator: None
    around: Callable[[AsgiApp], AsgiApp] = lambda app: app
    documents: Documents = field(default_factory=dict)
    observe: RequestObserver = unobserved
    closers: Sequence[Callable[[], Awaitable[None]]] = ()
    front: object | None = None


def build_gateway(families: Families, extensions: GatewayExtensions) -> HttpGateway:
    app, infra = new_app(), families.infrastructure
    authenticator = AdminAuthenticator(infra.stores.keys)
    for path, resource in _resources(families, extensions, authenticator):
        app.add_route(path, resource)
    extensions.mount(app)
    extensions.operator(app, authenticator)
    operations.mount(
        app,
        not_ready_because=_first(infra.reachable.reason, extensions.not_ready_because, _loading(families)),
        missing=extensions.missing,
        documents={
            "trigger-v2": trigger_openapi.openapi,
            "trigger-v1": limit_openapi.openapi,
            "recurring-v1": recurring_openapi.openapi,
            "tanx": tanx_openapi.openapi,
            "price-v3": price_v3_openapi.openapi,
            "price-v2": price_v2_openapi.openapi,
            "tokens-v2": tokens_openapi.openapi,
            **extensions.documents,
        },
        sandbox=infra.settings.sandbox,
        rpc=extensions.rpc is not None,
        front=extensions.front,
        viewer=viewer_files(),
    )
    closers = [*([] if extensions.rpc is None else [extensions.rpc[1].close]), *extensions.closers]
    around = extensions.around(cast("AsgiApp", app))
    return HttpGateway(around, infra.settings, keys=infra.stores.keys, closers=closers, observe=extensions.observe)


def _first(*reasons: Callable[[], str | None]) -> Callable[[], str | None]:
    return lambda: next((found for reason in reasons if (found := reason()) is not None), None)


def _loading(families: Families) -> Callable[[], str | None]:
    shards = (families.trigger.shard, families.dca.shard, families.book.shard, families.on_chain.index.shard)

    def reason() -> str | None:
        if all(shard.is_ready() for shard in shards):
            return None
        lacks = next(filter(None, (shortage(shard.held_up_by) for shard in shards)), None)
        return "the orders are being loaded" if lacks is None else f"the orders are being loaded, but {lacks}"

    return reason


def _resources(
    families: Families, extensions: GatewayExtensions, authenticator: AdminAuthenticator
) -> Iterable[tuple[str, object]]:
    yield from _trigger(families, extensions.no_creates)
    yield from _limit(families)
    yield from recurring_routes.resources(families.on_chain.recurring)
    yield from _tanx(families)
    yield from _prices(families, extensions.liquidity_usd)
    yield from _admin(families, authenticator)
    if extensions.rpc is not None:
        yield "/rpc", extensions.rpc[0]


def _trigger(families: Families, no_creates: str | None) -> Resources:
    infra, trigger = families.infrastructure, families.trigger
    context = TriggerV2Context(
        orders=trigger.orders,
        registry=trigger.registry,
        dca=families.dca.orders,
        vaults=trigger.transactions,
        vault_id_of=infra.keys.vault_id_of,
        tokens=infra.tokens,
        price_of=infra.prices.price_of,
        sessions=trigger.sessions,
        challenges=trigger.challenges,
        now=infra.clock.now,
        no_creates=no_creates,
    )
    yield from trigger_routes.resources(context)


def _limit(families: Families) -> Resources:
    infra = families.infrastructure
    context = limit_routes.TriggerV1Context(
        orders=families.on_chain.orders,
        limits=families.on_chain.limits,
        index=families.on_chain.index,
        tokens=infra.tokens,
        price_of=infra.prices.price_of,
        clock=infra.clock,
    )
    yield from limit_routes.resources(context)


def _tanx(families: Families) -> Resources:
    infra, book = families.infrastructure, families.book
    members = infra.stores.members
    renderer = Renderer(book.service.markets, infra.settings.tanx_utc_offset)
    auth = tanx_auth.AuthContext(members, book.texts, book.sessions, book.stark_keys, infra.clock.now)
    context = tanx_routes.TanxContext(book.service, book.sessions, book.stark_keys.of, book.verifier.verify, renderer)
    yield from tanx_auth.resources(auth)
    yield from tanx_routes.resources(context)
    yield from tanx_public_routes.resources(book.service, renderer)
    yield from tanx_absent.resources()


def _prices(families: Families, liquidity_usd: int) -> Resources:
    infra = families.infrastructure
    began = infra.clock.wall_ms()
    price_of, slot = infra.prices.price_of, infra.newest_slot
    yield from price_v3_routes.resources(infra.tokens, price_of, slot, began, liquidity_usd)
    yield from price_v2_routes.resources(infra.tokens, price_of, lambda: infra.clock.wall_ms() // 1000)
    tokens = tokens_routes.TokensV2Context(
        tokens=infra.tokens.all,
        price_of=price_of,
        slot=slot,
        now_ms=infra.clock.wall_ms,
        since_ms=began,
        liquidity_usd=liquidity_usd,
    )
    yield from tokens_routes.resources(tokens)


def _admin(families: Families, authenticator: AdminAuthenticator) -> Resources:
    infra = families.infrastructure

    async def observe(prices: Mapping[Mint, UsdPrice]) -> None:
        await infra.prices.set(prices, at_once=False)

    prices = admin_routes.AdminPricesResource(authenticator, infra.tokens, infra.prices.price_of, observe)
    yield from admin_routes.resources(prices)
