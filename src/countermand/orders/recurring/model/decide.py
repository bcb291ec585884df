"""Which recurring orders may be opened. The minimums are those of Jupiter's Recurring API."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from countermand.orders.recurring.model.order import Terms
from countermand.values.quantities import USD_SCALE, BaseUnits, UsdPrice

ROUNDS_MIN: Final = 2
INTERVAL_S_MIN: Final = 30
INTERVAL_S_MAX: Final = 365 * 86_400
START_S_MAX: Final = 10**11 - 1
"""In the year 5138. Milliseconds since the Unix epoch are more than that."""
START_LATE_S: Final = 60
"""So long a start may be over when the request arrives: it meant now."""
ORDER_CENTS_MIN: Final = 100_00
ROUND_CENTS_MIN: Final = 50_00
_CENT_SCALE: Final = 2


class Refusal(Enum):
    """A closed list, in order of precedence within each command: if two things are wrong, the earlier one is told."""

    ORDER_UNREADABLE = auto()
    """There is no order at this address, or it is another wallet's."""

    TOO_FEW_ROUNDS = auto()
    TOO_FREQUENT = auto()
    TOO_RARE = auto()
    START_TOO_FAR = auto()
    START_PAST = auto()
    SAME_MINT = auto()
    MINT_UNKNOWN = auto()
    MINT_UNSUPPORTED = auto()
    PRICE_UNKNOWN = auto()
    ORDER_TOO_SMALL = auto()
    ROUND_TOO_SMALL = auto()


@dataclass(frozen=True, slots=True)
class Refused:
    refusal: Refusal
    detail: str = ""
    """The mint, or the number that is out of bounds: of rounds, of seconds, or of cents."""


class MintKind(Enum):
    """What stands at the address of a mint."""

    SUPPORTED = auto()
    UNSUPPORTED = auto()
    """A mint of Token-2022, which the orders' program does not know."""
    NONE = auto()


@dataclass(frozen=True, slots=True)
class Sold:
    """The token that would be sold. `price` None: none is known."""

    decimals: int
    price: UsdPrice | None


def check_schedule(terms: Terms, now_s: int) -> Refused | None:
    """`now_s`: in seconds since the Unix epoch."""
    if terms.rounds < ROUNDS_MIN:
        return Refused(Refusal.TOO_FEW_ROUNDS, str(terms.rounds))
    if terms.interval_s < INTERVAL_S_MIN:
        return Refused(Refusal.TOO_FREQUENT, str(terms.interval_s))
    if terms.interval_s > INTERVAL_S_MAX:
        return Refused(Refusal.TOO_RARE, str(terms.interval_s))
    if terms.starts_at_s is not None and terms.starts_at_s > START_S_MAX:
        return Refused(Refusal.START_TOO_FAR, str(terms.starts_at_s))
    if terms.starts_at_s is not None and terms.starts_at_s < now_s - START_LATE_S:
        return Refused(Refusal.START_PAST, str(terms.starts_at_s))
    if terms.input_mint == terms.output_mint:
        return Refused(Refusal.SAME_MINT)
    return None


def check_mints(terms: Terms, sold: MintKind, bought: MintKind) -> Refused | None:
    kinds = ((terms.input_mint, sold), (terms.output_mint, bought))
    for wrong, refusal in (
        (MintKind.NONE, Refusal.MINT_UNKNOWN),
        (MintKind.UNSUPPORTED, Refusal.MINT_UNSUPPORTED),
    ):
        for mint, kind in kinds:
            if kind is wrong:
                return Refused(refusal, mint)
    return None


def check_worth(terms: Terms, sold: Sold) -> Refused | None:
    if sold.price is None:
        return Refused(Refusal.PRICE_UNKNOWN, terms.input_mint)
    cents = _cents(terms.amount, sold.price, sold.decimals)
    if cents < ORDER_CENTS_MIN:
        return Refused(Refusal.ORDER_TOO_SMALL, str(cents))
    cents = _cents(terms.per_round, sold.price, sold.decimals)
    if cents < ROUND_CENTS_MIN:
        return Refused(Refusal.ROUND_TOO_SMALL, str(cents))
    return None


def _cents(amount: BaseUnits, price: UsdPrice, decimals: int) -> int:
    """Rounded down: what is worth less than the minimum never looks like it."""
    one_cent: int = 10 ** (decimals + USD_SCALE - _CENT_SCALE)
    return amount.units * price.picodollars // one_cent
