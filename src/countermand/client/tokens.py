"""The mints that every venue knows."""

from countermand.solana.tokens import JUP_MINT as JUP
from countermand.solana.tokens import SOL_MINT as SOL
from countermand.solana.tokens import USDC_MINT as USDC
from countermand.solana.tokens import USDT_MINT as USDT

__all__ = ["JUP", "SOL", "USDC", "USDT"]
