"""How amounts read whose mint lets them grow by interest, or scales them: as the Token-2022 program writes them."""

import math
from typing import Final

from countermand.solana.programs.anchor import Fields, Unreadable
from countermand.solana.token_extensions import state_of
from countermand.solana.tokens import Mint, ui_amount

_INTEREST_BEARING: Final = "interestBearingConfig"
_SCALED: Final = "scaledUiAmountConfig"
_KEY_BYTES: Final = 32
_YEAR_BASIS_POINTS: Final = 31_556_736.0 * 10_000.0
"""Seconds of a year of 365.24 days, for each basis point."""


def scaled_amount(amount: int, mint: Mint, unix_time: int) -> str:
    """In token units at this time: by floating point, as there; exactly, of a mint without such an extension."""
    one = 10.0**mint.decimals
    try:
        if (state := state_of(mint.extensions, _INTEREST_BEARING)) is not None:
            grown = float(amount) * (_interest(state, unix_time) / one)
        elif (state := state_of(mint.extensions, _SCALED)) is not None:
            grown = _truncated(float(amount) * _multiplier(state, unix_time)) / one
        else:
            return ui_amount(amount, mint.decimals)
    except Unreadable:
        return ui_amount(amount, mint.decimals)
    if not math.isfinite(grown):
        return "NaN" if math.isnan(grown) else "inf"
    text = f"{grown:.{mint.decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _interest(state: bytes, unix_time: int) -> float:
    of = Fields(state, _KEY_BYTES)
    began, rate_before, updated, rate = of.i64(), of.i16(), of.i64(), of.i16()
    return _grown(rate_before, updated - began) * _grown(rate, unix_time - updated)


def _grown(rate: int, seconds: int) -> float:
    try:
        return math.exp(float(rate) * float(seconds) / _YEAR_BASIS_POINTS)
    except OverflowError:
        return math.inf


def _multiplier(state: bytes, unix_time: int) -> float:
    of = Fields(state, _KEY_BYTES)
    old, since, new = of.f64(), of.i64(), of.f64()
    return new if unix_time >= since else old


def _truncated(number: float) -> float:
    return float(math.trunc(number)) if math.isfinite(number) else number
