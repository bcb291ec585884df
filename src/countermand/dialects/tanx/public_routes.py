"""The endpoints that need no login: whether it works, what is in the books, what was traded, which coins it has."""

from typing import Final

from falcon.asgi import Request

from countermand.answering import Answer
from countermand.dialects.tanx import names, wire
from countermand.dialects.tanx.coins import coin_stats, market_list, networks
from countermand.dialects.tanx.envelope import RESPONDER, success
from countermand.dialects.tanx.klines import candles, span_of
from countermand.dialects.tanx.reading import BodyReader
from countermand.dialects.tanx.render import Renderer, ticker
from countermand.dialects.tanx.translate import market_of, market_trades_query
from countermand.dialects.tanx.turns import in_turns
from countermand.orders.book.ports import TradesQuery
from countermand.orders.book.service import BookService

_TICKERS: Final = BodyReader(wire.TickersParams)
_ORDERBOOK: Final = BodyReader(wire.OrderbookParams)
_TRADES: Final = BodyReader(wire.MarketTradesParams)
_KLINE: Final = BodyReader(wire.KlineParams)


class _Resource:
    def __init__(self, service: BookService, renderer: Renderer) -> None:
        self._service = service
        self._renderer = renderer


class HealthResource(_Resource):
    @RESPONDER.answers
    async def on_get(self, _req: Request) -> Answer:
        """It works when the venue does: while that is being loaded, this is unavailable."""
        await self._service.now()
        return success(names.WORKING, "")


class TickersResource(_Resource):
    @RESPONDER.answers_body
    async def on_get(self, req: Request, body: bytes) -> Answer:
        asked, markets = _TICKERS.listing(req, body), self._service.markets
        wanted = markets.values() if asked.market is None else [market_of(asked.market, markets)]
        tickers = await self._service.tickers()
        return success(names.RETRIEVED, {market.symbol: ticker(market, tickers[market.symbol]) for market in wanted})


class OrderbookResource(_Resource):
    @RESPONDER.answers_body
    async def on_get(self, req: Request, body: bytes) -> Answer:
        asked = _ORDERBOOK.listing(req, body)
        market = market_of(asked.market, self._service.markets)
        counts = (asked.asks_limit or wire.ORDERS_OF_A_BOOK, asked.bids_limit or wire.ORDERS_OF_A_BOOK)
        asks, bids = await self._service.resting(market.symbol, *counts)
        shown = [await in_turns(map(self._renderer.public_order, side)) for side in (asks, bids)]
        return success(names.RETRIEVED, wire.OrderbookPayload(asks=tuple(shown[0]), bids=tuple(shown[1])))


class MarketTradesResource(_Resource):
    @RESPONDER.answers_body
    async def on_get(self, req: Request, body: bytes) -> Answer:
        trades = await self._service.trades(market_trades_query(_TRADES.listing(req, body), self._service.markets))
        return success(names.RETRIEVED, await in_turns(map(self._renderer.public_trade, trades)))


class KlineResource(_Resource):
    @RESPONDER.answers_body
    async def on_get(self, req: Request, body: bytes) -> Answer:
        asked, service = _KLINE.listing(req, body), self._service
        market = market_of(asked.market, service.markets)
        span = span_of(asked, await service.now())
        traded = await service.periods(market.symbol, span.length_ms, span.since, span.until)
        before = await service.trades(TradesQuery(market=market.symbol, until=span.since, limit=1))
        close = before[0].event.price.ticks if before else None
        return success(names.RETRIEVED, await in_turns(candles(market, span, traded, close)))


class CoinsResource(_Resource):
    @RESPONDER.answers
    async def on_post(self, _req: Request) -> Answer:
        return success(names.RETRIEVED, coin_stats(self._service.markets.values()))


class NetworksResource(_Resource):
    @RESPONDER.answers
    async def on_post(self, _req: Request) -> Answer:
        """The list of markets is ours: tanX documents none."""
        markets = market_list(self._service.markets.values())
        return success(names.RETRIEVED, {"network_config": networks(), "markets": markets})


def resources(service: BookService, renderer: Renderer) -> list[tuple[str, object]]:
    """What to mount, by path."""
    return [
        ("/sapi/v1/health", HealthResource(service, renderer)),
        ("/sapi/v1/market/tickers", TickersResource(service, renderer)),
        ("/sapi/v1/market/orderbook", OrderbookResource(service, renderer)),
        ("/sapi/v1/market/trades", MarketTradesResource(service, renderer)),
        ("/sapi/v1/market/kline", KlineResource(service, renderer)),
        ("/main/stat/v2/coins", CoinsResource(service, renderer)),
        ("/main/stat/v2/app-and-markets", NetworksResource(service, renderer)),
    ]
