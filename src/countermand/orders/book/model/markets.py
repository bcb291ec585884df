"""The markets that a venue opens with."""

from typing import Final

from countermand.orders.book.model.ledger.amount import Currency
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.quantities import Lots, Rate, Ticks

_FEE: Final = Rate(400)
_VOLUME_MAX: Final = 10**6
"""In units of the base currency."""
_PRICE_MAX: Final = 10**7
"""In units of the quote currency."""


def _market(base: str, quote: str, price_decimals: int, volume_decimals: int) -> Market:
    return Market(
        symbol=MarketSymbol(base + quote),
        base=Currency(base),
        quote=Currency(quote),
        price_decimals=price_decimals,
        volume_decimals=volume_decimals,
        maker_fee=_FEE,
        taker_fee=_FEE,
        volume_min=Lots(1),
        volume_max=Lots(_VOLUME_MAX * 10**volume_decimals),
        price_min=Ticks(1),
        price_max=Ticks(_PRICE_MAX * 10**price_decimals),
    )


MARKETS: Final = (
    _market("btc", "usdc", 2, 4),
    _market("eth", "usdc", 2, 4),
    _market("btc", "usdt", 2, 4),
    _market("eth", "usdt", 2, 4),
    _market("usdc", "usdt", 4, 2),
)
