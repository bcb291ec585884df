"""Market makers in the books of the sandbox."""

from collections.abc import Mapping
from types import MappingProxyType

from falcon.asgi import Request, Response

from countermand.inspection.queries import parameters, shown
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.quantities import Lots, Ticks
from countermand.sandbox import wire
from countermand.sandbox.endpoints.asking import (
    YEAR_MS,
    Endpoints,
    body_of,
    changes,
    encode,
    given_or_one,
    no_body,
    nothing,
)
from countermand.sandbox.market_maker import LEVELS_MAX, MarketMaker, MarketMakers, Quoting
from countermand.sandbox.numbers import number_in, within
from countermand.sandbox.reading import SandboxRefused
from countermand.sandbox.sandbox import Sandbox
from countermand.settings import SEED_MAX
from countermand.values.quantities import BPS_ONE, decimal_text


class MakersResource(Endpoints):
    PATHS = MappingProxyType(
        {
            "/sandbox/tanx/market-maker": "maker",
        }
    )

    def __init__(self, sandbox: Sandbox, makers: MarketMakers, markets: Mapping[MarketSymbol, Market]) -> None:
        super().__init__(sandbox)
        self._makers = makers
        self._markets = markets

    async def on_get_maker(self, req: Request, resp: Response) -> None:
        await nothing(req)
        self._show_makers(resp)

    @changes
    async def on_post_maker(self, req: Request, resp: Response) -> None:
        body = (await body_of(req)).into(wire.MarketMakerRequest)
        await self._makers.start(_quoting(body, self._market(body.market)))
        self._show_makers(resp)

    @changes
    async def on_delete_maker(self, req: Request, resp: Response) -> None:
        """Of one market, or of all."""
        asked = parameters(req.query_string, ("market",))
        await no_body(req)
        await self._makers.stop([self._market(asked["market"]).symbol] if "market" in asked else None)
        self._show_makers(resp)

    def _market(self, symbol: str) -> Market:
        if symbol not in self._markets:
            raise SandboxRefused(f"market: {shown(symbol)!r} is none of this venue's: {', '.join(self._markets)}")
        return self._markets[MarketSymbol(symbol)]

    def _show_makers(self, resp: Response) -> None:
        resp.data = encode(wire.MarketMakersWire([_maker_wire(each) for each in self._makers.all()]))


def _quoting(body: wire.MarketMakerRequest, market: Market) -> Quoting:
    cents, parts = market.price_decimals, market.volume_decimals
    ticks = number_in("price", body.price, scale=cents, bound=market.price_max.ticks)
    lots = number_in("volume", given_or_one(body.volume), scale=parts, bound=market.volume_max.lots // LEVELS_MAX)
    return Quoting(
        market=market,
        price=Ticks(within("price", ticks, market.price_min.ticks, market.price_max.ticks, scale=cents)),
        lots=Lots(within("volume", lots, market.volume_min.lots, market.volume_max.lots, scale=parts)),
        seed=within("seed", body.seed, 0, SEED_MAX),
        spread_bps=within("spreadBps", body.spread_bps, 1, BPS_ONE // 4),
        levels=within("levels", body.levels, 1, LEVELS_MAX),
        move_bps=within("moveBps", body.move_bps, 0, BPS_ONE // 4),
        every_ms=within("everyMs", body.every_ms, 10, YEAR_MS),
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
