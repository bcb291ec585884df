"""How a swap that gives too little says so: in whole tokens, by the symbol that people know."""

from typing import Final

from countermand.values.quantities import decimal_text
from countermand.values.tokens import Token

_PERCENT_SCALE: Final = 2
_TRACE: Final = "under 0.01 %"


def too_little(gives: int, least: int, token: Token) -> str:
    """`gives` and `least` are units of the token; the percentage is rounded up."""
    parts = (least - gives) * 10 ** (2 + _PERCENT_SCALE)
    amounts = [decimal_text(units, token.decimals) for units in (gives, least)]
    percent = f"{decimal_text(-(-parts // least), _PERCENT_SCALE)} %" if parts >= least else _TRACE
    return f"the swap would give {amounts[0]} {token.symbol}, {percent} less than its minimum {amounts[1]}"
