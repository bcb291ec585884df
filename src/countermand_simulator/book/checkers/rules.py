"""A market as those who judge it know it."""

from dataclasses import dataclass
from typing import Final

QUANTA: Final = 16
"""An amount counts 10⁻¹⁶ of a unit."""
MILLIONTHS: Final = 10**6
BPS: Final = 10**4


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRules:
    """Prices in ticks, volumes in lots, rates in millionths, distances in basis points."""

    symbol: str
    base: str
    quote: str
    price_decimals: int
    volume_decimals: int
    maker_fee: int
    taker_fee: int
    volume_min: int
    volume_max: int
    price_min: int
    price_max: int
    price_band: int | None
    slippage_max: int
    self_trade: str
    max_age_ms: int

    def volume(self, lots: int) -> int:
        return lots * int(10 ** (QUANTA - self.volume_decimals))

    def cost(self, ticks: int, lots: int) -> int:
        return ticks * lots * int(10 ** (QUANTA - self.price_decimals - self.volume_decimals))

    def spent(self, side: str) -> str:
        return self.base if side == "sell" else self.quote

    def got(self, side: str) -> str:
        return self.quote if side == "sell" else self.base

    def needed(self, side: str, ticks: int, lots: int) -> int:
        """What so many lots at a limit need of what the side spends."""
        return self.volume(lots) if side == "sell" else self.cost(ticks, lots)

    def slips(self, side: str, price: int, reference: int) -> bool:
        """A match at this price is too far from the reference for an order from this side."""
        if side == "buy":
            return price * BPS > reference * (BPS + self.slippage_max)
        return price * BPS < reference * (BPS - self.slippage_max)

    def is_outside_band(self, price: int, last: int | None) -> bool:
        if self.price_band is None or last is None:
            return False
        return abs(price - last) * BPS > last * self.price_band
