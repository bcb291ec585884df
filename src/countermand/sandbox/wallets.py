"""The wallets that registered a vault, as `GET /sandbox/wallets` shows them: what they hold, and what is in orders."""

from collections import defaultdict
from typing import Final

from msgspec import Struct

from countermand.orders.trigger.transactions import TriggerTransactions
from countermand.sandbox import wire
from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.tokens import read_token_account
from countermand.store.vaults_postgres import PostgresVaults
from countermand.values.identity import Address, Wallet

SHOWN: Final = 50


class Wallets(Struct, frozen=True):
    vaults: PostgresVaults
    transactions: TriggerTransactions
    chain: EmbeddedChain

    @asks_the_chain
    async def newest(self) -> wire.WalletsWire:
        """Those that registered last. May raise `Unavailable`."""
        registered = await self.vaults.newest(SHOWN)
        accounts = await self.chain.accounts([wallet for wallet, _ in registered])
        found = []
        for (wallet, at), account in zip(registered, accounts, strict=True):
            vault = self.transactions.vault_of(Wallet(wallet))
            lamports = "0" if account is None else str(account.lamports)
            holds, in_vault = await self._holdings(Address(wallet)), await self._holdings(vault)
            found.append(wire.WalletWire(wallet, vault, at, lamports, holds, in_vault))
        return wire.WalletsWire(found)

    async def _holdings(self, owner: Address) -> list[wire.HoldingWire]:
        amounts: dict[str, int] = defaultdict(int)
        for _, info in await self.chain.token_accounts_by_owner(owner):
            account = read_token_account(info.data)
            if account is not None and account.amount:
                amounts[account.mint] += account.amount
        return [wire.HoldingWire(mint, str(amount)) for mint, amount in sorted(amounts.items())]
