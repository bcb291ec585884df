"""Token accounts of orders under the vaults of their wallets, whatever the family of the orders is."""

from msgspec import Struct

from countermand.values.identity import Address, Mint, OrderId, Wallet
from countermand.values.transactions import Attempt


class HeldAccount(Struct, frozen=True):
    """`attempt`: the order's unresolved one, which may still move the account."""

    order_id: OrderId
    wallet: Wallet
    mint: Mint
    address: Address
    left: int
    """What of the order's own funds must be in it; 0 if they never came."""
    is_closed: bool
    """The order has ended, and the account is to be closed."""
    never_funded: bool
    """The order's deposit failed."""
    attempt: Attempt | None
