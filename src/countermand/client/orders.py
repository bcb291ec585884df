"""What can be asked for: the orders of each family. Amounts are base units, prices exact, times milliseconds."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from countermand.client.numbers import Number, Time, decimal, milliseconds, units, whole, without_none


@dataclass(frozen=True, slots=True, kw_only=True)
class _PriceOrder:
    """Sells `amount` base units of the mint `sell` for the mint `buy`, by the dollar price of the mint `watch`."""

    sell: str
    amount: int
    buy: str
    watch: str
    expires_at: Time

    def _common(self, kind: str) -> dict[str, Any]:
        return {
            "orderType": kind,
            "inputMint": self.sell,
            "inputAmount": str(units("amount", self.amount)),
            "outputMint": self.buy,
            "triggerMint": self.watch,
            "expiresAt": milliseconds("expires_at", self.expires_at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Single(_PriceOrder):
    """Swaps once the price is `above` or `below`: exactly one of the two is given."""

    above: Number | None = None
    below: Number | None = None
    slippage_bps: int | None = None

    def fields(self) -> dict[str, Any]:
        return self._common("single") | _trigger(self.above, self.below) | _bps(slippageBps=self.slippage_bps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailing(_PriceOrder):
    """Follows the price at a distance: `below` its highest for what is sold, `above` its lowest for what is bought."""

    condition: Literal["above", "below"]
    trailing_bps: int
    slippage_bps: int | None = None

    def fields(self) -> dict[str, Any]:
        more = _bps(trailingBps=self.trailing_bps, slippageBps=self.slippage_bps)
        return self._common("single") | {"triggerCondition": self.condition} | more


@dataclass(frozen=True, slots=True, kw_only=True)
class Oco(_PriceOrder):
    """Two triggers of one deposit: whichever is crossed first cancels the other."""

    take_profit: Number
    stop_loss: Number
    tp_slippage_bps: int | None = None
    sl_slippage_bps: int | None = None

    def fields(self) -> dict[str, Any]:
        return self._common("oco") | _pair(self.take_profit, self.stop_loss, self.tp_slippage_bps, self.sl_slippage_bps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Otoco(_PriceOrder):
    """A parent by `above` or `below`; what it buys is sold again by the one of two triggers that is crossed first."""

    take_profit: Number
    stop_loss: Number
    above: Number | None = None
    below: Number | None = None
    slippage_bps: int | None = None
    tp_slippage_bps: int | None = None
    sl_slippage_bps: int | None = None

    def fields(self) -> dict[str, Any]:
        pair = _pair(self.take_profit, self.stop_loss, self.tp_slippage_bps, self.sl_slippage_bps)
        return self._common("otoco") | _trigger(self.above, self.below) | _bps(slippageBps=self.slippage_bps) | pair


PriceOrder: TypeAlias = Single | Trailing | Oco | Otoco


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """A recurring order of Trigger v2: `rounds` swaps of equal parts, one every `interval_s` seconds.

    With a `min_price` or a `max_price` of the mint `watch`, a round is put off while the price is outside.
    """

    sell: str
    amount: int
    buy: str
    rounds: int
    interval_s: int
    watch: str | None = None
    min_price: Number | None = None
    max_price: Number | None = None
    begin_at: str | None = None
    """ISO 8601 with a zone; None: as soon as the deposit has landed."""

    def fields(self) -> dict[str, Any]:
        bounds = {"minPriceUsd": self.min_price, "maxPriceUsd": self.max_price}
        prices = {name: decimal(name, price) for name, price in bounds.items() if price is not None}
        fields = {
            "inputMint": self.sell,
            "inputAmount": str(units("amount", self.amount)),
            "outputMint": self.buy,
            "orderCount": whole("rounds", self.rounds),
            "intervalSeconds": whole("interval_s", self.interval_s),
            "orderType": "price_conditional" if prices else "time_based",
            "triggerMint": self.watch,
            "beginFillAt": self.begin_at,
        }
        return without_none(fields) | prices


def kind_of(order: PriceOrder) -> str:
    """As the API names it."""
    match order:
        case Oco():
            return "oco"
        case Otoco():
            return "otoco"
    return "single"


def _trigger(above: Number | None, below: Number | None) -> dict[str, Any]:
    if (above is None) == (below is None):
        raise ValueError("give exactly one of above and below")
    if above is not None:
        return {"triggerCondition": "above", "triggerPriceUsd": decimal("above", above)}
    assert below is not None, "one of them is given"
    return {"triggerCondition": "below", "triggerPriceUsd": decimal("below", below)}


def _pair(take_profit: Number, stop_loss: Number, tp_bps: int | None, sl_bps: int | None) -> dict[str, Any]:
    prices = {"tpPriceUsd": decimal("take_profit", take_profit), "slPriceUsd": decimal("stop_loss", stop_loss)}
    return prices | _bps(tpSlippageBps=tp_bps, slSlippageBps=sl_bps)


def _bps(**given: int | None) -> dict[str, Any]:
    return {name: whole(name, bps) for name, bps in given.items() if bps is not None}
