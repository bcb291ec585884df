"""The HTTP side of a house: dialects, the chain's JSON-RPC, the sandbox and the operations behind one door."""

from collections.abc import Iterator
from dataclasses import astuple
from typing import cast

from countermand.audit.run import audit
from countermand.compose.house import House
from countermand.dialects.price_v3 import routes as price_routes
from countermand.dialects.recurring_v1 import openapi as recurring_openapi
from countermand.dialects.recurring_v1 import routes as recurring_routes
from countermand.dialects.tanx import absent as tanx_absent
from countermand.dialects.tanx import auth as tanx_auth
from countermand.dialects.tanx import openapi as tanx_openapi
from countermand.dialects.tanx import public_routes as tanx_public_routes
from countermand.dialects.tanx import routes as tanx_routes
from countermand.dialects.tanx.render import Renderer
from countermand.dialects.trigger_v1 import openapi as limit_openapi
from countermand.dialects.trigger_v1 import routes as limit_routes
from countermand.dialects.trigger_v2 import openapi as trigger_openapi
from countermand.dialects.trigger_v2 import routes as trigger_routes
from countermand.domain.ledger.amount import AMOUNT_SCALE
from countermand.domain.quantities import decimal_text
from countermand.engine.inspection import Inspection
from countermand.gateway import operations
from countermand.gateway.asgi import App
from countermand.gateway.door import Door
from countermand.gateway.falcon_app import FalconApp, new_app
from countermand.onchain.inspection import ChainInspection
from countermand.sandbox import openapi as sandbox_openapi
from countermand.sandbox import routes as sandbox_routes
from countermand.sandbox.orders import OrderInspector
from countermand.sandbox.tanx import TanxSandbox
from countermand.sandbox.wire import AuditWire, ColumnWire, CurrencyWire
from countermand.solana.facade.http import RpcResource, SocketHub
from countermand.store.postgres import PostgresStore
from countermand.store.records_postgres import PostgresRecords

Resources = Iterator[tuple[str, object]]


def door_of(house: House) -> tuple[Door, SocketHub]:
    app, ground = new_app(), house.ground
    for resources in (_trigger(house), _limit(house), _recurring(house), _tanx(house), _prices(house)):
        for path, resource in resources:
            app.add_route(path, resource)
    hub = SocketHub(ground.chain, is_up=ground.world.is_up)
    app.add_route("/rpc", RpcResource(ground.chain, hub, send=ground.world.send, is_up=ground.world.is_up))
    documents = {
        "trigger-v2": trigger_openapi.openapi,
        "trigger-v1": limit_openapi.openapi,
        "recurring-v1": recurring_openapi.openapi,
        "tanx": tanx_openapi.openapi,
    }
    if ground.settings.sandbox:
        _mount_sandbox(app, house)
        documents["sandbox"] = sandbox_openapi.openapi
    ready = (house.trigger.shard.is_ready, house.book.shard.is_ready)
    operations.mount(
        app,
        not_ready_because=lambda: None if all(is_ready() for is_ready in ready) else "the orders are being loaded",
        documents=documents,
        sandbox=ground.settings.sandbox,
    )
    return Door(cast("App", app), ground.settings, ground.gateway_faults, closers=[hub.close]), hub


def _trigger(house: House) -> Resources:
    ground, trigger = house.ground, house.trigger
    venue = trigger_routes.Venue(
        orders=trigger.orders,
        vaults=trigger.custody,
        vault_id_of=ground.keys.vault_id_of,
        tokens=ground.tokens,
        price_of=trigger.shard.price_of,
        sessions=trigger.sessions,
        challenges=trigger.challenges,
        now=ground.clock.now,
    )
    yield from trigger_routes.resources(venue)


def _limit(house: House) -> Resources:
    ground = house.ground
    venue = limit_routes.Venue(
        orders=house.on_chain.orders,
        limits=house.on_chain.limits,
        tokens=ground.tokens,
        price_of=house.trigger.shard.price_of,
        clock=ground.clock,
    )
    yield from limit_routes.resources(venue)


def _recurring(house: House) -> Resources:
    yield from recurring_routes.resources(house.on_chain.recurring)


def _tanx(house: House) -> Resources:
    ground, book = house.ground, house.book
    renderer = Renderer(book.venue.markets, ground.settings.tanx_utc_offset)
    reception = tanx_auth.Reception(ground.members, book.texts, book.sessions, book.stark_keys, ground.clock.now)
    orders = tanx_routes.House(book.venue, book.sessions, book.stark_keys.of, book.verifier.verify, renderer)
    yield from tanx_auth.resources(reception)
    yield from tanx_routes.resources(orders)
    yield from tanx_public_routes.resources(book.venue, renderer)
    yield from tanx_absent.resources()


def _prices(house: House) -> Resources:
    ground = house.ground
    price_of, wall_ms = house.trigger.shard.price_of, ground.clock.wall_ms
    yield from price_routes.resources(ground.tokens, price_of, lambda: ground.chain.slot, wall_ms())


def _mount_sandbox(app: FalconApp, house: House) -> None:
    ground, book = house.ground, house.book
    tanx = TanxSandbox(book.venue, ground.members, book.stark_keys, ground.clock.now)
    shard = house.trigger.shard
    inspector = OrderInspector(
        Inspection(shard, book.shard, PostgresRecords(ground.store.readers)),
        ChainInspection(ground.chain, ground.chain),
        book.venue.markets,
        shard.price_of,
        ground.clock.now,
    )
    resource = sandbox_routes.SandboxResource(house.sandbox, tanx, lambda: _audited(ground.store), inspector)
    sandbox_routes.mount(app, resource)


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
