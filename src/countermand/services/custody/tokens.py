"""What custody must know of a token. Whoever knows the tokens of a venue can tell."""

from typing import Protocol

from countermand.values.identity import Address, Mint


class TokenFacts(Protocol):
    @property
    def mint(self) -> Mint: ...

    @property
    def symbol(self) -> str: ...

    @property
    def decimals(self) -> int: ...

    @property
    def program(self) -> Address:
        """The token program that owns the mint."""

    @property
    def stable(self) -> bool:
        """It follows the US dollar."""


class Tokens(Protocol):
    def get(self, mint: Mint) -> TokenFacts | None: ...
