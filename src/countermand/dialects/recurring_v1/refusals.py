"""What each refusal of the domain is called here."""

from types import MappingProxyType
from typing import Final

from countermand.dialects.recurring_v1.envelope import Declined
from countermand.orders.recurring.model.decide import (
    INTERVAL_S_MAX,
    INTERVAL_S_MIN,
    ORDER_CENTS_MIN,
    ROUND_CENTS_MIN,
    ROUNDS_MIN,
    Refusal,
    Refused,
)

UNREADABLE: Final = "Failed to deserialize account data: failed to fill whole buffer"
PRICE_BASED: Final = "price-based recurring orders are not supported"

WORDS: Final = MappingProxyType(
    {
        Refusal.ORDER_UNREADABLE: UNREADABLE,
        Refusal.TOO_FEW_ROUNDS: f"Number of orders is {{detail}}, minimum is {ROUNDS_MIN}",
        Refusal.TOO_FREQUENT: f"Interval is {{detail}} seconds, minimum is {INTERVAL_S_MIN}",
        Refusal.TOO_RARE: (
            f"Interval is {{detail}} seconds, maximum is {INTERVAL_S_MAX}; interval is in seconds, not milliseconds"
        ),
        Refusal.START_TOO_FAR: (
            "startAt is {detail}, which is no time in this age; startAt is in seconds since the Unix epoch, "
            "not milliseconds"
        ),
        Refusal.START_PAST: (
            "startAt is {detail}, which is past; startAt is in seconds since the Unix epoch, or null to start at once"
        ),
        Refusal.SAME_MINT: "Input mint and output mint cannot be the same",
        Refusal.MINT_UNKNOWN: "{detail} is not a token mint",
        Refusal.MINT_UNSUPPORTED: "Token-2022 mints are not supported: {detail}",
        Refusal.PRICE_UNKNOWN: "The price of {detail} is not known",
        Refusal.ORDER_TOO_SMALL: f"Order is valued at {{dollars}} USDC, minimum is {ORDER_CENTS_MIN // 100}.00 USDC",
        Refusal.ROUND_TOO_SMALL: (
            f"Each order is valued at {{dollars}} USDC, minimum is {ROUND_CENTS_MIN // 100}.00 USDC"
        ),
    }
)
"""`{detail}` is the refusal's, `{dollars}` its cents as dollars."""

assert set(WORDS) == set(Refusal), "every refusal has its words"


def refused(refused: Refused) -> Declined:
    words = WORDS[refused.refusal]
    if "{dollars}" not in words:
        return Declined(words.format(detail=refused.detail))
    cents = int(refused.detail)
    return Declined(words.format(dollars=f"{cents // 100}.{cents % 100:02d}"))
