"""What the venue knows, as tanX shows it. Decimals are exact, without an exponent, with a digit after the point."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Final

from msgspec import Raw
from msgspec.structs import asdict

from countermand.dialects.tanx import wire
from countermand.dialects.tanx.names import CANCEL_REASONS
from countermand.domain.book.events import Traded
from countermand.domain.book.market import Market, MarketSymbol
from countermand.domain.book.order import Kind, Order, State
from countermand.domain.book.quantities import NO_LOTS, RATE_SCALE, Ticks
from countermand.domain.instant import Instant
from countermand.domain.ledger.amount import AMOUNT_SCALE, Account, Amount, Currency
from countermand.domain.ledger.ledger import Balance
from countermand.domain.quantities import decimal_text

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

    def order(self, order: Order) -> wire.OrderRow:
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
            state=order.state.value,
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

    def order_as_placed(self, order: Order) -> wire.OrderRow:
        """As it was accepted, whatever has become of it since."""
        return self.order(
            replace(
                order,
                state=State.PENDING,
                updated_at=order.created_at,
                origin=order.terms.lots,
                executed=NO_LOTS,
                turnover=0,
                trades=0,
                cancel_reason=None,
            )
        )

    def order_with_trades(self, order: Order, trades: Sequence[tuple[Traded, Instant]]) -> wire.OrderWithTrades:
        rows = tuple(self.own_trade(trade, at, order.terms.account) for trade, at in trades)
        return wire.OrderWithTrades(**asdict(self.order(order)), trades=rows)

    def public_order(self, order: Order) -> wire.PublicOrderRow:
        fields = asdict(self.order(order))
        return wire.PublicOrderRow(**{name: fields[name] for name in wire.PublicOrderRow.__struct_fields__})

    def own_trade(self, trade: Traded, at: Instant, account: Account) -> wire.OwnTradeRow:
        """A trade as that account sees it. Nobody trades with himself."""
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
            created_at=self.time(at),
            taker_type=trade.taker.value,
            side="buy" if buys else "sell",
            order_id=leg.order_id,
        )

    def public_trade(self, trade: Traded, at: Instant) -> wire.PublicTradeRow:
        market = self._markets[trade.market]
        total = trade.price.ticks * trade.lots.lots
        return wire.PublicTradeRow(
            id=trade.trade_id,
            price=_number(trade.price.ticks, market.price_decimals),
            amount=_number(trade.lots.lots, market.volume_decimals),
            total=_number(total, market.price_decimals + market.volume_decimals),
            market=market.symbol,
            created_at=at // 1000,
            taker_type=trade.taker.value,
        )


def balance_row(currency: Currency, balance: Balance) -> wire.BalanceRow:
    return wire.BalanceRow(currency=currency, balance=amount(balance.available), locked=amount(balance.locked))


def balance_of_currency(currency: Currency, balance: Balance) -> wire.BalanceOfCurrency:
    return wire.BalanceOfCurrency(currency=currency, balance=amount(balance.available), locked=amount(balance.locked))


def change_percent(first: Ticks | None, last: Ticks | None) -> str:
    """From the first to the last price, with its sign, rounded half up to two decimals."""
    if first is None or last is None:
        return "+0.00%"
    change = (last.ticks - first.ticks) * 100 * 10**_PERCENT_SCALE
    rounded = (2 * abs(change) + first.ticks) // (2 * first.ticks)
    whole, rest = divmod(rounded, 10**_PERCENT_SCALE)
    return f"{'-' if change < 0 and rounded else '+'}{whole}.{rest:02d}%"


def _price(price: Ticks | None, decimals: int) -> str | None:
    return None if price is None else decimal(price.ticks, decimals)


def _number(number: int, scale: int) -> Raw:
    return Raw(decimal_text(number, scale).encode())
