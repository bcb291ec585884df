"""Who takes part in the transactions of a wallet's orders in one token."""

from solders.pubkey import Pubkey

from countermand.services.custody.instructions import key
from countermand.services.custody.vaults import Key
from countermand.solana.tokens import SOL_MINT, associated_token_address
from countermand.values.identity import Wallet
from countermand.values.structs import Struct
from countermand.values.tokens import Token


class OrderAccounts(Struct, frozen=True):
    user: Pubkey
    vault: Pubkey
    own: Pubkey
    """The user's associated token account. Not used for SOL, which users pay and receive as lamports."""
    mint: Pubkey
    program: Pubkey
    token: Token
    native: bool
    """SOL: it is wrapped in order accounts only."""

    @classmethod
    def of(cls, wallet: Wallet, vault: Key, token: Token) -> "OrderAccounts":
        return cls(
            user=key(wallet),
            vault=vault.public,
            own=key(associated_token_address(wallet, token.mint, token.program)),
            mint=key(token.mint),
            program=key(token.program),
            token=token,
            native=token.mint == SOL_MINT,
        )
