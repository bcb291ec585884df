"""The words of each refusal in this API."""

from types import MappingProxyType
from typing import Final

from countermand.dialects.recurring_v1.envelope import RecurringDeclined
from countermand.orders.recurring.model.decide import (
    CYCLE_CENTS_MIN,
    CYCLES_MIN,
    INTERVAL_S_MAX,
    INTERVAL_S_MIN,
    ORDER_CENTS_MIN,
)
from countermand.orders.recurring.model.refusals import RecurringRefusal, RecurringRefused

UNREADABLE: Final = "Failed to deserialize account data: failed to fill whole buffer"
PRICE_BASED: Final = "price-based recurring orders are not supported"

WORDS: Final = MappingProxyType(
    {
        RecurringRefusal.ORDER_UNREADABLE: UNREADABLE,
        RecurringRefusal.TOO_FEW_CYCLES: f"Number of orders is {{detail}}, minimum is {CYCLES_MIN}",
        RecurringRefusal.TOO_FREQUENT: f"Interval is {{detail}} seconds, minimum is {INTERVAL_S_MIN}",
        RecurringRefusal.TOO_RARE: (
            f"Interval is {{detail}} seconds, maximum is {INTERVAL_S_MAX}; interval is in seconds, not milliseconds"
        ),
        RecurringRefusal.START_TOO_FAR: (
            "startAt is {detail}, which is no time in this age; startAt is in seconds since the Unix epoch, "
            "not milliseconds"
        ),
        RecurringRefusal.START_PAST: (
            "startAt is {detail}, which is past; startAt is in seconds since the Unix epoch, or null to start at once"
        ),
        RecurringRefusal.PRICES_CROSSED: "minPrice must not be greater than maxPrice",
        RecurringRefusal.SAME_MINT: "Input mint and output mint cannot be the same",
        RecurringRefusal.MINT_UNKNOWN: "{detail} is not a token mint",
        RecurringRefusal.MINT_UNSUPPORTED: "Token-2022 mints are not supported: {detail}",
        RecurringRefusal.PRICE_UNKNOWN: "The price of {detail} is not known",
        RecurringRefusal.ORDER_TOO_SMALL: (
            f"Order is valued at {{dollars}} USDC, minimum is {ORDER_CENTS_MIN // 100}.00 USDC"
        ),
        RecurringRefusal.CYCLE_TOO_SMALL: (
            f"Each order is valued at {{dollars}} USDC, minimum is {CYCLE_CENTS_MIN // 100}.00 USDC"
        ),
        RecurringRefusal.PRICE_UNFIT: "No amount of the output that a cycle could give is worth {detail}",
    }
)
"""`{detail}` is the refusal's, `{dollars}` its cents as dollars."""

assert set(WORDS) == set(RecurringRefusal), "every refusal has its words"


def refused(refused: RecurringRefused) -> RecurringDeclined:
    words = WORDS[refused.refusal]
    if "{dollars}" not in words:
        return RecurringDeclined(words.format(detail=refused.detail))
    cents = int(refused.detail)
    return RecurringDeclined(words.format(dollars=f"{cents // 100}.{cents % 100:02d}"))
