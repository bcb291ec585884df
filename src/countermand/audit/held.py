"""Orders whose funds are in accounts of their own under the vaults of their wallets, whatever their family is."""

from dataclasses import dataclass

from countermand.values.identity import Address, Mint, OrderId, Wallet
from countermand.values.transactions import Attempt


@dataclass(frozen=True, slots=True)
class HeldOrder:
    id: OrderId
    wallet: Wallet
    mint: Mint
    account: Address
    left: int
    """What of its funds must be in the account; 0 if they never came."""
    is_closed: bool
    """It has ended, and its account is to be closed."""
    never_funded: bool
    """Its deposit failed."""
    attempt: Attempt | None
