"""How much a fill must give: at most the slippage beyond its trigger is lost, and beyond the price of the moment.

Prices move while a swap is made. So of all prices since its order triggered, a fill is judged by those that ask least.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import Final

from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.fold import Json
from countermand_simulator.violation import broken

_ONE: Final = 10**4
_FEE_BPS_MAX: Final = 10
_ROUNDED_UNITS: Final = 2
"""The pool and its fee round to whole units."""
_DEFAULT_BPS: Final = 300
_DEFAULT_BPS_IF_URGENT: Final = 2_000
_ROUNDS_BPS: Final = 300


class Buffer:
    def __init__(self, decimals: Mapping[str, int]) -> None:
        self._decimals = decimals
        self._prices: dict[str, list[int]] = {}
        self._told: dict[str, int] = {}
        """By mint: how many prices had been told when the journal was read last."""
        self._is_read = True
        self._since: dict[str, dict[str, int]] = {}
        """The same as of when each order triggered."""

    def priced(self, mint: str, price: int) -> None:
        """From now on swaps are made at this price, in 10⁻¹² dollars."""
        self._prices.setdefault(mint, []).append(price)
        self._is_read = False

    def read(self) -> None:
        """All of the journal that there is was judged."""
        if not self._is_read:
            self._told = {mint: len(prices) for mint, prices in self._prices.items()}
            self._is_read = True

    def judge_round(self, order: Json, kind: str, event: Json) -> None:
        """The same of a recurring order, whose rounds are made at the price of the moment."""
        if kind == "round_began":
            self._since[order["id"]] = self._told
        elif kind == "fill_started":
            terms, craft, since = order["terms"], event["attempt"]["craft"], self._since[order["id"]]
            sold, bought, units = terms["input_mint"], terms["output_mint"], craft["moves"]["units"]
            worth, price = min(self._window(sold, since)), max(self._window(bought, since))
            due = units * Fraction(10) ** (self._decimals[bought] - self._decimals[sold]) * worth / price
            self._must_give(order, craft, due * Fraction(_ONE - _ROUNDS_BPS, _ONE))
        elif kind == "fill_landed":
            self._must_get(order, event)

    def judge(self, order: Json, kind: str, event: Json) -> None:
        """`order` is what the event found."""
        if kind == "order_triggered":
            self._since[order["id"]] = self._told
        elif kind == "fill_started":
            craft = event["attempt"]["craft"]
            self._must_give(order, craft, self._least(order, craft["moves"]["units"]))
        elif kind == "fill_landed":
            self._must_get(order, event)

    def _must_give(self, order: Json, craft: Json, due: Fraction) -> None:
        """`due` is in units of the output, before the fee."""
        least = due * Fraction(_ONE - _FEE_BPS_MAX, _ONE) - _ROUNDED_UNITS
        if craft["minimum"]["units"] < least:
            given = f"{craft['minimum']['units']} for {craft['moves']['units']}"
            broken(Claim.BUFFER_IS_KEPT, f"order {order['id']} is to get {given}, and not {ceil(least)}")

    def _must_get(self, order: Json, event: Json) -> None:
        if event["received"]["units"] < order["attempt"]["craft"]["minimum"]["units"]:
            broken(Claim.BUFFER_IS_KEPT, f"order {order['id']} got less than the minimum that its fill was built for")

    def _least(self, order: Json, amount: int) -> Fraction:
        """In units of the output, before the fee."""
        terms, leg = order["terms"], order["legs"][order["triggered_leg"]]
        (sold, bought), watched = _traded(terms, leg), terms["trigger_mint"]
        trigger: int = leg["condition"]["price"]["picodollars"]
        slippage = Fraction(_slippage(terms, leg), _ONE)
        since = self._since[order["id"]]
        worth, price = min(self._window(sold, since)), max(self._window(bought, since))
        units = amount * Fraction(10) ** (self._decimals[bought] - self._decimals[sold])
        if watched == bought:
            return units * worth / (min(trigger, price) * (1 + slippage))
        return units * (max(trigger, worth) if watched == sold else worth) * (1 - slippage) / price

    def _window(self, mint: str, since: Mapping[str, int]) -> list[int]:
        """The price that was in force then, and all since."""
        return self._prices[mint][max(0, since.get(mint, 0) - 1) :]


def _traded(terms: Json, leg: Json) -> tuple[str, str]:
    """What the leg sells and buys: the children of an OTOCO sell what their parent bought."""
    child = terms["family"] == "otoco" and leg["role"] != "trigger"
    sold, bought = ("output_mint", "input_mint") if child else ("input_mint", "output_mint")
    return terms[sold], terms[bought]


def _slippage(terms: Json, leg: Json) -> int:
    if leg["slippage"] is not None:
        bps: int = leg["slippage"]["bps"]
        return bps
    rises, buys = leg["condition"]["direction"] == "above", terms["trigger_mint"] == _traded(terms, leg)[1]
    return _DEFAULT_BPS_IF_URGENT if rises == buys else _DEFAULT_BPS
