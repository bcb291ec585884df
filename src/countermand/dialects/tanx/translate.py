"""From what clients ask to what the venue is asked. Everything here is pure, and raises `Declined`."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar
from uuid import UUID

from msgspec import Raw, UnsetType

from countermand.answering import Declined
from countermand.curves.stark import from_hex
from countermand.dialects.tanx import wire
from countermand.dialects.tanx.envelope import problem
from countermand.dialects.tanx.names import STATUSES
from countermand.dialects.tanx.reading import NO_INTEGER, NO_NUMBER, decimal_text, invalid
from countermand.dialects.tanx.refusals import MARKET_UNKNOWN, ORDER_NOT_FOUND, words_of
from countermand.orders.book.model.ledger.amount import Account, Currency
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.order import BookTerms, Kind, OrderId, Side
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.book.model.refusals import BookRefusal
from countermand.orders.book.ports import OrdersQuery, TradesQuery
from countermand.values.instant import Instant
from countermand.values.quantities import Inexact

_T = TypeVar("_T")

Markets = Mapping[MarketSymbol, Market]

ID_MAX: Final = 2**63 - 1
_MS_MIN: Final = 10**11
"""From here on a time is in milliseconds."""
_NO_MARKET: Final = problem(400, MARKET_UNKNOWN)
_NO_CURRENCY: Final = problem(400, "please enter a valid currency")
_NO_HEX: Final = "0x and up to 64 hexadecimal digits are required."
_WHOLE: Final = re.compile("-?[0-9]+", re.ASCII)
_NUMBER: Final = re.compile("[1-9][0-9]{0,18}", re.ASCII)
_UUID: Final = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


def market_of(symbol: str, markets: Markets) -> Market:
    market = markets.get(MarketSymbol(symbol))
    if market is None:
        raise Declined(_NO_MARKET)
    return market


def currency_of(symbol: str, markets: Markets) -> Currency:
    if symbol not in currencies_of(markets.values()):
        raise Declined(_NO_CURRENCY)
    return Currency(symbol)


def currencies_of(markets: Iterable[Market]) -> tuple[Currency, ...]:
    """Each once, in the order of the markets."""
    return tuple(dict.fromkeys(currency for market in markets for currency in (market.base, market.quote)))


def instant(seconds: int | None) -> Instant | None:
    if seconds is None:
        return None
    return Instant(seconds if seconds >= _MS_MIN else seconds * 1000)


# --- orders


def into_terms(asked: wire.OrderNonceRequest, account: Account, markets: Markets) -> BookTerms:
    """What is wrong with the order by itself, such as a missing price, is the venue's to say."""
    market, kind = market_of(asked.market, markets), Kind(asked.ord_type)
    volume = decimal_text("volume", asked.volume)
    if volume is None:
        raise Declined(invalid("volume", NO_NUMBER))
    stop = _price("stop_price", asked.stop_price, market)
    if stop is not None and kind is not Kind.STOP_LIMIT:
        raise Declined(invalid("stop_price", "Only a stop_limit order has one."))
    return BookTerms(
        account=account,
        market=market.symbol,
        side=Side(asked.side),
        kind=kind,
        lots=_exact("volume", market.read_volume(volume), market),
        price=_price("price", asked.price, market),
        stop=stop,
    )


def _price(field: str, raw: Raw | UnsetType, market: Market) -> Ticks | None:
    text = decimal_text(field, raw)
    return None if text is None else _exact(field, market.read_price(text), market)


def _exact(field: str, read: _T | Inexact, market: Market) -> _T:
    if not isinstance(read, Inexact):
        return read
    if read is Inexact.TOO_PRECISE:
        decimals = market.volume_decimals if field == "volume" else market.price_decimals
        raise Declined(problem(400, f"Maximum decimals allowed for {field} is {decimals} in {market.symbol} market"))
    if read is Inexact.TOO_BIG:
        refusal = BookRefusal.VOLUME_TOO_BIG if field == "volume" else BookRefusal.PRICE_TOO_HIGH
        raise Declined(problem(400, words_of(refusal, market, field)))
    raise Declined(invalid(field, "Ensure this value is greater than 0." if read is Inexact.NEGATIVE else NO_NUMBER))


def order_id(raw: Raw) -> OrderId:
    """A whole number as JSON writes it: no text, no fraction."""
    text = bytes(raw).decode()
    if _WHOLE.fullmatch(text) is None or text[0] in "-0":
        raise Declined(invalid("order_id", NO_INTEGER))
    if _NUMBER.fullmatch(text) is None or int(text) > ID_MAX:
        raise Declined(ORDER_NOT_FOUND)
    return OrderId(int(text))


def order_name(text: str) -> OrderId | UUID:
    """The id or the uuid of an order, out of a path."""
    if _NUMBER.fullmatch(text) is not None and int(text) <= ID_MAX:
        return OrderId(int(text))
    if _UUID.fullmatch(text) is None:
        raise Declined(ORDER_NOT_FOUND)
    return UUID(text)


def hex_number(field: str, text: str) -> int:
    """What a client writes with `0x`."""
    found = from_hex(text)
    if found is None:
        raise Declined(invalid(field, _NO_HEX))
    return found


# --- lists


def orders_query(asked: wire.OrdersParams, account: Account, markets: Markets) -> OrdersQuery:
    limit = wire.ORDERS_OF_A_PAGE if asked.limit is None else asked.limit
    return OrdersQuery(
        account=account,
        market=None if asked.market is None else market_of(asked.market, markets).symbol,
        base=None if asked.base_unit is None else currency_of(asked.base_unit, markets),
        quote=None if asked.quote_unit is None else currency_of(asked.quote_unit, markets),
        kind=None if asked.ord_type is None else Kind(asked.ord_type),
        side=None if asked.side is None else Side(asked.side),
        state=None if asked.state is None else STATUSES[asked.state],
        since=instant(asked.start_time),
        until=instant(asked.end_time),
        ascending=asked.order_by == "asc",
        limit=limit,
        offset=limit * ((asked.page or 1) - 1),
    )


def own_trades_query(asked: wire.TradesParams, account: Account, markets: Markets) -> TradesQuery:
    limit = wire.TRADES_OF_A_PAGE if asked.limit is None else asked.limit
    return TradesQuery(
        account=account,
        market=None if asked.market is None else market_of(asked.market, markets).symbol,
        since=instant(asked.start_time),
        until=instant(asked.end_time),
        ascending=asked.order_by == "asc",
        limit=limit,
        offset=limit * ((asked.page or 1) - 1),
    )


def market_trades_query(asked: wire.MarketTradesParams, markets: Markets) -> TradesQuery:
    return TradesQuery(
        market=market_of(asked.market, markets).symbol,
        until=instant(asked.timestamp),
        ascending=asked.order_by == "asc",
        limit=wire.TRADES_OF_A_PAGE if asked.limit is None else asked.limit,
    )
