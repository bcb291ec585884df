"""What is known of a token."""

from typing import Protocol

from countermand.values.identity import Address, Mint


class Token(Protocol):
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
        """Its price is meant to be a dollar: nothing triggers on it."""


class Tokens(Protocol):
    def get(self, mint: Mint) -> Token | None: ...
