"""The tokens that a venue trades."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from countermand.solana.tokens import JUP_MINT, SOL_MINT, TOKEN_PROGRAM, USDC_MINT, USDT_MINT
from countermand.values.identity import Address, Mint

_TOKEN_PROGRAM: Final = Address(TOKEN_PROGRAM)


class Token(Struct, frozen=True):
    """`stable`: it follows the US dollar. `program` is the token program that owns its mint."""

    mint: Mint
    symbol: str
    decimals: int
    program: Address = _TOKEN_PROGRAM
    stable: bool = False


SOL: Final = Token(Mint(SOL_MINT), "SOL", 9)
USDC: Final = Token(Mint(USDC_MINT), "USDC", 6, stable=True)
USDT: Final = Token(Mint(USDT_MINT), "USDT", 6, stable=True)
JUP: Final = Token(Mint(JUP_MINT), "JUP", 6)

KNOWN: Final = (SOL, USDC, USDT, JUP)
"""The tokens of every venue."""


class TokenRegistry:
    """The tokens by mint, in the order in which they were added."""

    def __init__(self, added: Iterable[Token] = ()) -> None:
        self._tokens = {token.mint: token for token in KNOWN}
        for token in added:
            self.add(token)

    def get(self, mint: Mint) -> Token | None:
        return self._tokens.get(mint)

    def named(self, name: str) -> Token:
        """The token with this mint or this symbol. Raises `ValueError` if there is none, or more than one."""
        found = self._tokens.get(Mint(name))
        if found is not None:
            return found
        among = [token for token in self._tokens.values() if token.symbol == name]
        if not among:
            raise ValueError(f"{name[:60]!r} is neither the mint nor the symbol of a token of this venue")
        if len(among) > 1:
            mints = ", ".join(token.mint for token in among)
            raise ValueError(f"{name[:60]!r} is the symbol of {len(among)} tokens; give the mint, one of {mints}")
        return among[0]

    def all(self) -> tuple[Token, ...]:
        return tuple(self._tokens.values())

    def add(self, token: Token) -> None:
        """Raises `ValueError` if the mint is known already: what a token is never changes."""
        if token.mint in self._tokens:
            raise ValueError(f"the token {token.mint} is known already, as {self._tokens[token.mint].symbol}")
        self._tokens[token.mint] = token

    def forget_added(self) -> None:
        self._tokens = {token.mint: token for token in KNOWN}
