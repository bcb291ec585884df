"""Which recurring orders may be opened. The minimums are those of Jupiter's Recurring API."""

from enum import Enum, auto
from typing import Final

from countermand.orders.recurring.model.order import PRICE_SCALE, CyclePrice, RecurringTerms
from countermand.orders.recurring.model.refusals import RecurringRefusal, RecurringRefused
from countermand.values.quantities import U64_MAX, USD_SCALE, BaseUnits, UsdPrice
from countermand.values.structs import Struct

CYCLES_MIN: Final = 2
INTERVAL_S_MIN: Final = 30
INTERVAL_S_MAX: Final = 365 * 86_400
START_S_MAX: Final = 10**11 - 1
"""In the year 5138. Milliseconds since the Unix epoch are more than that."""
START_LATE_S: Final = 60
"""So long a start may be over when the request arrives: it meant now."""
ORDER_CENTS_MIN: Final = 100_00
CYCLE_CENTS_MIN: Final = 50_00
_CENT_SCALE: Final = 2


class MintKind(Enum):
    """What stands at the address of a mint."""

    SUPPORTED = auto()
    UNSUPPORTED = auto()
    """A mint of Token-2022, which the orders' program does not know."""
    NONE = auto()


class CycleBounds(Struct, frozen=True):
    """What a whole cycle may give, after the fee, in base units; None: no bound."""

    least: BaseUnits | None = None
    most: BaseUnits | None = None


class Sold(Struct, frozen=True):
    """The token that would be sold. `price` None: none is known."""

    decimals: int
    price: UsdPrice | None


def check_schedule(terms: RecurringTerms, now_s: int) -> RecurringRefused | None:
    """`now_s`: in seconds since the Unix epoch."""
    if terms.cycles < CYCLES_MIN:
        return RecurringRefused(RecurringRefusal.TOO_FEW_CYCLES, str(terms.cycles))
    if terms.interval_s < INTERVAL_S_MIN:
        return RecurringRefused(RecurringRefusal.TOO_FREQUENT, str(terms.interval_s))
    if terms.interval_s > INTERVAL_S_MAX:
        return RecurringRefused(RecurringRefusal.TOO_RARE, str(terms.interval_s))
    if terms.starts_at_s is not None and terms.starts_at_s > START_S_MAX:
        return RecurringRefused(RecurringRefusal.START_TOO_FAR, str(terms.starts_at_s))
    if terms.starts_at_s is not None and terms.starts_at_s < now_s - START_LATE_S:
        return RecurringRefused(RecurringRefusal.START_PAST, str(terms.starts_at_s))
    if terms.price_min is not None and terms.price_max is not None and terms.price_min > terms.price_max:
        return RecurringRefused(RecurringRefusal.PRICES_CROSSED)
    if terms.input_mint == terms.output_mint:
        return RecurringRefused(RecurringRefusal.SAME_MINT)
    return None


def check_mints(terms: RecurringTerms, sold: MintKind, bought: MintKind) -> RecurringRefused | None:
    kinds = ((terms.input_mint, sold), (terms.output_mint, bought))
    for wrong, refusal in (
        (MintKind.NONE, RecurringRefusal.MINT_UNKNOWN),
        (MintKind.UNSUPPORTED, RecurringRefusal.MINT_UNSUPPORTED),
    ):
        for mint, kind in kinds:
            if kind is wrong:
                return RecurringRefused(refusal, mint)
    return None


def check_worth(terms: RecurringTerms, sold: Sold) -> RecurringRefused | None:
    if sold.price is None:
        return RecurringRefused(RecurringRefusal.PRICE_UNKNOWN, terms.input_mint)
    cents = _cents(terms.amount, sold.price, sold.decimals)
    if cents < ORDER_CENTS_MIN:
        return RecurringRefused(RecurringRefusal.ORDER_TOO_SMALL, str(cents))
    cents = _cents(terms.per_cycle, sold.price, sold.decimals)
    if cents < CYCLE_CENTS_MIN:
        return RecurringRefused(RecurringRefusal.CYCLE_TOO_SMALL, str(cents))
    return None


def bounds_of_cycle(terms: RecurringTerms, input_decimals: int, output_decimals: int) -> CycleBounds | RecurringRefused:
    """The highest price bounds what a cycle gives from below: 100 USDC at no more than 20 give no less than 5 SOL.

    Rounded inwards: no price outside the range is ever paid.
    """

    def bought(price: CyclePrice) -> tuple[int, int]:
        units: int = terms.per_cycle.units * 10 ** (PRICE_SCALE + output_decimals)
        each: int = price.scaled * 10**input_decimals
        return divmod(units, each)

    least = most = None
    if terms.price_max is not None:
        whole, rest = bought(terms.price_max)
        least = whole + (rest > 0)
        if least > U64_MAX:
            return RecurringRefused(RecurringRefusal.PRICE_UNFIT, "maxPrice")
    if terms.price_min is not None:
        most, _ = bought(terms.price_min)
        if not 0 < most <= U64_MAX:
            return RecurringRefused(RecurringRefusal.PRICE_UNFIT, "minPrice")
    if least is not None and most is not None and least > most:
        return RecurringRefused(RecurringRefusal.PRICE_UNFIT, "minPrice to maxPrice")
    return CycleBounds(None if least is None else BaseUnits(least), None if most is None else BaseUnits(most))


def _cents(amount: BaseUnits, price: UsdPrice, decimals: int) -> int:
    """Rounded down: what is worth less than the minimum never looks like it."""
    one_cent: int = 10 ** (decimals + USD_SCALE - _CENT_SCALE)
    return amount.units * price.picodollars // one_cent
