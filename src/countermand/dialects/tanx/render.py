"""Orders, trades and balances as tanX shows them. Decimals are exact: no exponent, a digit after the point."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Final

from msgspec import Raw
from msgspec.structs import asdict

from countermand.dialects.tanx import wire
from countermand.dialects.tanx.names import CANCEL_REASONS, STATES
from countermand.orders.book.model.ledger.amount import AMOUNT_SCALE, Account, Amount, Currency
from countermand.orders.book.model.ledger.ledger import Balance
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.order import BookOrder, Kind, OrderStatus
from countermand.orders.book.model.quantities import NO_LOTS, RATE_SCALE, Ticks
from countermand.orders.book.service import BookTrade, MarketTicker
from countermand.values.instant import Instant
from countermand.values.quantities import decimal_text
from countermand.values.structs import replace

_NO_PRICE: Final = "0.0"
_PERCENT_SCALE: Final = 2


def decimal(number: int, scale: int) -> str:
    text = decimal_text(number, scale)
    return text if "." in text else f"{text}.0"


def amount(quantity: Amount) -> str:
    return decimal(quantity.quanta, AMOUNT_SCALE)


class Renderer:
    """`utc_offset`: how far the times that it shows are ahead of UTC."""

    def __init__(self, markets: Mapping[MarketSymbol, Market], utc_offset: timedelta = timedelta()) -> None:
        self._markets = markets
        self._zone = timezone(utc_offset)

    def time(self, at: Instant) -> str:
        return datetime.fromtimestamp(at // 1000, self._zone).isoformat()

    def order(self, order: BookOrder) -> wire.OrderRow:
        terms, market = order.terms, self._markets[order.terms.market]
        prices, volumes = market.price_decimals, market.volume_decimals
        reason = order.cancel_reason
        return wire.OrderRow(
            id=order.id,
            uuid=order.uuid,
            side=terms.side.value,
            ord_type=terms.kind.value,
            price=None if terms.kind is Kind.MARKET else _price(terms.price, prices),
            stop_price=_price(terms.stop, prices),
            avg_price=_price(order.average, prices) or _NO_PRICE,
            state=STATES[order.state],
            market=terms.market,
            created_at=self.time(order.created_at),
            updated_at=self.time(order.updated_at),
            origin_volume=decimal(order.origin.lots, volumes),
            remaining_volume=decimal(order.remaining.lots, volumes),
            executed_volume=decimal(order.executed.lots, volumes),
            maker_fee=decimal(order.maker_fee.millionths, RATE_SCALE),
            taker_fee=decimal(order.taker_fee.millionths, RATE_SCALE),
            trades_count=order.trades,
            cancel_reason=None if reason is None else CANCEL_REASONS[reason],
        )

    def order_as_placed(self, order: BookOrder) -> wire.OrderRow:
        """As it was accepted, whatever has become of it since."""
        return self.order(
            replace(
                order,
                state=OrderStatus.PENDING,
                updated_at=order.created_at,
                origin=order.terms.lots,
                executed=NO_LOTS,
                trades=0,
                cancel_reason=None,
            )
        )

    def order_with_trades(self, order: BookOrder, trades: Sequence[BookTrade]) -> wire.OrderWithTrades:
        rows = tuple(self.own_trade(trade, order.terms.account) for trade in trades)
        return wire.OrderWithTrades(**asdict(self.order(order)), trades=rows)

    def public_order(self, order: BookOrder) -> wire.PublicOrderRow:
        fields = asdict(self.order(order))
        return wire.PublicOrderRow(**{name: fields[name] for name in wire.PublicOrderRow.__struct_fields__})

    def own_trade(self, made: BookTrade, account: Account) -> wire.OwnTradeRow:
        """A trade as that account sees it. No account trades with itself."""
        trade = made.event
        market = self._markets[trade.market]
        buys = trade.buy.account == account
        leg = trade.buy if buys else trade.sell
        assert leg.account == account, f"{account} has no part in trade {trade.trade_id}"
        return wire.OwnTradeRow(
            id=trade.trade_id,
            price=decimal(trade.price.ticks, market.price_decimals),
            amount=decimal(trade.lots.lots, market.volume_decimals),
            total=decimal(trade.price.ticks * trade.lots.lots, market.price_decimals + market.volume_decimals),
            fee_currency=market.base if buys else market.quote,
            fee=decimal(leg.rate.millionths, RATE_SCALE),
            fee_amount=amount(leg.fee),
            market=market.symbol,
            created_at=self.time(made.at),
            taker_type=trade.taker.value,
            side="buy" if buys else "sell",
            order_id=leg.order_id,
        )

    def public_trade(self, made: BookTrade) -> wire.PublicTradeRow:
        trade = made.event
        market = self._markets[trade.market]
        total = trade.price.ticks * trade.lots.lots
        return wire.PublicTradeRow(
            id=trade.trade_id,
            price=number(trade.price.ticks, market.price_decimals),
            amount=number(trade.lots.lots, market.volume_decimals),
            total=number(total, market.price_decimals + market.volume_decimals),
            market=market.symbol,
            created_at=made.at // 1000,
            taker_type=trade.taker.value,
        )


def ticker(market: Market, seen: MarketTicker) -> wire.TickerOfMarket:
    """A mean price is rounded down to the market's own steps."""
    prices, day = market.price_decimals, seen.day
    at = str(seen.at // 1000)
    last = _price(seen.last, prices) or _NO_PRICE
    if day is None:
        mean, high, low, first, change = (_NO_PRICE,) * 4 + ("+0.00%",)
        lots, turnover = 0, 0
    else:
        mean, high, low, first = (
            decimal(ticks, prices) for ticks in (day.turnover // day.lots, day.high, day.low, day.first)
        )
        change = change_percent(day.first, day.last)
        lots, turnover = day.lots, day.turnover
    return wire.TickerOfMarket(
        at=at,
        ticker=wire.Ticker(
            at=at,
            avg_price=mean,
            high=high,
            last=last,
            low=low,
            open=first,
            price_change_percent=change,
            volume=decimal(turnover, prices + market.volume_decimals),
            amount=decimal(lots, market.volume_decimals),
        ),
    )


def balance_row(currency: Currency, balance: Balance) -> wire.BalanceRow:
    return wire.BalanceRow(currency=currency, balance=amount(balance.available), locked=amount(balance.locked))


def balance_of_currency(currency: Currency, balance: Balance) -> wire.BalanceOfCurrency:
    return wire.BalanceOfCurrency(currency=currency, balance=amount(balance.available), locked=amount(balance.locked))


def change_percent(first: int, last: int) -> str:
    """From one price to another, with its sign, rounded half up to two decimals."""
    change = (last - first) * 100 * 10**_PERCENT_SCALE
    rounded = (2 * abs(change) + first) // (2 * first)
    whole, rest = divmod(rounded, 10**_PERCENT_SCALE)
    return f"{'-' if change < 0 and rounded else '+'}{whole}.{rest:02d}%"


def _price(price: Ticks | None, decimals: int) -> str | None:
    return None if price is None else decimal(price.ticks, decimals)


def number(whole: int, scale: int) -> Raw:
    """`whole` × 10^−`scale` as a number of JSON."""
    return Raw(decimal_text(whole, scale).encode())
