"""What custody is asked to sign for, said without bytes: who pays, who signs, what moves, what is closed.

A family hands a plan in with each message, and custody checks the message against it. It knows no family by that.
"""

from enum import Enum
from typing import TypeAlias

from countermand.values.identity import Address, Mint, Wallet
from countermand.values.quantities import BaseUnits
from countermand.values.structs import Struct


class Signatory(Enum):
    USER = "user"
    VAULT = "vault"
    """The key that owns the accounts of the wallet's orders."""
    TRACKER = "tracker"
    """Signs each withdrawal, so that a reader of the chain can tell it from other transfers."""
    GAS = "gas"
    ROUTER = "router"
    """The key that settles a swap."""


class Fund(Struct, frozen=True):
    """Opens a token account under the vault, and moves the user's own units there."""

    account: Address
    mint: Mint
    amount: BaseUnits


class Open(Struct, frozen=True):
    """Opens a token account under the vault, and leaves it empty."""

    account: Address
    mint: Mint


class Swap(Struct, frozen=True):
    """Takes units of the account, and gives units of another token: not fewer than `minimum`.

    The user gets them, or the token account `to`, which is one of the wallet's orders.
    """

    account: Address
    mint: Mint
    output_mint: Mint
    amount: BaseUnits
    minimum: BaseUnits
    to: Address | None = None


class Return(Struct, frozen=True):
    """Moves units of the account to the user. Of wrapped SOL nothing moves: the close that follows gives all of it."""

    account: Address
    mint: Mint
    amount: BaseUnits


class Close(Struct, frozen=True):
    """Closes the account. Its lamports go to the user."""

    account: Address
    mint: Mint


Move: TypeAlias = Fund | Open | Swap | Return | Close


class SigningPlan(Struct, frozen=True):
    """A message does the moves, in their order, and nothing else. What it moves are the wallet's own funds."""

    of: str
    """What it is, for an operator: `the fill 2 of order …`."""
    wallet: Wallet
    payer: Signatory
    signers: tuple[Signatory, ...]
    """Beside the payer."""
    moves: tuple[Move, ...]
    holds: BaseUnits
    """What the account holds of the order's own funds until this has landed."""

    @property
    def account(self) -> Address:
        """The account that the moves are about, or the first of two."""
        return self.moves[0].account

    @property
    def mint(self) -> Mint:
        return self.moves[0].mint

    @property
    def closes(self) -> bool:
        return isinstance(self.moves[-1], Close)

    @property
    def swap(self) -> Swap | None:
        first = self.moves[0]
        return first if isinstance(first, Swap) else None
