"""The prices that a sandbox starts with. They stand still until a script moves them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.services.tokens import JUP, SOL, USDC, USDT
from countermand.values.identity import Mint
from countermand.values.quantities import USD_SCALE, UsdPrice

DEFAULT_PRICES: Final[Mapping[Mint, UsdPrice]] = MappingProxyType(
    {
        SOL.mint: UsdPrice(150 * 10**USD_SCALE),
        USDC.mint: UsdPrice(10**USD_SCALE),
        USDT.mint: UsdPrice(10**USD_SCALE),
        JUP.mint: UsdPrice(10**USD_SCALE // 2),
    }
)
