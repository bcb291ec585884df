"""What the examples of several APIs have in common.

A `Variable` is what only the client knows: a wallet, a token, a signed transaction. The OpenAPI document shows its
example, and names it under `x-variables`; the commands of `/docs` take it from the shell's variable of that name.
"""

from typing import Any

from msgspec import Struct


class Variable(Struct, frozen=True):
    """`meaning`: what to set it to, and where that comes from."""

    name: str
    example: Any
    meaning: str


SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
IN_2100_MS = 4_102_444_800_000
IN_2100_S = IN_2100_MS // 1000

WALLET = Variable("WALLET", "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o", "your wallet's public key, base58")
SIGNED_TRANSACTION = Variable(
    "SIGNED_TRANSACTION", "AQAB…", "the transaction that was built last, signed by your wallet, base64"
)
