"""`/sandbox`: the endpoints of the sandbox."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec

import falcon
import msgspec
from falcon.asgi import Request, Response

from countermand.dialects.tanx.accounts import account_of
from countermand.dialects.tanx.auth import read_stark_key
from countermand.dialects.tanx.translate import ID_MAX
from countermand.gateway.asgi import ONLY_HEAD
from countermand.inspection import price_history, stream
from countermand.inspection.books import books_of
from countermand.inspection.orders import PARAMETERS, OrderInspector, asked, is_address
from countermand.inspection.queries import QueryRefused, limit_in, parameters, shown
from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.orders.book.model.ledger.amount import AMOUNT_MAX, AMOUNT_SCALE, Account, Amount
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.order import OrderId
from countermand.orders.book.model.quantities import Lots, Ticks
from countermand.sandbox import requests, wire
from countermand.sandbox.faucet import FaucetRefused
from countermand.sandbox.market_maker import LEVELS_MAX, MarketMaker, MarketMakers, Quoting
from countermand.sandbox.naming import TokenNames
from countermand.sandbox.numbers import number_in, price_in, within
from countermand.sandbox.operator import Operator
from countermand.sandbox.playback import SPEED_ONE, Playback, Playbacks, Table, Walk, read_table
from countermand.sandbox.pool import Liquidity
from countermand.sandbox.reading import Body, OrderNotHere, SandboxRefused, parsed
from countermand.sandbox.sandbox import Sandbox
from countermand.sandbox.snapshots import SnapshotNotHere, Snapshots
from countermand.sandbox.tanx import TanxSandbox
from countermand.sandbox.wallets import Wallets
from countermand.settings import SEED_MAX
from countermand.solana.port import ChainUnavailable
from countermand.solana.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from countermand.values.identity import Address, Mint
from countermand.values.instant import Instant
from countermand.values.quantities import (
    BPS_ONE,
    U64_MAX,
    USD_SCALE,
    BaseUnits,
    Bps,
    UsdPrice,
    decimal_text,
)

P = ParamSpec("P")

_encode: Final = msgspec.json.Encoder().encode
_YEAR_MS: Final = 366 * 24 * 3600 * 1000
_COUNT_MAX: Final = 1_000_000
_SYMBOL_MAX: Final = 32
_SPEED_MAX: Final = 1_000
_TIMEOUT_MS_MAX: Final = 60_000
_NATIVE: Final = "SOL"
_TOKEN_PROGRAMS: Final = {"spl-token": Address(TOKEN_PROGRAM), "spl-token-2022": Address(TOKEN_2022_PROGRAM)}
"""By the names that nodes give them."""


class RequestNotHere(SandboxRefused):
    """No request that is remembered has this number."""


class Watching(msgspec.Struct, frozen=True):
    """What the sandbox sees of its venue."""

    requests: requests.RequestLog
    prices: price_history.PriceHistory
    events: stream.EventStream
    wallets: Wallets


def _changes(
    responder: Callable[Concatenate["SandboxResource", P], Awaitable[None]],
) -> Callable[Concatenate["SandboxResource", P], Coroutine[Any, Any, None]]:
    """A responder that changes something. What replaces the whole sandbox waits for it, and it for that."""

    @wraps(responder)
    async def changing(self: "SandboxResource", /, *args: P.args, **kwargs: P.kwargs) -> None:
        async with self.sandbox.changes.one():
            await responder(self, *args, **kwargs)

    return changing


class SandboxResource:
    """One resource for all of `/sandbox/…`: each responder takes its request and answers the sandbox as it then is."""

    def __init__(
        self,
        sandbox: Sandbox,
        tanx: TanxSandbox,
        audit: Callable[[], Awaitable[wire.AuditWire]],
        inspector: OrderInspector,
        snapshots: Snapshots,
        operator: Operator,
        watching: Watching,
        playbacks: Playbacks,
        makers: MarketMakers,
    ) -> None:
        self.sandbox = sandbox
        self._names = sandbox.names
        self._tanx = tanx
        self._audit = audit
        self._inspector = inspector
        self._snapshots = snapshots
        self._operator = operator
        self._watching = watching
        self._playbacks = playbacks
        self._makers = makers

    async def on_get(self, req: Request, resp: Response) -> None:
        await _nothing(req)
        self._show(resp)

    @_changes
    async def on_post_airdrop(self, req: Request, resp: Response) -> None:
        body = (await _body(req)).into(wire.AirdropRequest)
        mint = None if body.mint == _NATIVE else self._names.token(body.mint, "mint").mint
        signature = await self.sandbox.airdrop(_address("wallet", body.wallet), mint, _units("amount", body.amount))
        resp.data = _encode(wire.AirdropAnswer(signature))

    @_changes
    async def on_put_prices(self, req: Request, resp: Response) -> None:
        body = await _body(req)
        named = self._named(body, '{"<mint or symbol>": "210.00"}')
        given = body.into(dict[str, msgspec.Raw])
        await self.sandbox.set_prices({mint: price_in(name, given[name]) for mint, name in named.items()})
        self._show(resp)

    async def on_get_liquidity(self, req: Request, resp: Response) -> None:
        await _nothing(req)
        liquidity = self.sandbox.liquidity()
        resp.data = _encode({mint: _liquidity_wire(each) for mint, each in liquidity.items()})

    @_changes
    async def on_put_liquidity(self, req: Request, resp: Response) -> None:
        body = await _body(req)
        named = self._named(body, '{"<input mint or symbol>": {"maxInput": "1000000000", "impactBps": 25}}')
        given = body.into(dict[str, wire.LiquidityRequest])
        await self.sandbox.set_liquidity({mint: _liquidity(name, given[name]) for mint, name in named.items()})
        self._show(resp)

    @_changes
    async def on_post_tokens(self, req: Request, resp: Response) -> None:
        body = (await _body(req)).into(wire.TokenRequest)
        symbol, decimals = _symbol(body.symbol), within("decimals", body.decimals, 0, 18)
        mint = None if body.mint is None else self._new_mint(body.mint)
        program = _TOKEN_PROGRAMS[body.program]
        await self.sandbox.add_token(symbol, decimals, price_in("price", body.price), mint, program)
        self._show(resp)

    async def on_post_settle(self, req: Request, resp: Response) -> None:
        body = (await _body(req)).into(wire.SettleRequest)
        waiting_for = await self.sandbox.settle(within("timeoutMs", body.timeout_ms, 0, _TIMEOUT_MS_MAX))
        resp.data = _encode(wire.SettleAnswer(not waiting_for, list(waiting_for)))

    @_changes
    async def on_post_clock(self, req: Request, resp: Response) -> None:
        body = (await _body(req)).into(wire.ClockRequest)
        now = None if body.now is None else Instant(within("now", body.now, 0, self.sandbox.now() + 100 * _YEAR_MS))
        await self.sandbox.set_clock(frozen=body.mode == "frozen", now=now)
        self._show(resp)

    @_changes
    async def on_post_advance(self, req: Request, resp: Response) -> None:
        body = (await _body(req)).into(wire.AdvanceRequest)
        await self.sandbox.advance(number_in("seconds", body.seconds, scale=3, bound=100 * _YEAR_MS))
        self._show(resp)

    @_changes
    async def on_put_faults(self, req: Request, resp: Response) -> None:
        given = await _body(req)
        if given.is_empty():
            raise SandboxRefused("body: empty; send the faults that are to be on, or {} to clear them all")
        body = given.into(wire.FaultsWire)
        for field in msgspec.structs.fields(body):
            if field.type is int:
                within(field.encode_name, getattr(body, field.name), 0, _COUNT_MAX)
        await self.sandbox.set_faults(body)
        self._show(resp)

    async def on_post_reset(self, req: Request, resp: Response) -> None:
        body = (await _body(req)).into(wire.ResetRequest)
        seed = None if body.seed is None else within("seed", body.seed, 0, SEED_MAX)
        await self.sandbox.reset(seed)
        self._show(resp)

    async def on_get_playback(self, req: Request, resp: Response) -> None:
        await _nothing(req)
        self._show_playbacks(resp)

    @_changes
    async def on_post_playback(self, req: Request, resp: Response) -> None:
        body = (await _body(req)).into(wire.PlaybackRequest)
        mint = self._names.token(body.mint, "mint").mint
        speed = number_in("speed", _given(body.speed), scale=3, bound=_SPEED_MAX * SPEED_ONE)
        self._playbacks.start(mint, _source(body), within("speed", speed, 1, _SPEED_MAX * SPEED_ONE))
        self._show_playbacks(resp)

    @_changes
    async def on_delete_playback(self, req: Request, resp: Response) -> None:
        """Of one token, or of all."""
        asked = parameters(req.query_string, ("mint",))
        parsed(await req.stream.read()).refuse_any()
        self._playbacks.stop([self._names.token(asked["mint"], "mint").mint] if "mint" in asked else None)
        self._show_playbacks(resp)

    def _show_playbacks(self, resp: Response) -> None:
        resp.data = _encode(wire.PlaybacksWire([_playback_wire(self._names, each) for each in self._playbacks.all()]))

    async def on_get_snapshots(self, req: Request, resp: Response) -> None:
        await _nothing(req)
        taken = [wire.SnapshotWire(row.name, row.seq, row.taken_at) for row in await self._snapshots.all()]
        resp.data = _encode(wire.SnapshotsWire(taken))

    async def on_post_snapshots(self, req: Request, resp: Response) -> None:
        taken = await self._snapshots.take((await _body(req)).into(wire.SnapshotRequest).name)
        resp.data = _encode(wire.SnapshotAnswer(taken.name, taken.seq))

    async def on_delete_snapshot(self, req: Request, resp: Response, name: str) -> None:
        await _nothing(req)
        await self._snapshots.delete(name)
        self._show(resp)

    async def on_post_restore(self, req: Request, resp: Response, name: str) -> None:
        await _nothing(req)
        await self._snapshots.restore(name)
        self._show(resp)

    @_changes
    async def on_post_tanx_credit(self, req: Request, resp: Response) -> None:
        body = (await _body(req)).into(wire.TanxCreditRequest)
        amount = Amount(number_in("amount", body.amount, scale=AMOUNT_SCALE, bound=AMOUNT_MAX))
        if not amount.quanta:
            raise SandboxRefused("amount: must be more than nothing")
        await self._tanx.credit(_account(body.eth_address), body.currency, amount)
        self._show(resp)

    @_changes
    async def on_post_tanx_stark_key(self, req: Request, resp: Response) -> None:
        body = (await _body(req)).into(wire.TanxStarkKeyRequest)
        key = read_stark_key(body.stark_key)
        if key is None:
            raise SandboxRefused("stark_key: send 0x and the x of a point on the Stark curve in hexadecimal")
        await self._tanx.register_key(_account(body.eth_address), key)
        self._show(resp)

    @_changes
    async def on_post_tanx_cancel(self, req: Request, resp: Response) -> None:
        body = (await _body(req)).into(wire.TanxCancelRequest)
        await self._tanx.cancel(OrderId(within("order_id", body.order_id, 1, ID_MAX)))
        self._show(resp)

    async def on_get_maker(self, req: Request, resp: Response) -> None:
        await _nothing(req)
        self._show_makers(resp)

    @_changes
    async def on_post_maker(self, req: Request, resp: Response) -> None:
        body = (await _body(req)).into(wire.MarketMakerRequest)
        await self._makers.start(_quoting(body, self._market(body.market)))
        self._show_makers(resp)

    @_changes
    async def on_delete_maker(self, req: Request, resp: Response) -> None:
        """Of one market, or of all."""
        asked = parameters(req.query_string, ("market",))
        parsed(await req.stream.read()).refuse_any()
        await self._makers.stop([self._market(asked["market"]).symbol] if "market" in asked else None)
        self._show_makers(resp)

    def _market(self, symbol: str) -> Market:
        markets = self._tanx.service.markets
        if symbol not in markets:
            raise SandboxRefused(f"market: {shown(symbol)!r} is none of this venue's: {', '.join(markets)}")
        return markets[MarketSymbol(symbol)]

    def _show_makers(self, resp: Response) -> None:
        resp.data = _encode(wire.MarketMakersWire([_maker_wire(each) for each in self._makers.all()]))

    async def on_get_audit(self, req: Request, resp: Response) -> None:
        await _nothing(req)
        resp.data = _encode(await self._audit())

    async def on_get_orders(self, req: Request, resp: Response) -> None:
        wanted = asked(parameters(req.query_string, PARAMETERS))
        parsed(await req.stream.read()).refuse_any()
        resp.data = _encode({"orders": await self._inspector.orders(wanted)})

    async def on_get_order(self, req: Request, resp: Response, order_id: str) -> None:
        await _nothing(req)
        await self._show_order(resp, order_id)

    @_changes
    async def on_patch_order(self, req: Request, resp: Response, order_id: str) -> None:
        await self._operator.amend(order_id, (await _body(req)).into(wire.AmendRequest))
        await self._show_order(resp, order_id)

    @_changes
    async def on_delete_order(self, req: Request, resp: Response, order_id: str) -> None:
        await _nothing(req)
        await self._operator.cancel(order_id)
        await self._show_order(resp, order_id)

    async def _show_order(self, resp: Response, order_id: str) -> None:
        found = await self._inspector.order(order_id)
        if found is None:
            raise OrderNotHere(shown(order_id))
        resp.data = _encode(found)

    async def on_get_prices(self, req: Request, resp: Response) -> None:
        asked_for = parameters(req.query_string, ("mint", "limit"))
        parsed(await req.stream.read()).refuse_any()
        if "mint" not in asked_for:
            raise SandboxRefused("mint: missing; name a token by its mint or symbol")
        token = self._names.token(asked_for["mint"], "mint")
        limit = limit_in(asked_for.get("limit", "1000"), price_history.KEPT)
        resp.data = _encode(self._watching.prices.shown(token.mint, limit))

    async def on_get_requests(self, req: Request, resp: Response) -> None:
        asked_for = parameters(req.query_string, ("limit",))
        parsed(await req.stream.read()).refuse_any()
        log = self._watching.requests
        limit = limit_in(asked_for.get("limit", "50"), requests.KEPT)
        resp.data = _encode(wire.RequestsWire([log.shown(each, req.prefix) for each in log.newest(limit)]))

    async def on_get_request(self, req: Request, resp: Response, number: str) -> None:
        await _nothing(req)
        known = number.isascii() and number.isdigit() and len(number) <= 18
        found = self._watching.requests.find(int(number)) if known else None
        if found is None:
            raise RequestNotHere(
                f"{shown(number)}: no request of the newest {requests.KEPT}; GET /sandbox/requests lists them"
            )
        resp.data = _encode(self._watching.requests.shown(found, req.prefix))

    async def on_get_events(self, req: Request, resp: Response) -> None:
        wanted = self._watching.events.asked(
            parameters(req.query_string, stream.PARAMETERS), req.get_header("last-event-id")
        )
        parsed(await req.stream.read()).refuse_any()
        if req.scope.get("state", {}).get(ONLY_HEAD):
            resp.content_type = "text/event-stream"
        else:
            resp.sse = self._watching.events.open(wanted)

    async def on_get_books(self, req: Request, resp: Response) -> None:
        await _nothing(req)
        resp.data = _encode(await books_of(self._tanx.service))

    async def on_get_wallets(self, req: Request, resp: Response) -> None:
        await _nothing(req)
        resp.data = _encode(await self._watching.wallets.newest())

    def _named(self, body: Body, form: str) -> dict[Mint, str]:
        """The tokens that the fields of the body name. A body without any would change nothing, and say that it did."""
        if not body.fields:
            raise SandboxRefused(f"body: names no token; send {form}")
        return self._names.each(body.fields, form)

    def _new_mint(self, text: str) -> Address:
        if any(token.symbol == text for token, _ in self.sandbox.tokens()):
            raise SandboxRefused(f"mint: {shown(text)!r} is a token of this venue already; GET /sandbox lists them")
        return _address("mint", text)

    def _show(self, resp: Response) -> None:
        resp.data = _encode(self.sandbox.shown())


SUFFIXES: Final = (
    ("/sandbox", None),
    ("/sandbox/airdrop", "airdrop"),
    ("/sandbox/prices", "prices"),
    ("/sandbox/liquidity", "liquidity"),
    ("/sandbox/tokens", "tokens"),
    ("/sandbox/settle", "settle"),
    ("/sandbox/clock", "clock"),
    ("/sandbox/clock/advance", "advance"),
    ("/sandbox/faults", "faults"),
    ("/sandbox/reset", "reset"),
    ("/sandbox/playback", "playback"),
    ("/sandbox/snapshots", "snapshots"),
    ("/sandbox/snapshots/{name}", "snapshot"),
    ("/sandbox/snapshots/{name}/restore", "restore"),
    ("/sandbox/tanx/credit", "tanx_credit"),
    ("/sandbox/tanx/stark-key", "tanx_stark_key"),
    ("/sandbox/tanx/cancel", "tanx_cancel"),
    ("/sandbox/tanx/market-maker", "maker"),
    ("/sandbox/audit", "audit"),
    ("/sandbox/orders", "orders"),
    ("/sandbox/orders/{order_id}", "order"),
    ("/sandbox/requests", "requests"),
    ("/sandbox/requests/{number}", "request"),
    ("/sandbox/events", "events"),
    ("/sandbox/books", "books"),
    ("/sandbox/wallets", "wallets"),
)


def mount(app: "falcon.asgi.App[Request, Response]", resource: SandboxResource) -> None:
    for path, suffix in SUFFIXES:
        app.add_route(path, resource, suffix=suffix)
    for refused in (QueryRefused, FaucetRefused):
        app.add_error_handler(refused, _bad_request)
    for missing in (OrderNotHere, RequestNotHere, SnapshotNotHere):
        app.add_error_handler(missing, _not_here)
    for unavailable in (ChainUnavailable, Unavailable, CommitUnknown):
        app.add_error_handler(unavailable, _unavailable)


async def _bad_request(_req: Request, resp: Response, error: Exception, _params: dict[str, Any]) -> None:
    resp.status = falcon.HTTP_400
    resp.data = _encode({"error": str(error)})


async def _not_here(_req: Request, resp: Response, error: Exception, _params: dict[str, Any]) -> None:
    resp.status = falcon.HTTP_404
    resp.data = _encode({"error": str(error)})


async def _unavailable(_req: Request, resp: Response, error: Exception, _params: dict[str, Any]) -> None:
    resp.status = falcon.HTTP_503
    resp.data = _encode({"error": str(error)})


async def _body(req: Request) -> Body:
    """The body of a request that has no other part."""
    parameters(req.query_string)
    return parsed(await req.stream.read())


async def _nothing(req: Request) -> None:
    """The request is to hold nothing at all."""
    (await _body(req)).refuse_any()


def _address(field: str, text: str) -> Address:
    if is_address(text):
        return Address(text)
    raise SandboxRefused(f"{field}: {shown(text)!r} is no base58 address of 32 bytes")


def _account(eth_address: str) -> Account:
    account = account_of(eth_address)
    if account is None:
        raise SandboxRefused(
            f"eth_address: {shown(eth_address)!r} is no Ethereum address: 0x and 40 hexadecimal digits"
        )
    return account


def _given(raw: msgspec.Raw | msgspec.UnsetType) -> msgspec.Raw:
    """1 if it was not."""
    return msgspec.Raw(b"1") if isinstance(raw, msgspec.UnsetType) else raw


def _units(field: str, raw: msgspec.Raw) -> int:
    return number_in(field, raw, scale=0, bound=U64_MAX)


def _liquidity(name: str, given: wire.LiquidityRequest) -> Liquidity:
    if isinstance(given.max_input, msgspec.UnsetType) and isinstance(given.impact_bps, msgspec.UnsetType):
        raise SandboxRefused(f"{name}: send maxInput, impactBps, or both")
    impact = 0 if isinstance(given.impact_bps, msgspec.UnsetType) else given.impact_bps
    most = None
    if isinstance(given.max_input, str | int):
        most = BaseUnits(_units(f"{name}.maxInput", msgspec.Raw(_encode(given.max_input))))
    return Liquidity(Bps(within(f"{name}.impactBps", impact, 0, BPS_ONE)), most)


def _liquidity_wire(liquidity: Liquidity) -> wire.LiquidityWire:
    most = liquidity.max_input
    return wire.LiquidityWire(None if most is None else str(most.units), liquidity.impact.bps)


def _source(body: wire.PlaybackRequest) -> Table | Walk:
    if (body.csv is None) == (body.walk is None):
        raise SandboxRefused("body: send csv or walk, and not both")
    if body.csv is not None:
        return read_table(body.csv)
    assert body.walk is not None
    walk = body.walk
    return Walk(
        within("walk.seed", walk.seed, 0, SEED_MAX),
        Bps(within("walk.bps", walk.bps, 1, BPS_ONE)),
        within("walk.everyMs", walk.every_ms, 1, _YEAR_MS),
    )


def _playback_wire(names: TokenNames, playback: Playback) -> wire.PlaybackWire:
    mint, speed = playback.mint, decimal_text(playback.speed, 3)
    shown_so = wire.PlaybackWire(mint, names.token(mint).symbol, speed, playback.moves)
    source = playback.source
    if isinstance(source, Table):
        shown_so.rows = len(source.rows)
    else:
        shown_so.walk = wire.WalkWire(source.seed, source.most.bps, source.every_ms)
    return shown_so


def _quoting(body: wire.MarketMakerRequest, market: Market) -> Quoting:
    ticks = number_in("price", body.price, scale=market.price_decimals, bound=market.price_max.ticks)
    lots = number_in(
        "volume", _given(body.volume), scale=market.volume_decimals, bound=market.volume_max.lots // LEVELS_MAX
    )
    return Quoting(
        market=market,
        price=Ticks(within("price", ticks, market.price_min.ticks, market.price_max.ticks)),
        lots=Lots(within("volume", lots, market.volume_min.lots, market.volume_max.lots)),
        seed=within("seed", body.seed, 0, SEED_MAX),
        spread_bps=within("spreadBps", body.spread_bps, 1, BPS_ONE // 4),
        levels=within("levels", body.levels, 1, LEVELS_MAX),
        move_bps=within("moveBps", body.move_bps, 0, BPS_ONE // 4),
        every_ms=within("everyMs", body.every_ms, 10, _YEAR_MS),
    )


def _maker_wire(maker: MarketMaker) -> wire.MarketMakerWire:
    quoting = maker.quoting
    return wire.MarketMakerWire(
        quoting.market.symbol,
        decimal_text(maker.price.ticks, quoting.market.price_decimals),
        decimal_text(quoting.lots.lots, quoting.market.volume_decimals),
        quoting.seed,
        quoting.spread_bps,
        quoting.levels,
        quoting.move_bps,
        quoting.every_ms,
        maker.rounds,
        [maker.account("maker"), maker.account("taker")],
    )


def _symbol(text: str) -> str:
    if not 1 <= len(text) <= _SYMBOL_MAX or not text.isprintable() or text != text.strip():
        raise SandboxRefused(f"symbol: {shown(text)!r} is none; send 1 to {_SYMBOL_MAX} printable characters")
    return text


def _dollars(price: UsdPrice) -> str:
    return decimal_text(price.picodollars, USD_SCALE)
