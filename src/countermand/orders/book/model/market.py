"""A market: what is traded for what, in which steps, within which bounds, at which fees."""

from enum import Enum
from typing import Final, NewType

from countermand.orders.book.model.ledger.amount import AMOUNT_MAX, AMOUNT_SCALE, Amount, Currency
from countermand.orders.book.model.quantities import RATE_SCALE, Lots, Rate, Ticks
from countermand.values.quantities import BPS_ONE, Bps, Inexact, exact
from countermand.values.structs import Struct

MarketSymbol = NewType("MarketSymbol", str)
"""Base and quote currency in lower case without a separator, such as `btcusdc`."""

_THIRTY_PERCENT: Final = Bps(3_000)
_NO_LESS: Final = Lots(1)


class SelfTrade(Enum):
    """What happens instead of a match between two orders of one account."""

    CANCEL_NEWEST = "cancel_newest"
    """The incoming order ends."""
    CANCEL_OLDEST = "cancel_oldest"
    """The resting order ends, and the incoming one goes on."""
    CANCEL_BOTH = "cancel_both"
    DECREMENT = "decrement"
    """Both lose the smaller volume: the smaller order ends, the larger one goes on with the rest."""


class Market(Struct, frozen=True, kw_only=True):
    symbol: MarketSymbol
    base: Currency
    quote: Currency
    price_decimals: int
    volume_decimals: int
    maker_fee: Rate
    taker_fee: Rate
    volume_min: Lots
    volume_max: Lots
    price_min: Ticks
    price_max: Ticks
    price_band: Bps | None = None
    """How far a limit may be from the last trade's price. None: as far as it likes."""
    slippage_max: Bps = _THIRTY_PERCENT
    """How far a match of a market order, or of a stop order, may be from the price at placement."""
    self_trade: SelfTrade = SelfTrade.CANCEL_NEWEST
    max_order_age_ms: int = 30 * 24 * 3_600_000

    def __post_init__(self) -> None:
        assert self.base != self.quote, f"{self.symbol} trades a currency for itself"
        decimals = self.price_decimals + self.volume_decimals
        assert decimals + RATE_SCALE <= AMOUNT_SCALE, f"{self.symbol}: a fee would have to be rounded"
        assert _NO_LESS <= self.volume_min <= self.volume_max, f"{self.symbol}: no volume is allowed"
        assert self.price_min <= self.price_max, f"{self.symbol}: no price is allowed"
        most = max(self.price_max.ticks * self.volume_max.lots * self.quote_step, self.volume_max.lots * self.base_step)
        assert most <= AMOUNT_MAX, f"{self.symbol}: an order can cost more than an amount can say"

    @property
    def base_step(self) -> int:
        """One lot, in the quanta of an amount."""
        return int(10 ** (AMOUNT_SCALE - self.volume_decimals))

    @property
    def quote_step(self) -> int:
        """One lot at one tick, in the quanta of an amount."""
        return int(10 ** (AMOUNT_SCALE - self.price_decimals - self.volume_decimals))

    def cost(self, price: Ticks, lots: Lots) -> Amount:
        """What the volume costs, in the quote currency."""
        return Amount(price.ticks * lots.lots * self.quote_step)

    def volume(self, lots: Lots) -> Amount:
        """The volume in the base currency."""
        return Amount(lots.lots * self.base_step)

    def read_price(self, text: str) -> Ticks | Inexact:
        """A price as JSON writes it. Zero is too small to be one, and is called negative."""
        ticks = exact(text, scale=self.price_decimals, bound=AMOUNT_MAX)
        return Inexact.NEGATIVE if ticks == 0 else ticks if isinstance(ticks, Inexact) else Ticks(ticks)

    def read_volume(self, text: str) -> Lots | Inexact:
        """A volume as JSON writes it, which may be zero: whether it is enough is another question."""
        lots = exact(text, scale=self.volume_decimals, bound=AMOUNT_MAX)
        return lots if isinstance(lots, Inexact) else Lots(lots)


def fee_of(received: Amount, rate: Rate) -> Amount:
    """The fee in the received currency. Exact, since no market lets it have more decimals than an amount."""
    fee, rest = divmod(received.quanta * rate.millionths, 10**RATE_SCALE)
    assert rest == 0, f"the fee of {received} at {rate} is not exact"
    return Amount(fee)


def is_beyond(price: int, reference: int, allowed: Bps, *, above: bool) -> bool:
    """Whether the price is more than so far above (or below) the reference, both in ticks."""
    if above:
        return price * BPS_ONE > reference * (BPS_ONE + allowed.bps)
    return price * BPS_ONE < reference * (BPS_ONE - allowed.bps)
